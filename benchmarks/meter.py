"""Packets a second of the flow meter beside its peers, all on the same capture.

make bench
python benchmarks/meter.py [--packets 1000000] [--flows 70000] [--runs 5] [--no-peers]
python benchmarks/meter.py --concurrent 1000000   every flow open at once, 4 packets each
python benchmarks/meter.py --whole 20000000       the whole command, from capture to Parquet
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from concurrent_capture import concurrent_capture
from generated_capture import generated_capture
from rich.console import Console
from rich.table import Table

from capture.files import read_capture

ROOT = Path(__file__).resolve().parent.parent
VAR = ROOT / "var"
NFSTREAM = "6.6.0"
ROUNDS = 4
NFSTREAM_AT_ITS_FASTEST = {f"nfstream {NFSTREAM} without nDPI": 0}
NFSTREAM_MODES = {f"nfstream {NFSTREAM}": 20} | NFSTREAM_AT_ITS_FASTEST


@dataclass(frozen=True)
class Timing:
    """The seconds of each run of one tool, and the flows it counted, if it counts any."""

    tool: str
    seconds: list[float]
    flows: int | None

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)


def time_runs(tool: str, run: Callable[[], tuple[float, int | None]], runs: int, warm_ups: int = 1) -> Timing:
    """Run `runs` times after the warm-ups; a run returns its seconds and flows."""
    for _ in range(warm_ups):
        run()
    results = [run() for _ in range(runs)]
    return Timing(tool, [seconds for seconds, _ in results], results[-1][1])


def meter_run(path: Path) -> tuple[float, int]:
    start = time.perf_counter()
    flows = sum(len(table) for table in read_capture(path))
    return time.perf_counter() - start, flows


def tcpdump_run(path: Path) -> tuple[float, None]:
    start = time.perf_counter()
    subprocess.run(["tcpdump", "-r", str(path), "-w", "/dev/null"], check=True, capture_output=True)
    return time.perf_counter() - start, None


def nfpcapd_run(path: Path) -> tuple[float, None]:
    with tempfile.TemporaryDirectory() as directory:
        start = time.perf_counter()
        subprocess.run(["nfpcapd", "-r", str(path), "-w", directory], check=True, capture_output=True)
        return time.perf_counter() - start, None


def command_run(path: Path) -> tuple[float, None]:
    """Run `ml-ids meter` as a process, start-up included."""
    command = Path(sys.executable).parent / "ml-ids"
    with tempfile.TemporaryDirectory(dir=VAR) as directory:
        start = time.perf_counter()
        output = Path(directory) / "flows.parquet"
        subprocess.run([command, "meter", path, "-o", output], check=True, capture_output=True)
        return time.perf_counter() - start, None


def nfstream_python() -> Path:
    """Return the interpreter of nfstream's own environment, made on the first call."""
    directory = VAR / "tools" / f"nfstream-{NFSTREAM}"
    python = directory / "bin" / "python"
    finished = directory / ".complete"
    if not finished.exists():
        venv.create(directory, with_pip=True, clear=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", f"nfstream=={NFSTREAM}"], check=True)
        finished.touch()
    return python


def nfstream_run(python: Path, path: Path, dissections: int) -> tuple[float, int]:
    script = Path(__file__).parent / "peers" / "nfstream_flows.py"
    answer = json.loads(subprocess.check_output([python, script, path, str(dissections)]))
    return answer["seconds"], answer["flows"]


def nfstream_timings(path: Path, runs: int, modes: Mapping[str, int]) -> list[Timing]:
    # Nothing to warm up: it is compiled, and the tools before it have read the file into memory.
    python = nfstream_python()
    return [
        time_runs(tool, partial(nfstream_run, python, path, dissections), runs, warm_ups=0)
        for tool, dissections in modes.items()
    ]


def measure(path: Path, runs: int, with_peers: bool, modes: Mapping[str, int]) -> list[Timing]:
    timings = [time_runs("ML-IDS meter, in process", lambda: meter_run(path), runs)]
    if not with_peers:
        return timings
    if shutil.which("tcpdump"):
        timings.append(time_runs("tcpdump -r F -w /dev/null", lambda: tcpdump_run(path), runs))
    return timings + nfstream_timings(path, runs, modes)


def measure_whole(path: Path, runs: int, with_peers: bool) -> list[Timing]:
    small = generated_capture(VAR / "bench", 100, 10)
    whole = time_runs("ml-ids meter F -o flows.parquet", lambda: command_run(path), runs)
    start_up = time_runs("start-up", lambda: command_run(small), runs).median
    net = [seconds - start_up for seconds in whole.seconds]
    timings = [whole, Timing(f"the same less {start_up:.2f} s of start-up", net, None)]
    if with_peers and shutil.which("nfpcapd"):
        timings.append(time_runs("nfpcapd -r F (far fewer features)", lambda: nfpcapd_run(path), runs))
    return timings + (nfstream_timings(path, runs, NFSTREAM_AT_ITS_FASTEST) if with_peers else [])


def machine() -> str:
    cpu_info = Path("/proc/cpuinfo")
    lines = cpu_info.read_text().splitlines() if cpu_info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    cpu = names[0] if names else platform.processor()
    return f"{cpu}, {os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}"


def report(path: Path, packets: int, timings: list[Timing], subject: str = "meter") -> None:
    table = Table(title=f"{packets:,} packets, {path.stat().st_size / 1e6:.0f} MB; {machine()}")
    for title in (
        "tool",
        "flows",
        "seconds (median)",
        "range",
        "runs",
        "packets/s",
        f"{subject} is faster by",
    ):
        table.add_column(title, justify="left" if title == "tool" else "right")
    for timing in timings:
        table.add_row(
            timing.tool,
            "-" if timing.flows is None else f"{timing.flows:,}",
            f"{timing.median:.3f}",
            f"{min(timing.seconds):.3f}-{max(timing.seconds):.3f}",
            str(len(timing.seconds)),
            f"{packets / timing.median:,.0f}",
            f"{timing.median / timings[0].median:.2f} x",
        )
    Console(width=None if sys.stdout.isatty() else 130).print(table)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--packets", type=int, default=1_000_000)
    parser.add_argument("--flows", type=int, default=70_000)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--no-peers", action="store_true")
    parser.add_argument("--concurrent", type=int, metavar="FLOWS")
    parser.add_argument("--whole", type=int, metavar="PACKETS")
    chosen = parser.parse_args()
    directory, peers = VAR / "bench", not chosen.no_peers
    if chosen.concurrent:
        path = concurrent_capture(directory, chosen.concurrent, ROUNDS)
        report(path, chosen.concurrent * ROUNDS, measure(path, chosen.runs, peers, NFSTREAM_AT_ITS_FASTEST))
    elif chosen.whole:
        path = generated_capture(directory, chosen.whole, chosen.whole * chosen.flows // chosen.packets)
        report(path, chosen.whole, measure_whole(path, chosen.runs, peers))
    else:
        path = generated_capture(directory, chosen.packets, chosen.flows)
        report(path, chosen.packets, measure(path, chosen.runs, peers, NFSTREAM_MODES))


if __name__ == "__main__":
    main()
