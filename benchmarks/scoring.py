"""Scoring in process beside scikit-learn: the same models, rows, core and run.

python benchmarks/scoring.py [--runs 7]

Checks first that the answers are the same. Exits 1 when a bar is missed.
"""

from __future__ import annotations

import argparse
import math
import os
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
from meter import machine
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from stacks import Stack, compile_pipeline, made_up_rows, make_stack, stack_record
from threadpoolctl import threadpool_limits

from detection.preprocess import clean
from detection.scorer import Scorer
from flows.schema import COMMON_NAMES
from flows.table import FlowTable

TREES, NODES = 100, (500, 4000)
ROWS = 4096
SIZES = (1, 256, ROWS)
RUN_SECONDS, MOST_CALLS = 0.1, 2000
TOLERANCE = 1e-12

SCORE, PROBABILITIES, MODEL = (
    "ML-IDS, table to verdicts",
    "of it, rows to probabilities",
    "of it, the model alone",
)
ONE_JOB, ALL_JOBS = "scikit-learn, n_jobs=1", "scikit-learn, n_jobs=-1"

ONE_ROW_US = {500: 20.0}
RATIOS = {500: {1: 200.0, 256: 5.0, ROWS: 2.0}, 4000: {1: 200.0, 256: 5.0, ROWS: 1.5}}
ROWS_PER_SECOND = {500: 300_000.0, 4000: 150_000.0}

Calls = Callable[[int], None]


@dataclass
class Timing:
    """Seconds a call, one number a run."""

    seconds: list[float] = field(default_factory=list)

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)


@contextmanager
def one_core() -> Iterator[None]:
    """Keep this thread on one core; all of them are its own again afterwards."""
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(allowed)})
    try:
        with threadpool_limits(1):
            yield
    finally:
        os.sched_setaffinity(0, allowed)


def subjects(stack: Stack, rows: NDArray[np.float64], size: int) -> dict[str, Calls]:
    """Return what is measured on one core; call i takes the i-th `size` rows, in turn."""
    model, record = compile_pipeline(stack.pipeline), stack_record(stack)
    scorer = Scorer(model, record)
    raw = [rows[first : first + size].copy() for first in range(0, len(rows), size)]
    cleaned = [clean(each, record.preprocessing) for each in raw]
    tables = [FlowTable.from_features(each, COMMON_NAMES, record.dialect) for each in raw]
    turns = len(raw)
    return {
        SCORE: lambda call: _drop(scorer.score(tables[call % turns])),
        PROBABILITIES: lambda call: _drop(scorer.probabilities(raw[call % turns])),
        MODEL: lambda call: _drop(model.probabilities(cleaned[call % turns])),
        ONE_JOB: lambda call: _drop(stack.pipeline.predict_proba(cleaned[call % turns])),
    }


def _drop(answer: object) -> None:
    del answer


def calls_of_a_run(calls: Calls) -> int:
    """Return how many calls a run takes, after a warm-up."""
    calls(0)
    start = time.perf_counter()
    calls(1)
    return max(1, min(MOST_CALLS, int(RUN_SECONDS / (time.perf_counter() - start))))


def measure(measured: dict[str, Calls], runs: int) -> dict[str, Timing]:
    """Time all subjects in turn, `runs` times."""
    counts = {name: calls_of_a_run(calls) for name, calls in measured.items()}
    timings = {name: Timing() for name in measured}
    for _ in range(runs):
        for name, calls in measured.items():
            start = time.perf_counter()
            for call in range(counts[name]):
                calls(call)
            timings[name].seconds.append((time.perf_counter() - start) / counts[name])
    return timings


def check_answers(stack: Stack, rows: NDArray[np.float64]) -> None:
    record = stack_record(stack)
    ours = Scorer(compile_pipeline(stack.pipeline), record).probabilities(rows)
    theirs = stack.pipeline.predict_proba(clean(rows, record.preprocessing))
    worst = float(np.abs(ours - theirs).max())
    if worst > TOLERANCE or not np.array_equal(ours.argmax(axis=1), theirs.argmax(axis=1)):
        sys.exit(f"the answers are not the same: probabilities differ by up to {worst:g}")


def measure_stack(nodes: int, runs: int) -> dict[tuple[int, str], Timing]:
    """Return the timings by rows a call and subject."""
    stack, (rows, _) = make_stack(trees=TREES, nodes=nodes), made_up_rows(ROWS, seed=7)
    check_answers(stack, rows)
    timings: dict[tuple[int, str], Timing] = {}
    forest = stack.pipeline[-1].named_estimators_["rf"]
    for size in SIZES:
        with one_core():
            found = measure(subjects(stack, rows, size), runs)
        forest.n_jobs = -1
        found |= measure({ALL_JOBS: subjects(stack, rows, size)[ONE_JOB]}, runs)
        forest.n_jobs = 1
        timings |= {(size, name): timing for name, timing in found.items()}
    return timings


def missed(nodes: int, timings: dict[tuple[int, str], Timing]) -> list[str]:
    """Return which bars are missed; they are for the whole way from a table to verdicts."""
    name, found = f"{TREES} trees x {nodes} nodes", []
    microseconds, most = timings[1, SCORE].median * 1e6, ONE_ROW_US.get(nodes, math.inf)
    if microseconds > most:
        found.append(f"{name}, one row: {microseconds:.1f} microseconds, wanted at most {most:.0f}")
    for size, bar in RATIOS[nodes].items():
        ratio = timings[size, ONE_JOB].median / timings[size, SCORE].median
        if ratio < bar:
            found.append(f"{name}, {size:,} rows: {ratio:.1f} x scikit-learn, wanted {bar:g} x")
    rate = ROWS / timings[ROWS, SCORE].median
    if rate < ROWS_PER_SECOND[nodes]:
        found.append(f"{name}: {rate:,.0f} rows/s, wanted {ROWS_PER_SECOND[nodes]:,.0f}")
    return found


def report(nodes: int, timings: dict[tuple[int, str], Timing], runs: int) -> Table:
    table = Table(title=f"stack of a forest of {TREES} trees x {nodes} nodes; {runs} runs; {machine()}")
    table.add_column("rows a call", justify="right")
    table.add_column("what")
    for title in ("microseconds a call", "range", "rows/s", "ML-IDS is faster by"):
        table.add_column(title, justify="right")
    for (size, name), timing in timings.items():
        low, high = min(timing.seconds) * 1e6, max(timing.seconds) * 1e6
        places = 1 if size == 1 else 0
        numbers = (f"{timing.median * 1e6:,.{places}f}", f"{low:,.{places}f}-{high:,.{places}f}")
        ratio = timing.median / timings[size, SCORE].median
        table.add_row(f"{size:,}", name, *numbers, f"{size / timing.median:,.0f}", f"{ratio:.2f} x")
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--runs", type=int, default=7)
    chosen = parser.parse_args()
    console = Console(width=None if sys.stdout.isatty() else 130)
    problems = []
    for nodes in NODES:
        timings = measure_stack(nodes, chosen.runs)
        console.print(report(nodes, timings, chosen.runs))
        problems += missed(nodes, timings)
    for problem in problems:
        print(f"missed: {problem}")
    sys.exit(bool(problems))


if __name__ == "__main__":
    main()
