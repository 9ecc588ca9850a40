"""Resident set of the running service with many flows open at once, on a veth pair.

sudo python benchmarks/resident.py [--flows 50000] [--limit 400]

Needs root, ip, tcpreplay. Makes a network namespace and removes it. Exits 1 when the process takes more than
the limit, ring, open flows and evidence included. Measures an environment of the extra `sensor` alone, made
in var/tools on the first call: where MLflow finds pandas, it imports it.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import time
import venv
from dataclasses import dataclass
from pathlib import Path

import httpx
from concurrent_capture import concurrent_capture
from generated_capture import generated_capture
from live import END_SECONDS, PORT, VAR, health, run_inside, send, service, totals, wait_for
from meter import machine
from rich.console import Console
from rich.table import Table

from inference_server.telemetry.resident import LOOK_SECONDS

ROOT = Path(__file__).resolve().parent.parent
ROUNDS = 4
BYTES_A_FLOW = 640
FLOW = VAR.parent / "data" / "demo" / "flow.json"
REQUESTS = 100
# Flows that fill the evidence and end by themselves come before those that stay open.
BEFORE_PACKETS, BEFORE_FLOWS = 300_000, 21_000
SETTINGS = {
    "CAPTURE_IDLE_SECONDS": "120",
    "STATE_DIR": str(VAR / "bench" / "resident"),
    "EVIDENCE_MB": "32",
    # As in the image.
    "ARROW_DEFAULT_MEMORY_POOL": "system",
}


def sensor_command() -> Path:
    """Return `ml-ids` of an environment with the pinned dependencies of a sensor."""
    directory = VAR / "tools" / "sensor"
    finished = directory / ".complete"
    wanted = (ROOT / "requirements.txt").read_text()
    if not finished.exists() or finished.read_text() != wanted:
        venv.create(directory, with_pip=True, clear=True)
        pins = re.findall(r"^([a-z0-9-]+)(?:\[.*\])?(==[^\\\n]*)", wanted, re.MULTILINE)
        (directory / "pins.txt").write_text("".join(f"{name}{rest.strip()}\n" for name, rest in pins))
        pip = [directory / "bin" / "python", "-m", "pip", "--quiet", "--disable-pip-version-check"]
        chosen = ["--constraint", directory / "pins.txt", "--editable", f"{ROOT}[sensor]"]
        subprocess.run([*pip, "install", *chosen], check=True)
        finished.write_text(wanted)
    return directory / "bin" / "ml-ids"


@dataclass(frozen=True)
class Taken:
    """What the process takes at a moment, in 10^6 bytes."""

    moment: str
    live: int
    resident: float
    ring: float
    flows: float
    evidence: float

    @property
    def rest(self) -> float:
        return self.resident - self.ring - self.flows - self.evidence


def taken(moment: str) -> Taken:
    found = health()
    (interface,) = found["capture"]["interfaces"]
    live = interface["counters"]["flows_live"]
    parts = (found["resident_bytes"], interface["ring_bytes"], live * BYTES_A_FLOW)
    megabytes = [count / 1e6 for count in (*parts, interface["evidence"]["bytes"])]
    return Taken(moment, live, *megabytes)


def measure(before: Path, capture: Path, flows: int) -> list[Taken]:
    with service(sensor_command(), **SETTINGS) as process:
        found = [taken("started")]
        settled = totals(process)
        send(before)
        for _ in range(REQUESTS):
            url = f"http://127.0.0.1:{PORT}/predict"
            httpx.post(url, content=FLOW.read_bytes(), timeout=30).raise_for_status()
        wait_for("the end of closed flows", END_SECONDS, lambda: _has_scored(process, settled.scored))
        time.sleep(2 * LOOK_SECONDS)
        found.append(taken(f"{BEFORE_PACKETS:,} packets later"))
        send(capture)
        wait_for("all flows", END_SECONDS, lambda: totals(process).live >= flows)
        time.sleep(2 * LOOK_SECONDS)
        found.append(taken(f"{flows:,} flows more are open"))
        return found


def _has_scored(process: subprocess.Popen[bytes], before: int) -> bool:
    # Half of the flows are TCP and close; the others stay open until they have been silent long enough.
    return totals(process).scored - before >= BEFORE_FLOWS // 2


def report(found: list[Taken], limit: int) -> None:
    table = Table(title=f"limit {limit} MB; {machine()}")
    for title in ("", "live flows", "resident MB", "ring MB", "open flows MB", "evidence MB", "the rest MB"):
        table.add_column(title, justify="right" if title else "left")
    for each in found:
        numbers = (each.resident, each.ring, each.flows, each.evidence, each.rest)
        table.add_row(each.moment, f"{each.live:,}", *(f"{number:,.0f}" for number in numbers))
    Console(width=None if sys.stdout.isatty() else 130).print(table)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--flows", type=int, default=50_000)
    parser.add_argument("--limit", type=int, default=400, help="10^6 bytes")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    capture = concurrent_capture(VAR / "bench", chosen.flows, ROUNDS)
    before = generated_capture(VAR / "bench", BEFORE_PACKETS, BEFORE_FLOWS)
    if not chosen.inside:
        sensor_command()
        sys.exit(run_inside())
    found = measure(before, capture, chosen.flows)
    report(found, chosen.limit)
    sys.exit(found[-1].resident >= chosen.limit)


if __name__ == "__main__":
    main()
