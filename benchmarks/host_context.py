"""What host context costs: metering a capture with and without it, in the same run.

python benchmarks/host_context.py [--packets 1000000] [--flows 70000] [--runs 5]

Exits 1 when metering with context takes more than twice as long.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from pathlib import Path

from generated_capture import generated_capture
from meter import VAR, machine

from capture.files import CaptureFile
from context.stage import ContextStage

BAR = 2.0


def seconds(path: Path, *, context: bool) -> tuple[float, int]:
    began = time.perf_counter()
    capture = CaptureFile(path, starts=context)
    tables = capture.tables()
    if context:
        tables = ContextStage().complete(tables, capture.take_starts)
    flows = sum(len(table) for table in tables)
    return time.perf_counter() - began, flows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--packets", type=int, default=1_000_000)
    parser.add_argument("--flows", type=int, default=70_000)
    parser.add_argument("--runs", type=int, default=5)
    chosen = parser.parse_args()
    path = generated_capture(VAR / "bench", chosen.packets, chosen.flows)
    for context in (False, True):
        seconds(path, context=context)
    without, beside = [], []
    for _ in range(chosen.runs):
        plain, flows = seconds(path, context=False)
        more, same = seconds(path, context=True)
        if flows != same:
            sys.exit(f"{same} flows with context, {flows} without")
        without.append(plain)
        beside.append(more)
    ratio = statistics.median(one / other for one, other in zip(beside, without, strict=True))
    rates = [chosen.packets / statistics.median(each) for each in (without, beside)]
    print(f"{machine()}; {chosen.packets:,} packets, {chosen.flows:,} flows, medians of {chosen.runs}")
    print(f"without context {rates[0]:,.0f} packets/s, with it {rates[1]:,.0f}: {ratio:.2f} times the time")
    sys.exit(ratio > BAR)


if __name__ == "__main__":
    main()
