"""What people who watch cost: flows scored a second with and without them, in the same run.

python benchmarks/watchers.py [--clients 200] [--pages 50] [--seconds 5] [--rounds 5]

WebSocket clients read live alerts. Pages of the dashboard are fetched and then followed over Socket.IO with
the handshake that NiceGUI's script makes: two cores have no room for as many browsers, and what a browser
does with an update costs the service nothing. Needs wrk. The service has the first core to itself; wrk and
those who watch, processes of their own, share the others: in the field they run elsewhere. Each measure with
them is compared with the mean of those before and after it, which takes out what drifts. Exits 1 when they
cost more than the bar.
"""

from __future__ import annotations

import argparse
import ast
import asyncio
import json
import os
import re
import shutil
import signal
import statistics
import subprocess
import sys
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from pathlib import Path
from urllib.parse import urlencode

import httpx
import socketio
from http_api import FLOWS, MANY, MIXED, bodies, load
from http_servers import Server, ml_ids, prepared
from meter import machine
from rich.console import Console
from rich.table import Table
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

BAR = 0.10
CONNECTIONS = 16
ALERT_EVERY_SECONDS = 0.5
WARM_UP_SECONDS = 3
SETTLE_SECONDS = 2
QUIET_SECONDS = 20
IDLE_SHARE = 0.3
SETTLED_SECONDS = 120
PAGES = ("/dashboard/", "/dashboard/", "/dashboard/sensor", "/dashboard/model", "/dashboard/captures")
SOCKET = "dashboard/_nicegui_ws/socket.io"
ACKNOWLEDGED = 50
READY = "ready"
KINDS = {MANY: f"{MANY} flows a request, two alerts a second", MIXED: f"{MIXED} a request: a flood of alerts"}

Watching = Callable[[Server], AbstractContextManager[object]]


@contextmanager
def websocket_clients(server: Server, clients: int) -> Iterator[Counter[str]]:
    """Have clients read live alerts in a process of their own; yields what they were told, at the end."""
    with _watching("--watch", server.url, "--clients", str(clients)) as told:
        yield told


@contextmanager
def dashboard_pages(server: Server, pages: int) -> Iterator[Counter[str]]:
    """Have pages of the dashboard open, their other end in a process of its own; yields as above."""
    with _watching("--look", server.url, "--pages", str(pages)) as told:
        yield told


@contextmanager
def _watching(*arguments: str) -> Iterator[Counter[str]]:
    command = [sys.executable, __file__, *arguments]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    told: Counter[str] = Counter()
    try:
        assert process.stdout
        if process.stdout.readline().strip() != READY:
            sys.exit("the clients could not connect")
        yield told
        process.send_signal(signal.SIGTERM)
        told.update(json.loads(process.communicate(timeout=60)[0]))
    finally:
        process.kill()
        process.wait()


async def watch(url: str, clients: int) -> None:
    """Read live alerts with so many connections until SIGTERM, then print how many messages there were."""
    told: Counter[str] = Counter()
    ready = asyncio.Semaphore(0)
    over = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, over.set)

    async def read() -> None:
        async with connect(f"{url.replace('http', 'ws')}/api/alerts/live", max_size=None) as client:
            await client.recv(decode=False)
            ready.release()
            with suppress(ConnectionClosed):
                async for message in client:
                    told["messages"] += 1
                    told["bytes"] += len(message)
                    told["dropped"] += str(message).startswith('{"type":"dropped"')

    tasks = [asyncio.create_task(read()) for _ in range(clients)]
    for _ in range(clients):
        await ready.acquire()
    print(READY, flush=True)
    await over.wait()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    print(json.dumps(told))


async def look(url: str, pages: int) -> None:
    """Keep so many pages of the dashboard open until SIGTERM, then print how many messages there were."""
    told: Counter[str] = Counter()
    over = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, over.set)
    open_pages = []
    async with httpx.AsyncClient(timeout=60) as client:
        for number in range(pages):
            path = PAGES[number % len(PAGES)]
            open_pages.append(await _open(url, (await client.get(f"{url}{path}")).text, told))
    await asyncio.sleep(SETTLE_SECONDS)
    told.clear()
    print(READY, flush=True)
    await over.wait()
    print(json.dumps(told), flush=True)
    for page in open_pages:
        await page.disconnect()


async def _open(url: str, html: str, told: Counter[str]) -> socketio.AsyncClient:
    """Connect a page as its script does."""
    [query] = re.findall(r"query: ({.*?}),", html)
    asked = ast.literal_eval(query)
    named = {name: str(uuid.uuid4()) for name in ("document_id", "tab_id")}
    sent = urlencode({**asked, **named, "implicit_handshake": "true", "old_tab_id": "null"})
    page = socketio.AsyncClient(reconnection=False)

    async def hear(event: str, message: dict[str, object]) -> None:
        told["messages"] += 1
        told[event] += 1
        if told["messages"] % ACKNOWLEDGED == 0 and "_id" in message:
            known = {"client_id": asked["client_id"], "next_message_id": int(str(message["_id"])) + 1}
            await page.emit("ack", known)

    page.on("*", hear)
    await page.connect(f"{url}/?{sent}", transports=["websocket"], socketio_path=SOCKET)
    return page


