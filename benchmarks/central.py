"""How many flows one central service scores of several sensors, beside scoring them where they are captured.

python benchmarks/central.py [--sensors 1 2 4 8] [--seconds 8]

Flows of data/lab, the model that ships. Local: handed over as live capture does, in a service without a port.
Central: every sensor spools and sends as `ml-ids serve` with REMOTE_SCORING_URL does, all of them in this
process, to `ml-ids serve` in another. Both log, alert and archive. Prints the ratio.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

sys.path.append(sys.path.pop(0))  # alerting.py beside this file is called like a package of the project

import httpx
import numpy as np
from http_servers import DIRECTORY, Server, ml_ids
from meter import machine
from rich.console import Console
from rich.table import Table

from flows.parquet_files import read_parquet
from flows.table import FlowTable
from inference_server.central.scoring import CentralScoring
from inference_server.live_capture import CaptureStatus
from inference_server.service import Service
from inference_server.settings import load_settings

LAB = Path(__file__).resolve().parents[1] / "data" / "lab"
FILES = 12
PORTION = 512
"""Flows handed over at once: about what a capture emits between two looks at a busy wire."""
AHEAD = 8192
"""Flows that may wait before the next portion."""
READY_SECONDS = 300.0
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Row:
    """What was measured: flows scored, in how long, with how much processor time of whom."""

    name: str
    flows: int
    seconds: float
    scoring_cpu: float
    sensor_cpu: float | None = None
    sent_bytes: int | None = None

    @property
    def rate(self) -> float:
        return self.flows / self.seconds


def lab_flows() -> FlowTable:
    """Return flows of the lab's files, shuffled, as capture emits them."""
    files = sorted(LAB.glob("*.parquet"))
    tables = [read_parquet(file, nrows=4096) for file in files[:: max(len(files) // FILES, 1)]]
    names = tables[0].feature_names
    features = np.concatenate([table.select(names) for table in tables])
    rows = np.random.default_rng(0).permutation(len(features))
    columns = ("src_addr", "dst_addr", "src_port", "dst_port", "protocol", "start_us", "end_us", "end_reason")
    identity = {name: np.concatenate([getattr(table, name) for table in tables])[rows] for name in columns}
    return FlowTable.from_features(
        features[rows], names, tables[0].dialect, **identity, sensor="local", interface="eth0"
    )


def portions(flows: FlowTable, sensor: str) -> Iterator[FlowTable]:
    """Yield portions without end, whose flows all have a uid of their own."""
    uid = 0
    while True:
        for start in range(0, len(flows), PORTION):
            part = flows.take(slice(start, start + PORTION))
            yield replace(part, sensor=sensor, flow_uid=np.arange(uid, uid + len(part), dtype=np.uint64))
            uid += len(part)


def processor_seconds(pid: int | str = "self") -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def local(flows: FlowTable, directory: Path, seconds: float) -> Row:
    settings = load_settings(
        state_dir=directory / "state", log_dir=directory / "local", start_cicflowmeter="false", demo=False
    )
    service = Service(settings)
    service.start()
    deadline = time.monotonic() + READY_SECONDS
    while service.missing() and time.monotonic() < deadline:
        time.sleep(0.1)
    parts = portions(flows, "local")
    worker = service.worker

    def feed(until: float) -> None:
        while time.perf_counter() < until:
            if worker.counters().waiting < AHEAD:
                worker.hand_over(next(parts))
            else:
                time.sleep(0.001)

    feed(time.perf_counter() + 2)
    before, cpu, began = worker.counters().captured, processor_seconds(), time.perf_counter()
    feed(began + seconds)
    row = Row(
        "scored where captured",
        worker.counters().captured - before,
        time.perf_counter() - began,
        processor_seconds() - cpu,
    )
    service.stop()
    return row


@contextmanager
def sensors(url: str, directory: Path, count: int) -> Iterator[list[CentralScoring]]:
    with ExitStack() as stack:
        made = []
        for number in range(count):
            settings = load_settings(
                state_dir=directory / f"sensors-{count}-{number}", sensor_id=f"edge-{count}-{number}"
            )
            sensor = CentralScoring(settings, url, lambda: CaptureStatus(True, None, ()))
            sensor.start()
            stack.callback(sensor.stop, 3.0)
            made.append(sensor)
        yield made


def central(server: Server, flows: FlowTable, directory: Path, count: int, seconds: float) -> Row:
    with sensors(server.url, directory, count) as senders:
        feeds = [(sender, portions(flows, f"edge-{count}-{at}")) for at, sender in enumerate(senders)]

        def feed(until: float) -> None:
            while time.perf_counter() < until:
                room = [pair for pair in feeds if waiting(pair[0]) < AHEAD]
                for sender, parts in room:
                    sender.put(next(parts))
                if not room:
                    time.sleep(0.001)

        def delivered() -> tuple[int, int]:
            statuses = [sender.status() for sender in senders]
            return sum(each.delivered for each in statuses), sum(each.sent_bytes for each in statuses)

        feed(time.perf_counter() + 3)
        pid = server.process.pid
        before, (own, theirs), began = (
            delivered(),
            (processor_seconds(), processor_seconds(pid)),
            time.perf_counter(),
        )
        feed(began + seconds)
        took, after = time.perf_counter() - began, delivered()
        return Row(
            f"{count} sensor{'s' if count > 1 else ''}",
            after[0] - before[0],
            took,
            processor_seconds(pid) - theirs,
            processor_seconds() - own,
            after[1] - before[1],
        )


def waiting(sender: CentralScoring) -> int:
    status = sender.status()
    return status.waiting + status.pending


def report(rows: list[Row]) -> None:
    table = Table(title=machine())
    titles = ("", "flows/s", "of local", "scoring: CPU s per 1,000 flows", "sensor: the same", "bytes a flow")
    for title in titles:
        table.add_column(title, justify="right" if title else "left")
    for row in rows:
        thousands = row.flows / 1000
        table.add_row(
            *(row.name, f"{row.rate:,.0f}", f"{row.rate / rows[0].rate:.2f}"),
            f"{row.scoring_cpu / thousands:.4f}",
            "" if row.sensor_cpu is None else f"{row.sensor_cpu / thousands:.4f}",
            "" if row.sent_bytes is None else f"{row.sent_bytes / row.flows:.0f}",
        )
    Console(width=None if sys.stdout.isatty() else 130).print(table)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--sensors", type=int, nargs="+", default=[1, 2, 4, 8])
    parser.add_argument("--seconds", type=float, default=8.0)
    chosen = parser.parse_args()
    flows = lab_flows()
    DIRECTORY.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        directory = Path(folder)
        rows = [local(flows, directory, chosen.seconds)]
        with ml_ids(directory, SENSOR_ID="central", MAX_BODY_MB="20") as server:
            deadline = time.monotonic() + READY_SECONDS
            while httpx.get(f"{server.url}/ready").status_code != 200 and time.monotonic() < deadline:
                time.sleep(0.2)
            for count in chosen.sensors:
                rows.append(central(server, flows, directory, count, chosen.seconds))
            told = httpx.get(f"{server.url}/health").json()
            print(f"refused: {told['sensors']['refused']}, unlogged: {told['sink']['dropped']}")
    report(rows)


if __name__ == "__main__":
    main()
