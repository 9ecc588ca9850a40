"""Flows a second as Arrow columns and as JSON, of the same service on the same connection in the same run.

python benchmarks/columns.py [--flows 5000] [--seconds 4] [--runs 3]

The bodies hold the same flows, one in a hundred an attack; the answers are checked to agree. Exits 1 when
columns in and out are not five times as fast as JSON in and out on /predict.
"""

from __future__ import annotations

import argparse
import http.client
import json
import statistics
import sys
import time
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from http_api import MANY, MIXED, SEED, bodies, body
from http_servers import Server, ml_ids, prepared
from meter import machine
from rich.console import Console
from rich.table import Table

from flows.schema import COMMON_NAMES

ARROW, JSON = "application/vnd.apache.arrow.stream", "application/json"
BAR = 5.0


@dataclass(frozen=True)
class Way:
    """A route, and how flows go in and verdicts come out."""

    route: str
    sent: str
    asked: str

    def title(self) -> tuple[str, str, str]:
        names = {ARROW: "Arrow", JSON: "JSON"}
        return self.route, names[self.sent], names[self.asked]


WAYS = [
    Way(route, sent, asked)
    for route in ("/predict", "/invocations")
    for sent, asked in ((JSON, JSON), (ARROW, JSON), (ARROW, ARROW))
]


def contents(flows: int) -> dict[str, bytes]:
    """Return the same flows as JSON and as an Arrow IPC stream."""
    made = bodies(prepared() / "package")
    benign, mixed = (
        np.array(json.loads(made[name])["dataframe_split"]["data"], np.float64) for name in (MANY, MIXED)
    )
    # A tenth of the mixed ones are attacks.
    pool = np.concatenate([np.tile(benign, (9, 1)), mixed])
    chosen = pool[np.random.default_rng(SEED).permutation(len(pool))[np.arange(flows) % len(pool)]]
    batch = pa.record_batch([pa.array(column) for column in chosen.T.copy()], names=list(COMMON_NAMES))
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    return {JSON: body(chosen), ARROW: bytes(sink.getvalue())}


def ask(connection: http.client.HTTPConnection, way: Way, content: bytes) -> bytes:
    connection.request("POST", way.route, content, {"Content-Type": way.sent, "Accept": way.asked})
    answer = connection.getresponse()
    told = answer.read()
    if answer.status != 200:
        sys.exit(f"{way}: {answer.status} {told[:200]!r}")
    return told


def codes(way: Way, told: bytes) -> list[int]:
    key = "prediction" if way.route == "/predict" else "predictions"
    if way.asked == JSON:
        return list(json.loads(told)[key])
    return list(pa.ipc.open_stream(told).read_all()[key].to_pylist())


def measure(
    server: Server, sent: dict[str, bytes], flows: int, seconds: float, runs: int
) -> dict[Way, float]:
    """Return flows a second, medians of the runs, which take the ways in turns."""
    connection = http.client.HTTPConnection(server.url.removeprefix("http://"))
    answers = [codes(way, ask(connection, way, sent[way.sent])) for way in WAYS]
    if any(answer != answers[0] for answer in answers):
        sys.exit("the answers differ")
    rates: dict[Way, list[float]] = {way: [] for way in WAYS}
    for _ in range(runs):
        for way in WAYS:
            asked, began = 0, time.perf_counter()
            while time.perf_counter() - began < seconds:
                ask(connection, way, sent[way.sent])
                asked += 1
            rates[way].append(asked * flows / (time.perf_counter() - began))
    return {way: statistics.median(found) for way, found in rates.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--flows", type=int, default=5000)
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--runs", type=int, default=3)
    chosen = parser.parse_args()
    sent = contents(chosen.flows)
    with ml_ids(prepared(), MAX_BODY_MB="100") as server:
        rates = measure(server, sent, chosen.flows, chosen.seconds, chosen.runs)
    table = Table(title=f"{chosen.flows:,} flows a request; {machine()}")
    for title in ("route", "body", "answer"):
        table.add_column(title)
    for title in ("bytes sent", "flows/s", "times JSON"):
        table.add_column(title, justify="right")
    for way, rate in rates.items():
        ratio = rate / rates[Way(way.route, JSON, JSON)]
        table.add_row(*way.title(), f"{len(sent[way.sent]):,}", f"{rate:,.0f}", f"{ratio:.1f} x")
    Console(width=None if sys.stdout.isatty() else 110).print(table)
    reached = rates[Way("/predict", ARROW, ARROW)] / rates[Way("/predict", JSON, JSON)]
    print(f"/predict, Arrow against JSON: {reached:.1f} x, wanted {BAR:.0f} x")
    sys.exit(reached < BAR)


if __name__ == "__main__":
    main()
