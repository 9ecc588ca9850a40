"""Run everything at full length and say how it went: lint, all tests, fuzzing, the benchmarks.

make verify
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).resolve().parent.parent
STEPS = {
    "lint": ["make", "lint"],
    "tests, slow ones included": [sys.executable, "-m", "pytest", "-m", ""],
    "fuzzing": [sys.executable, "tests/fuzz/run.py", "--seconds", "600"],
    "benchmarks/meter.py": [sys.executable, "benchmarks/meter.py"],
    "benchmarks/memory.py": [sys.executable, "benchmarks/memory.py"],
    "benchmarks/live.py": [sys.executable, "benchmarks/live.py"],
}
NEED_ROOT = ("benchmarks/live.py",)


def main() -> None:
    table = Table("step", "result", "seconds")
    failed = False
    for name, command in STEPS.items():
        if name in NEED_ROOT and os.geteuid() != 0:
            table.add_row(name, "skipped: needs root", "")
            continue
        start = time.perf_counter()
        status = subprocess.run(command, cwd=ROOT, check=False).returncode
        failed = failed or status != 0
        table.add_row(
            name, "ok" if status == 0 else f"failed ({status})", f"{time.perf_counter() - start:.0f}"
        )
    Console().print(table)
    sys.exit(failed)


if __name__ == "__main__":
    main()