@contextmanager
def alerts_trickling(server: Server, attack: bytes) -> Iterator[None]:
    """Send an attack now and then, so that there is something to tell."""
    over = threading.Event()

    def send() -> None:
        with httpx.Client(headers={"Content-Type": "application/json"}, timeout=60) as client:
            while not over.wait(ALERT_EVERY_SECONDS):
                client.post(f"{server.url}/invocations", content=attack)

    thread = threading.Thread(target=send)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def measure(
    server: Server, kind: str, path: Path, watching: Watching, chosen: argparse.Namespace
) -> list[str]:
    """Return a row: flows/s without and with those who watch, in turn, and what these cost."""
    without, beside, told = [], [], Counter[str]()
    load(f"{server.url}/invocations", path, CONNECTIONS, WARM_UP_SECONDS)

    def flows() -> float:
        found = load(f"{server.url}/invocations", path, CONNECTIONS, chosen.seconds)
        if found.failed:
            sys.exit(f"{found.failed} requests failed")
        return found.requests_per_second * FLOWS[kind]

    without.append(flows())
    for _ in range(chosen.rounds):
        with watching(server) as counts:
            beside.append(flows())
        without.append(flows())
        told.update(counts if isinstance(counts, Counter) else {})
    cost = 1 - statistics.median(
        2 * between / (before + after)
        for before, between, after in zip(without, beside, without[1:], strict=False)
    )
    figures = (statistics.median(without), statistics.median(beside))
    seconds = chosen.rounds * chosen.seconds
    return [
        *(KINDS[kind], f"{figures[0]:,.0f}", f"{figures[1]:,.0f}", f"{cost:.1%}"),
        f"{told['messages'] / seconds:,.0f}",
        f"{told['dropped']}",
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--clients", type=int, default=200)
    parser.add_argument("--pages", type=int, default=50)
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--watch", metavar="URL", help=argparse.SUPPRESS)
    parser.add_argument("--look", metavar="URL", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.look:
        asyncio.run(look(chosen.look, chosen.pages))
        return
    if chosen.watch:
        asyncio.run(watch(chosen.watch, chosen.clients))
        return
    if not shutil.which("wrk"):
        sys.exit("wrk is needed: apt-get install wrk")
    watchers: dict[str, Watching] = {
        f"{chosen.clients} WebSocket clients": lambda server: websocket_clients(server, chosen.clients),
        f"{chosen.pages} dashboards": lambda server: dashboard_pages(server, chosen.pages),
    }
    sys.exit(not report(watchers, chosen))


def report(watchers: dict[str, Watching], chosen: argparse.Namespace) -> bool:
    """Measure and print; return whether nobody costs too much."""
    directory = prepared()
    sent = bodies(directory / "package")
    columns = json.loads(sent[MIXED])["dataframe_split"]
    table = Table(title=machine())
    for title in ("who watches", "load", "flows/s without", "with", "cost", "messages/s", "dropped"):
        table.add_column(title, justify="left" if title in ("who watches", "load") else "right")
    well = True
    with ExitStack() as stack:
        server = stack.enter_context(on_the_first_core(ml_ids(directory)))
        attack = json.dumps({"dataframe_split": columns | {"data": attack_rows(server, columns)}}).encode()
        stack.enter_context(alerts_trickling(server, attack))
        for name, watching in watchers.items():
            for kind in KINDS:
                path = directory / f"{kind}.json"
                path.write_bytes(sent[kind])
                row = measure(server, kind, path, watching, chosen)
                table.add_row(name, *row)
                well &= float(row[3].rstrip("%")) / 100 < BAR
        cores = {name: processor_share(server, watching) for name, watching in watchers.items()}
        book = httpx.get(f"{server.url}/health", timeout=60).json()["alerts"]["book"]
    Console(width=None if sys.stdout.isatty() else 160).print(table)
    for name, share in cores.items():
        print(f"{name}: {share:.1%} of a core while only two alerts a second are judged")
    print(f"messages the alert book lost: {sum(book['lost'].values())} of {book['offered']:,}")
    return well


@contextmanager
def on_the_first_core(starting: AbstractContextManager[Server]) -> Iterator[Server]:
    """Start a server on the first core; the others are for this process and what it starts afterwards."""
    first, *others = sorted(os.sched_getaffinity(0))
    if not others:
        sys.exit("two cores are needed: one for the service, one for the load and those who watch")
    os.sched_setaffinity(0, {first})
    with starting as server:
        os.sched_setaffinity(0, set(others))
        yield server


def processor_share(server: Server, watching: Watching) -> float:
    """Return how much of a core those who watch take of the service that has little else to do."""

    def share(seconds: float) -> float:
        before, began = processor_seconds(server), time.monotonic()
        time.sleep(seconds)
        return (processor_seconds(server) - before) / (time.monotonic() - began)

    # What a flood left to write is written first.
    settling = time.monotonic() + SETTLED_SECONDS
    while share(SETTLE_SECONDS) > IDLE_SHARE:
        if time.monotonic() > settling:
            sys.exit(f"the service was still busy {SETTLED_SECONDS} s after the load")
    alone = share(QUIET_SECONDS)
    with watching(server):
        return share(QUIET_SECONDS) - alone


def processor_seconds(server: Server) -> float:
    fields = Path(f"/proc/{server.process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def attack_rows(server: Server, columns: dict[str, list[list[float]]]) -> list[list[float]]:
    """Return one row that the model calls an attack."""
    answer = server.answer(json.dumps({"dataframe_split": columns}).encode())
    assert isinstance(answer, dict)
    return [next(row for row, code in zip(columns["data"], answer["predictions"], strict=True) if code)]


if __name__ == "__main__":
    main()
