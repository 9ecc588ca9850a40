"""Alerts a second into the outbox while flows are scored, and out of it; predictions while the queue is away.

python benchmarks/alerting.py [--seconds 20] [--messages 5000] [--requests 3000] [--only in|out|away]

Exits 1 when a bar is missed. Out of it needs ministack, which is installed into var/tools.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import venv
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import numpy as np

sys.path.append(sys.path.pop(0))  # this file is called like a package of the project
from http_servers import VAR, free_port, ml_ids, prepared
from meter import machine
from rich.console import Console
from rich.table import Table
from stacks import CLASSES, made_up_rows

from alerting.alert_log import AlertLog
from alerting.alert_stream import AlertStream
from alerting.book.book import AlertBook
from alerting.message import Message, alert_message
from alerting.outbox.outbox import Outbox
from alerting.policy import AlertPolicy
from alerting.prediction_log import PredictionLog
from alerting.sink import Sink
from alerting.transports.aws import AwsAccess
from alerting.transports.envelope import notification
from alerting.transports.sqs import SqsTransport
from detection.package import load_package
from detection.registry import STARTER
from detection.scorer import Scorer
from flows.schema import COMMON_NAMES
from flows.table import FlowTable
from flows.verdicts import Verdicts
from inference_server.service import SWITCH_SECONDS

MINISTACK = "ministack==1.5.33"
RATE = 2000
OFFERED = 2200
EVERY = 0.05
SHARE = 0.8
P99_RATIO = 1.5
BATCH = 1000
SEED = 3
Row = tuple[str, str, str, bool]


def attacks(count: int) -> tuple[FlowTable, Verdicts]:
    """Return flows as requests bring them, all called attacks."""
    rows, _ = made_up_rows(count, SEED)
    table = FlowTable.from_features(rows, COMMON_NAMES, "improved", sensor="bench")
    verdicts = Verdicts(
        code=np.full(count, 17, np.int32),
        p_attack=np.full(count, 0.99),
        p_label=np.full(count, 0.98),
        insufficient=np.zeros(count, np.bool_),
        threshold=0.5,
        model_name="bench",
        model_version="1",
        schema_id=table.schema_id,
    )
    return table, verdicts


@contextmanager
def scoring(scorer: Scorer) -> Iterator[Callable[[], float]]:
    """Score flows all the while in a thread; yields who says how many a second since it was last asked."""
    rows, _ = made_up_rows(BATCH, SEED)
    table = FlowTable.from_features(rows, COMMON_NAMES, scorer.record.dialect)
    over = threading.Event()
    scored, since = 0, time.perf_counter()

    def work() -> None:
        nonlocal scored
        while not over.is_set():
            scorer.score(table)
            scored += BATCH

    def rate() -> float:
        nonlocal scored, since
        now = time.perf_counter()
        found = scored / (now - since)
        scored, since = 0, now
        return found

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield rate
    finally:
        over.set()
        thread.join()


def into(folder: Path, seconds: float) -> list[Row]:
    """Raise `OFFERED` alerts a second through sink, logs, outbox and alert book, while a thread scores."""
    sys.setswitchinterval(SWITCH_SECONDS)
    outbox = Outbox(folder / "outbox.db")
    log = AlertLog(folder)
    book = AlertBook(folder / "alerts.db")
    consumers = {"alerts.json": log.write, "outbox": outbox.take, "alert book": book.take}
    stream = AlertStream(AlertPolicy(), consumers)
    sink = Sink(PredictionLog(folder, negatives=False), stream)
    table, verdicts = attacks(int(OFFERED * EVERY))
    scorer = load_package(STARTER)
    scorer.warm_up()
    with scoring(scorer) as rate:
        time.sleep(3)
        alone = rate()
        outbox.start()
        book.start()
        sink.start()
        most, began = 0, time.perf_counter()
        for turn in range(round(seconds / EVERY)):
            time.sleep(max(0.0, began + turn * EVERY - time.perf_counter()))
            sink.put(table, verdicts, "api")
            most = max(most, outbox.status().waiting + sink.status().queued)
        raised = round(seconds / EVERY) * len(table)
        while (
            min(outbox.status().committed, book.status().committed) < raised
            and time.perf_counter() < began + 3 * seconds
        ):
            time.sleep(0.01)
        took = time.perf_counter() - began
        beside = rate()
    sink.stop(60)
    outbox.stop(60)
    book.stop(60)
    status, kept = outbox.status(), book.status()
    sustained = min(status.committed, kept.committed) / took
    well = sustained >= RATE and not (status.lost or kept.lost) and sink.status().unalerted == 0
    return [
        ("alerts/s committed, each a flow of a request", f"{sustained:,.0f}", f">= {RATE:,}", well),
        ("of them waiting at most, not yet committed", f"{most:,}", "", True),
        ("flows/s scored alone, beside it", f"{alone:,.0f}, {beside:,.0f}", "", True),
    ]


def out(folder: Path, count: int) -> list[Row]:
    """Deliver messages to a queue, and compare with what the queue takes of the same in batches of ten."""
    messages = [*made_messages(count)]
    with ministack(folder) as url:
        access = AwsAccess("eu-west-1", url, "bench", "bench-secret")
        client: Any = access.client("sqs")
        queues = [client.create_queue(QueueName=name)["QueueUrl"] for name in ("bare", "outbox", "warm")]
        send(client, queues[2], messages[:500])
        bare, delivered = [], []
        for turn in range(3):
            bare.append(send(client, queues[0], messages))
            delivered.append(drain(folder / f"{turn}.db", queues[1], access, messages))
    ratio = statistics.median(delivered) / statistics.median(bare)
    return [
        ("messages/s the emulator takes in batches", f"{statistics.median(bare):,.0f}", "", True),
        ("messages/s delivered from the outbox", f"{statistics.median(delivered):,.0f}", "", True),
        ("share", f"{ratio:.0%}", f">= {SHARE:.0%}", ratio >= SHARE),
    ]


def made_messages(count: int) -> Iterator[Message]:
    policy = AlertPolicy()
    for alert in policy.take(*attacks(count), "api"):
        yield alert_message(alert)


def send(client: Any, queue: str, messages: list[Message]) -> float:
    texts = [notification(message) for message in messages]
    began = time.perf_counter()
    for first in range(0, len(texts), 10):
        entries = [{"Id": str(at), "MessageBody": text} for at, text in enumerate(texts[first : first + 10])]
        client.send_message_batch(QueueUrl=queue, Entries=entries)
    return len(texts) / (time.perf_counter() - began)


def drain(path: Path, queue: str, access: AwsAccess, messages: list[Message]) -> float:
    """Return messages a second, from the first call of the queue to the end of the last."""
    full = Outbox(path, [Absent()])
    full.start()
    full.put(messages)
    while full.status().committed < len(messages):
        time.sleep(0.01)
    full.stop(60)
    transport = Timed(queue, access)
    outbox = Outbox(path, [transport])
    outbox.start()
    while not (counts := outbox.status().transports) or counts[0].delivered < len(messages):
        time.sleep(0.01)
    outbox.stop(60)
    return len(messages) / (transport.ended - transport.began)


class Timed(SqsTransport):
    """Notes when it was first called and when the last call ended."""

    began = ended = 0.0

    def send(self, messages: Sequence[Message]) -> Sequence[str | None]:
        self.began = self.began or time.perf_counter()
        try:
            return super().send(messages)
        finally:
            self.ended = time.perf_counter()


class Absent:
    """Nobody there, under the queue's name."""

    name, batch = SqsTransport.name, 10

    def send(self, messages: object) -> list[str | None]:
        raise ConnectionError("absent")

    def close(self) -> None:
        """Nothing to close."""


