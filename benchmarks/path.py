"""Packets a second from a capture file to verdicts on one core, beside peers that only read or meter.

python benchmarks/path.py [--packets 5000000] [--flows 350000] [--runs 3] [--no-peers]

Exits 1 when the whole path takes fewer than a million packets a second.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from generated_capture import generated_capture
from http_servers import prepared
from meter import (
    NFSTREAM_AT_ITS_FASTEST,
    VAR,
    Timing,
    meter_run,
    nfstream_timings,
    report,
    tcpdump_run,
    time_runs,
)

from capture.files import read_capture
from detection.package import load_package
from detection.scorer import Scorer

BAR = 1_000_000


@contextmanager
def one_core() -> Iterator[None]:
    """Keep this process, and those it starts, to one core."""
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(cores)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, cores)


def path_run(path: Path, scorer: Scorer) -> tuple[float, int]:
    """Meter a capture and score what comes, table by table as the sensor does."""
    start = time.perf_counter()
    verdicts = sum(len(scorer.score(table)) for table in read_capture(path))
    return time.perf_counter() - start, verdicts


def command_run(path: Path, state: Path) -> tuple[float, None]:
    """Run `ml-ids score` as a process; return the seconds from its first packet to the written file."""
    command = Path(sys.executable).parent / "ml-ids"
    with tempfile.TemporaryDirectory(dir=VAR) as directory:
        said = subprocess.check_output(
            [command, "score", path, "-o", Path(directory) / "verdicts.parquet"],
            env=os.environ | {"STATE_DIR": str(state)},
            text=True,
        )
    (seconds,) = re.findall(r"packets in ([\d.]+) s", said)
    return float(seconds), None


def measure(path: Path, runs: int, with_peers: bool) -> list[Timing]:
    directory = prepared()
    scorer = load_package(directory / "package")
    command = partial(command_run, path, directory / "state")
    with one_core():
        timings = [
            time_runs("capture file to verdicts, in process", partial(path_run, path, scorer), runs),
            time_runs("the meter alone", partial(meter_run, path), runs),
            time_runs("ml-ids score F -o verdicts.parquet, without its start", command, runs),
        ]
        if with_peers and shutil.which("tcpdump"):
            timings.append(time_runs("tcpdump -r F -w /dev/null", partial(tcpdump_run, path), runs))
    # nfstream does nothing when it has one core only.
    return timings + (nfstream_timings(path, 1, NFSTREAM_AT_ITS_FASTEST) if with_peers else [])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--packets", type=int, default=5_000_000)
    parser.add_argument("--flows", type=int, default=350_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--no-peers", action="store_true")
    chosen = parser.parse_args()
    path = generated_capture(VAR / "bench", chosen.packets, chosen.flows)
    timings = measure(path, chosen.runs, not chosen.no_peers)
    report(path, chosen.packets, timings, subject="the first")
    rate = chosen.packets / timings[0].median
    if rate < BAR:
        print(f"missed: {rate:,.0f} packets/s from capture file to verdicts, wanted {BAR:,}")
    sys.exit(rate < BAR)


if __name__ == "__main__":
    main()
