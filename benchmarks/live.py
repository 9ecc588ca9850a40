"""The running service on a wire: packets sent at full speed over a veth pair, metered and scored at once.

sudo python benchmarks/live.py [--packets 300000] [--flows 21000] [--runs 5]

Needs root, ip, tcpreplay. Makes a network namespace and removes it. Exits 1 when a packet or a flow is
missing.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import statistics
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from generated_capture import generated_capture
from meter import machine
from rich.console import Console
from rich.table import Table

VAR = Path(__file__).resolve().parent.parent / "var"
PORT = 8123
START_SECONDS, END_SECONDS = 300.0, 60.0
COMMAND = Path(sys.executable).with_name("ml-ids")
SETTINGS = {
    "CIC_INTERFACE": "sensor",
    "PORT": str(PORT),
    "DEMO": "0",
    "CLOSE_LINGER": "0.1",
    "CAPTURE_IDLE_SECONDS": "3",
    "STATE_DIR": str(VAR / "bench" / "live"),
    "LOG_DIR": str(VAR / "bench" / "live" / "logs"),
    "EVIDENCE_MB": "256",
}
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Totals:
    """The service's counters, and the processor seconds it has used."""

    packets: int
    metered: int
    kernel_drops: int
    flows: int
    live: int
    early: int
    scored: int
    shed: int
    evidence: int
    cpu_seconds: float


@dataclass(frozen=True)
class Run:
    """One replay: what was sent, how fast, and what the service made of it."""

    sent: int
    seconds: float
    cpu_while_sending: float
    before: Totals
    after: Totals

    def of(self, name: str) -> float:
        more: float = getattr(self.after, name) - getattr(self.before, name)
        return more

    def is_complete(self, flows: int) -> bool:
        packets = self.sent == self.of("packets") == self.of("metered")
        verdicts = flows + self.of("early")
        counted = (self.of("flows"), self.of("scored")) == (flows, verdicts)
        return packets and self.of("kernel_drops") == 0 and counted


@contextmanager
def namespace() -> Iterator[str]:
    name = f"ml-ids-{uuid.uuid4().hex[:8]}"
    subprocess.run(["ip", "netns", "add", name], check=True)
    try:
        for command in (
            "sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1",
            "ip link set lo up",
            "ip link add sender type veth peer name sensor",
            "ip link set sender up",
            "ip link set sensor up",
        ):
            subprocess.run(["ip", "netns", "exec", name, *command.split()], check=True)
        yield name
    finally:
        subprocess.run(["ip", "netns", "delete", name], check=True)


