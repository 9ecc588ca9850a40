"""Peak memory of metering a large capture: the file is read in blocks, not mapped and not kept.

python benchmarks/memory.py [--megabytes 1000] [--limit 500] [--dialect improved ...]

Exit status 1 when a run needs more than the limit.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path

from generated_capture import generated_capture
from rich.console import Console
from rich.table import Table

from capture.dialects import RULES
from capture.files import CaptureFile

ROOT = Path(__file__).resolve().parent.parent
BYTES_A_PACKET = 286
PACKETS_A_FLOW = 14
DIALECTS = ("improved", "improved-2024")


def peak_mb() -> float:
    """Return the largest resident set of this process so far, in 10^6 bytes."""
    # Unlike ru_maxrss it begins anew when a process starts another program.
    lines = Path("/proc/self/status").read_text().splitlines()
    (kilobytes,) = (line.split()[1] for line in lines if line.startswith("VmHWM:"))
    return int(kilobytes) * 1024 / 1e6


def meter(path: Path, dialect: str) -> None:
    """Meter a capture in this process; print what it took."""
    before = peak_mb()
    capture = CaptureFile(path, dialect=dialect)
    flows = sum(len(table) for table in capture.tables())
    packets = capture.counters().packets
    print(json.dumps({"before": before, "peak": peak_mb(), "flows": flows, "packets": packets}))


def measure(path: Path, dialect: str) -> dict[str, float]:
    command = [sys.executable, __file__, "--meter", str(path), "--dialect", dialect]
    found: dict[str, float] = json.loads(subprocess.check_output(command))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--megabytes", type=int, default=1000)
    parser.add_argument("--limit", type=int, default=500, help="10^6 bytes")
    parser.add_argument("--dialect", action="append", choices=RULES)
    parser.add_argument("--meter", type=Path, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    dialects = chosen.dialect or DIALECTS
    if chosen.meter:
        meter(chosen.meter, dialects[0])
        return
    packets = chosen.megabytes * 1_000_000 // BYTES_A_PACKET
    path = generated_capture(ROOT / "var" / "bench", packets, packets // PACKETS_A_FLOW)
    table = Table(title=f"{path.stat().st_size / 1e6:,.0f} MB, limit {chosen.limit} MB")
    for title in ("dialect", "packets", "flows", "MB at start", "MB at most", "result"):
        table.add_column(title, justify="right")
    within = True
    for dialect in dialects:
        found = measure(path, dialect)
        fits = found["peak"] < chosen.limit
        within = within and fits
        numbers = (f"{found[name]:,.0f}" for name in ("packets", "flows", "before", "peak"))
        table.add_row(dialect, *numbers, "ok" if fits else "too much")
    Console(width=None if sys.stdout.isatty() else 100).print(table)
    sys.exit(not within)


if __name__ == "__main__":
    main()