@contextmanager
def ministack(folder: Path) -> Iterator[str]:
    """Run SQS as a process of its own."""
    environment = VAR / "tools" / MINISTACK.replace("==", "-")
    if not (environment / ".complete").exists():
        venv.create(environment, with_pip=True, clear=True)
        subprocess.run(
            [environment / "bin" / "python", "-m", "pip", "install", "--quiet", MINISTACK], check=True
        )
        (environment / ".complete").touch()
    port = free_port()
    settings = {"GATEWAY_PORT": str(port), "BIND_HOST": "127.0.0.1", "SERVICES": "sqs", "TMPDIR": str(folder)}
    with (folder / "ministack.txt").open("wb") as output:
        process = subprocess.Popen(
            [environment / "bin" / "ministack"],
            env=os.environ | settings,
            stdout=output,
            stderr=output,
            cwd=folder,
        )
    url = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + 120
        while not answers(url):
            if process.poll() is not None or time.monotonic() > deadline:
                sys.exit("ministack did not start")
            time.sleep(0.1)
        yield url
    finally:
        process.kill()
        process.wait()


def answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/health", timeout=5).status_code < 500
    except httpx.HTTPError:
        return False


def away(requests: int, runs: int = 3) -> list[Row]:
    """Compare the 99th percentile of /predict with attacks while the queue is up, down and hangs."""
    directory = prepared()
    scorer = load_package(directory / "package")
    rows, _ = made_up_rows(16 * BATCH, SEED)
    probabilities = scorer.probabilities(rows)
    attack = rows[(probabilities.max(axis=1) > 0.55) & (probabilities.argmax(axis=1) != CLASSES.index(0))][0]
    body = json.dumps(dict(zip(COMMON_NAMES, attack.tolist(), strict=True))).encode()
    found: dict[str, list[float]] = {}
    with ExitStack() as stack:
        queues = {
            "is up": stack.enter_context(receiver()),
            "refuses connections": f"http://127.0.0.1:{free_port()}",
            "hangs": f"http://127.0.0.1:{stack.enter_context(silent())}",
        }
        services = {}
        for name, url in queues.items():
            state = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            shutil.copytree(directory / "state", state / "state", ignore=shutil.ignore_patterns("outbox.db*"))
            services[name] = stack.enter_context(ml_ids(state, WEBHOOK_URL=url)).url
        for _ in range(runs):
            for name, url in services.items():
                found.setdefault(name, []).append(p99_ms(url, body, requests))
    up = statistics.median(found["is up"])
    lines: list[Row] = [("p99 of /predict, the queue is up, ms", f"{up:.2f}", "", True)]
    for name in ("refuses connections", "hangs"):
        it = statistics.median(found[name])
        lines.append(
            (f"p99 of /predict, it {name}, ms", f"{it:.2f}", f"<= {P99_RATIO * up:.2f}", it <= P99_RATIO * up)
        )
    return lines