@contextmanager
def service(command: Path = COMMAND, **settings: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run the service with SETTINGS, or what is given instead of some."""
    environment = {**os.environ, **SETTINGS, **settings}
    log = VAR / "bench" / "live.log"
    with log.open("wb") as output:
        process = subprocess.Popen([command, "serve"], env=environment, stdout=output, stderr=output)
        try:
            wait_for("the service", START_SECONDS, lambda: is_ready(process))
            yield process
        finally:
            process.terminate()
            process.wait(30)


def is_ready(process: subprocess.Popen[bytes]) -> bool:
    if process.poll() is not None:
        raise RuntimeError(f"the service ended; see {VAR / 'bench' / 'live.log'}")
    try:
        return httpx.get(f"http://127.0.0.1:{PORT}/ready", timeout=5).status_code == 200
    except httpx.TransportError:
        return False


def wait_for(what: str, seconds: float, condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what} did not come in {seconds:.0f} s")
        time.sleep(0.2)


def health() -> dict[str, Any]:
    found: dict[str, Any] = httpx.get(f"http://127.0.0.1:{PORT}/health", timeout=30).json()
    return found


def totals(process: subprocess.Popen[bytes]) -> Totals:
    found = health()
    (interface,) = found["capture"]["interfaces"]
    counters = interface["counters"]
    return Totals(
        packets=counters["packets"],
        metered=counters["metered"],
        kernel_drops=interface["kernel_drops"],
        flows=counters["flows_opened"],
        live=counters["flows_live"],
        early=counters["emitted_early"],
        scored=found["scoring"]["captured"],
        shed=found["scoring"]["shed"],
        evidence=interface["evidence"]["packets"],
        cpu_seconds=cpu_seconds(process),
    )


def cpu_seconds(process: subprocess.Popen[bytes]) -> float:
    fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def is_settled(process: subprocess.Popen[bytes]) -> bool:
    now = totals(process)
    return now.live == 0 and now.scored + now.shed == now.flows + now.early


def send(capture: Path) -> tuple[int, float]:
    """Replay a capture as fast as it goes; return how many packets it sent and in how many seconds."""
    command = ["tcpreplay", "-K", "-t", "-q", "-i", "sender", str(capture)]
    answer = subprocess.run(command, check=True, capture_output=True, text=True)
    match = re.search(r"Actual: (\d+) packets .* sent in ([\d.]+) seconds", answer.stdout)
    if match is None:
        raise RuntimeError(f"tcpreplay said: {answer.stdout}{answer.stderr}")
    return int(match[1]), float(match[2])


def replay(process: subprocess.Popen[bytes], capture: Path) -> Run:
    before = totals(process)
    sent = send(capture)
    while_sending = cpu_seconds(process) - before.cpu_seconds
    # The last flows end when they have been silent for CAPTURE_IDLE_SECONDS.
    time.sleep(float(SETTINGS["CAPTURE_IDLE_SECONDS"]))
    wait_for("the end of all flows", END_SECONDS, lambda: is_settled(process))
    return Run(*sent, while_sending, before, totals(process))


COLUMNS = {
    "sent": lambda run: f"{run.sent:,}",
    "packets/s": lambda run: f"{run.sent / run.seconds:,.0f}",
    "kernel drops": lambda run: f"{run.of('kernel_drops'):,}",
    "seen": lambda run: f"{run.of('packets'):,}",
    "metered": lambda run: f"{run.of('metered'):,}",
    "flows": lambda run: f"{run.of('flows'):,}",
    "scored early": lambda run: f"{run.of('early'):,}",
    "scored": lambda run: f"{run.of('scored'):,}",
    "CPU while sending": lambda run: f"{run.cpu_while_sending / run.seconds:.0%}",
    "CPU s until scored": lambda run: f"{run.of('cpu_seconds'):.2f}",
    "evidence packets": lambda run: f"{run.after.evidence:,}",
}


def report(runs: list[Run]) -> None:
    rate = statistics.median(run.sent / run.seconds for run in runs)
    table = Table(title=f"median {rate:,.0f} packets/s sent; {machine()}")
    for title in ("run", *COLUMNS):
        table.add_column(title, justify="right")
    for number, run in enumerate(runs, 1):
        table.add_row(str(number), *(text(run) for text in COLUMNS.values()))
    Console(width=None if sys.stdout.isatty() else 150).print(table)


def measure(capture: Path, runs: int) -> list[Run]:
    with service() as process:
        replay(process, capture)
        return [replay(process, capture) for _ in range(runs)]


def run_inside() -> int:
    """Run this script again, with --inside, in a namespace of its own; return its exit status."""
    missing = [tool for tool in ("ip", "tcpreplay") if shutil.which(tool) is None]
    if missing or os.geteuid() != 0:
        sys.exit(f"needs {', '.join(missing) or 'root, to make a network namespace'}")
    with namespace() as name:
        again = ["ip", "netns", "exec", name, sys.executable, *sys.argv, "--inside"]
        return subprocess.run(again, check=False).returncode


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--packets", type=int, default=300_000)
    parser.add_argument("--flows", type=int, default=21_000)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    capture = generated_capture(VAR / "bench", chosen.packets, chosen.flows)
    if not chosen.inside:
        sys.exit(run_inside())
    runs = measure(capture, chosen.runs)
    report(runs)
    sys.exit(not all(run.is_complete(chosen.flows) for run in runs))


if __name__ == "__main__":
    main()
