"""Requests a second of this service, `mlflow models serve` and MLServer: the same model, body, machine, run.

python benchmarks/http_api.py [--seconds 5] [--runs 3] [--connections 16]

Needs wrk. Checks first that all three give the same answers. Exits 1 when a bar is missed.
"""

from __future__ import annotations

import argparse
import json
import math
import shutil
import statistics
import subprocess
import sys
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from http_servers import Server, ml_ids, mlflow_serve, mlserver, prepared
from meter import machine
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from stacks import CLASSES, made_up_rows

from detection.package import load_package
from flows.schema import COMMON_NAMES
from flows.table import FlowTable

SCRIPT = Path(__file__).parent / "peers" / "post.lua"
ONE, MANY, MIXED = "1", "1,000", "1,000, 100 attacks"
FLOWS = {ONE: 1, MANY: 1000, MIXED: 1000}
SEED = 7
WARM_UP_SECONDS = 2
BARS = {("mlflow", ONE): 40.0, ("MLServer", ONE): 20.0, ("MLServer", MANY): 2.0}
P99_MS = 15.0


@dataclass(frozen=True)
class Load:
    """What wrk counted."""

    requests_per_second: float
    p50_ms: float
    p99_ms: float
    failed: int


def bodies(package: Path) -> dict[str, bytes]:
    """Return a benign flow, 1,000 of them, and 1,000 of which a tenth are attacks, none near a decision."""
    rows, _ = made_up_rows(16 * FLOWS[MANY], SEED)
    scorer = load_package(package)
    judged = ~scorer.score(FlowTable.from_features(rows, COMMON_NAMES, scorer.record.dialect)).insufficient
    probabilities = scorer.probabilities(rows)
    sure = judged & (probabilities.max(axis=1) > 0.55)
    is_benign = probabilities.argmax(axis=1) == CLASSES.index(0)
    benign, attacks = rows[sure & is_benign][: FLOWS[MANY]], rows[sure & ~is_benign][: FLOWS[MIXED] // 10]
    assert (len(benign), len(attacks)) == (FLOWS[MANY], FLOWS[MIXED] // 10), "too few flows were made up"
    mixed = np.random.default_rng(SEED).permutation(np.concatenate([benign[len(attacks) :], attacks]))
    return {ONE: body(benign[:1]), MANY: body(benign), MIXED: body(mixed)}


def body(rows: NDArray[np.float64]) -> bytes:
    data = [[int(value) if value.is_integer() else value for value in row] for row in rows.tolist()]
    return json.dumps({"dataframe_split": {"columns": COMMON_NAMES, "data": data}}).encode()


def load(url: str, path: Path, connections: int, seconds: int) -> Load:
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "30s", "-s", str(SCRIPT)]
    output = subprocess.check_output([*command, url, "--", str(path)], text=True)
    requests, microseconds, p50, p99, failed = map(float, output.splitlines()[-1].split())
    return Load(requests / microseconds * 1e6, p50, p99, int(failed))


def median_load(url: str, path: Path, connections: int, seconds: int, runs: int) -> Load:
    load(url, path, connections, WARM_UP_SECONDS)
    loads = [load(url, path, connections, seconds) for _ in range(runs)]
    return Load(
        requests_per_second=statistics.median(each.requests_per_second for each in loads),
        p50_ms=statistics.median(each.p50_ms for each in loads),
        p99_ms=statistics.median(each.p99_ms for each in loads),
        failed=sum(each.failed for each in loads),
    )


def check_answers(servers: list[Server], sent: dict[str, bytes]) -> None:
    for flows, content in sent.items():
        answers = [server.answer(content) for server in servers]
        if not all(answer == answers[0] for answer in answers):
            sys.exit(f"the servers do not give the same answers for {flows} flows")


def measure(chosen: argparse.Namespace) -> tuple[dict[tuple[str, str, str], Load], float]:
    """Return what wrk counted by server, path and flows a request, and our resident set afterwards."""
    directory = prepared()
    sent = bodies(directory / "package")
    files = {flows: directory / f"{flows}.json" for flows in sent}
    for flows, content in sent.items():
        files[flows].write_bytes(content)
    with ExitStack() as stack:
        servers = [stack.enter_context(start(directory)) for start in (ml_ids, mlflow_serve, mlserver)]
        check_answers(servers, sent)
        loads: dict[tuple[str, str, str], Load] = {}
        for flows, path in files.items():
            for server in servers:
                for route in ("/predict", "/invocations") if server is servers[0] else ("/invocations",):
                    loads[server.name, route, flows] = median_load(
                        server.url + route, path, chosen.connections, chosen.seconds, chosen.runs
                    )
        return loads, servers[0].resident_mb()


def faster(one: Load, other: Load) -> float:
    """Return how many times as many requests one answered; of none, infinitely many times as many."""
    return one.requests_per_second / other.requests_per_second if other.requests_per_second else math.inf


def missed(loads: dict[tuple[str, str, str], Load]) -> list[str]:
    """Return which bars are missed: one flow on /predict, 1,000 on /invocations."""
    ours = {ONE: loads["ML-IDS", "/predict", ONE], MANY: loads["ML-IDS", "/invocations", MANY]}
    found = [f"{name}: {load.failed} requests failed" for (name, *_), load in loads.items() if load.failed]
    for (peer, flows), bar in BARS.items():
        (theirs,) = (
            load for (name, _, sent), load in loads.items() if name.startswith(peer) and sent == flows
        )
        ratio = faster(ours[flows], theirs)
        if ratio < bar:
            found.append(f"{flows} flows a request: {ratio:.1f} x {peer}, wanted {bar:.0f} x")
    if ours[ONE].p99_ms >= P99_MS:
        found.append(f"p99 {ours[ONE].p99_ms:.1f} ms, wanted less than {P99_MS:.0f}")
    return found


def report(loads: dict[tuple[str, str, str], Load], connections: int) -> None:
    table = Table(title=f"{connections} connections; {machine()}")
    for title in (
        "server",
        "route",
        "flows a request",
        "requests/s",
        "flows/s",
        "p50 ms",
        "p99 ms",
        "ML-IDS is faster by",
    ):
        table.add_column(title, justify="left" if title in ("server", "route") else "right")
    for (server, route, flows), found in loads.items():
        first = loads["ML-IDS", "/predict" if flows == ONE else "/invocations", flows]
        rate = found.requests_per_second
        numbers = (
            f"{rate:,.1f}",
            f"{rate * FLOWS[flows]:,.0f}",
            f"{found.p50_ms:.1f}",
            f"{found.p99_ms:.1f}",
        )
        table.add_row(server, route, flows, *numbers, f"{faster(first, found):.1f} x")
    Console(width=None if sys.stdout.isatty() else 130).print(table)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--connections", type=int, default=16)
    chosen = parser.parse_args()
    if not shutil.which("wrk"):
        sys.exit("wrk is needed: apt-get install wrk")
    loads, resident = measure(chosen)
    report(loads, chosen.connections)
    print(f"ML-IDS, resident set after all of this: {resident:.0f} MB")
    for problem in (problems := missed(loads)):
        print(f"missed: {problem}")
    sys.exit(bool(problems))


if __name__ == "__main__":
    main()
