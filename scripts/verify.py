"""Run everything at full length and say how it went: lint, all tests, fuzzing, the benchmarks.

make verify
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).resolve().parent.parent
METER = "benchmarks/meter.py"
CHECKS = {
    "lint": ["make", "lint"],
    "tests, slow ones included": [sys.executable, "-m", "pytest", "-m", ""],
    "fuzzing": [sys.executable, "tests/fuzz/run.py", "--seconds", "600"],
}
BENCHMARKS = {
    " ".join(benchmark): [sys.executable, *benchmark]
    for benchmark in (
        [METER],
        [METER, "--concurrent", "1000000"],
        [METER, "--whole", "20000000"],
        ["benchmarks/host_context.py"],
        ["benchmarks/path.py"],
        ["benchmarks/scoring.py"],
        ["benchmarks/http_api.py"],
        ["benchmarks/columns.py"],
        ["benchmarks/edge.py"],
        ["benchmarks/streaming.py"],
        ["benchmarks/watchers.py"],
        ["benchmarks/alerting.py"],
        ["benchmarks/memory.py"],
        ["benchmarks/resident.py"],
        ["benchmarks/live.py"],
        ["benchmarks/ray_scoring.py"],
    )
}
NEED_ROOT = ("benchmarks/live.py", "benchmarks/resident.py")
NEED = {
    "benchmarks/http_api.py": "wrk",
    "benchmarks/watchers.py": "wrk",
    "benchmarks/live.py": "tcpreplay",
    "benchmarks/resident.py": "tcpreplay",
}


def main() -> None:
    table = Table("step", "result", "seconds")
    # Nothing in the checks is timed, so they share the cores; a benchmark has the machine to itself.
    outcomes = [*run(CHECKS, at_once=2), *run(BENCHMARKS, at_once=1)]
    for outcome in outcomes:
        table.add_row(*outcome)
    Console().print(table)
    sys.exit(any(result.startswith("failed") for _, result, _ in outcomes))


def run(steps: Mapping[str, list[str]], at_once: int) -> list[tuple[str, str, str]]:
    """Run the steps and return each one's name, result and seconds."""
    with ThreadPoolExecutor(at_once) as pool:
        return list(pool.map(step, steps.keys(), steps.values()))


def step(name: str, command: list[str]) -> tuple[str, str, str]:
    if name in NEED_ROOT and os.geteuid() != 0:
        return name, "skipped: needs root", ""
    if name in NEED and not shutil.which(NEED[name]):
        return name, f"skipped: needs {NEED[name]}", ""
    start = time.perf_counter()
    status = subprocess.run(command, cwd=ROOT, check=False).returncode
    return name, "ok" if status == 0 else f"failed ({status})", f"{time.perf_counter() - start:.0f}"


if __name__ == "__main__":
    main()
