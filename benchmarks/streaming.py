"""What captures streamed to POST /api/stream cost the event loop, and how fast they are judged.

python benchmarks/streaming.py [--packets 1000000] [--flows 70000] [--seconds 6]

Needs curl. Times GET /, which waits for the event loop only, beside no, one and two streams that send a
generated capture over and over as fast as it is taken: of the service that reads them, and in turns of a
second one that does nothing, which shows what the processors alone cost on a machine that is busy.
"""

from __future__ import annotations

import argparse
import http.client
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import numpy as np
from generated_capture import generated_capture
from http_servers import Server, ml_ids, prepared
from meter import machine
from rich.console import Console
from rich.table import Table

PCAP_HEADER = 24
VAR = Path(__file__).resolve().parent.parent / "var" / "bench"


@dataclass(frozen=True)
class Row:
    """What was measured beside a number of streams, of the service and of the idle one."""

    streams: int
    p50_ms: tuple[float, float]
    p99_ms: tuple[float, float]
    packets_per_second: float
    flows_per_second: float


@contextmanager
def sending(server: Server, capture: Path) -> Iterator[None]:
    """Stream a capture without end; its verdicts are read and thrown away."""
    command = ["curl", "-sN", "-T", "-", f"{server.url}/api/stream", "-o", "/dev/null"]
    curl = subprocess.Popen(command, stdin=subprocess.PIPE)

    def feed() -> None:
        assert curl.stdin is not None
        content = capture.read_bytes()
        try:
            curl.stdin.write(content)
            while True:
                curl.stdin.write(content[PCAP_HEADER:])
        except OSError:
            pass

    thread = threading.Thread(target=feed, daemon=True)
    thread.start()
    try:
        yield
    finally:
        curl.kill()
        curl.wait()
        thread.join(10)


def counted(server: Server) -> tuple[int, int]:
    streams = httpx.get(f"{server.url}/health").json()["streams"]
    return streams["packets"], streams["flows"]


def measure(server: Server, idle: Server, streams: int, seconds: float) -> Row:
    connections = [http.client.HTTPConnection(each.url.removeprefix("http://")) for each in (server, idle)]
    times: list[list[float]] = [[], []]
    before, began = counted(server), time.perf_counter()
    while time.perf_counter() - began < seconds:
        for connection, taken in zip(connections, times, strict=True):
            start = time.perf_counter()
            connection.request("GET", "/")
            connection.getresponse().read()
            taken.append(time.perf_counter() - start)
            time.sleep(0.002)
    took, after = time.perf_counter() - began, counted(server)
    (p50, p99), (idle_p50, idle_p99) = (
        np.percentile(np.array(taken) * 1e3, [50, 99]).tolist() for taken in times
    )
    packets, flows = ((late - early) / took for early, late in zip(before, after, strict=True))
    return Row(streams, (p50, idle_p50), (p99, idle_p99), packets, flows)


def report(rows: list[Row]) -> None:
    table = Table(title=machine())
    for title in ("streams", "GET / p50 ms", "idle", "p99 ms", "idle", "packets/s", "flows/s"):
        table.add_column(title, justify="right")
    for row in rows:
        table.add_row(
            str(row.streams),
            *(f"{value:.2f}" for value in (*row.p50_ms, *row.p99_ms)),
            *(f"{row.packets_per_second:,.0f}", f"{row.flows_per_second:,.0f}"),
        )
    Console(width=None if sys.stdout.isatty() else 130).print(table)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--packets", type=int, default=1_000_000)
    parser.add_argument("--flows", type=int, default=70_000)
    parser.add_argument("--seconds", type=float, default=6.0)
    chosen = parser.parse_args()
    capture = generated_capture(VAR, chosen.packets, chosen.flows)
    directory = prepared()
    with tempfile.TemporaryDirectory() as other, ml_ids(directory) as server:
        shutil.copytree(directory / "state", Path(other, "state"))
        with ml_ids(Path(other)) as idle:
            rows = [measure(server, idle, 0, chosen.seconds)]
            with sending(server, capture):
                time.sleep(2)
                rows.append(measure(server, idle, 1, chosen.seconds))
                with sending(server, capture):
                    time.sleep(2)
                    rows.append(measure(server, idle, 2, chosen.seconds))
    report(rows)


if __name__ == "__main__":
    main()