def p99_ms(url: str, body: bytes, requests: int) -> float:
    times = []
    with httpx.Client(base_url=url, headers={"Content-Type": "application/json"}, timeout=60) as client:
        for at in range(requests + 100):
            began = time.perf_counter()
            answer = client.post("/predict", content=body)
            if at >= 100:
                times.append(time.perf_counter() - began)
        assert answer.json()["prediction"][0] > 0, "the flow is no attack"
    return float(np.percentile(times, 99) * 1000)


@contextmanager
def receiver() -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


@contextmanager
def silent() -> Iterator[int]:
    """Take connections and never answer."""
    with socket.create_server(("127.0.0.1", 0), backlog=100) as listener:
        yield int(listener.getsockname()[1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--messages", type=int, default=5000)
    parser.add_argument("--requests", type=int, default=3000)
    parser.add_argument("--only", choices=["in", "out", "away"])
    options = parser.parse_args()
    table = Table("what", "measured", "bar", title=machine())
    missed = False
    with tempfile.TemporaryDirectory(dir=VAR) as name:
        folder = Path(name)
        parts: dict[str, Callable[[], list[Row]]] = {
            "in": lambda: into(folder, options.seconds),
            "out": lambda: out(folder, options.messages),
            "away": lambda: away(options.requests),
        }
        for part, measured in parts.items():
            for what, value, bar, well in measured() if options.only in (None, part) else []:
                table.add_row(what, value, bar, style=None if well else "red")
                missed |= not well
    Console().print(table)
    sys.exit(missed)


if __name__ == "__main__":
    main()
