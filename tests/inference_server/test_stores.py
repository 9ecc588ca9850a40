from __future__ import annotations

import os
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from alerting.alert_log import AlertLog
from alerting.alert_stream import AlertStream
from alerting.book.book import AlertBook
from alerting.book.writer import BookLimits
from alerting.evidence_files import EvidenceFiles
from alerting.flow_archive import FlowArchive
from alerting.housekeeping import DAY_SECONDS, Housekeeping
from alerting.outbox.outbox import Outbox
from alerting.outbox.writer import Limits
from alerting.policy import AlertPolicy
from alerting.prediction_log import PredictionLog
from alerting.sink import Sink
from helpers.alerts import HandClock, attacks
from helpers.models import typical_flow
from helpers.outbox import ToldTransport
from helpers.server import wait_until
from inference_server.champion import configured_uploads
from inference_server.settings import load_settings
from inference_server.stores import configured_stores, log_limits
from inference_server.telemetry.resident import resident_bytes

MEGABYTE = 1_000_000


def disk_bytes(folder: Path) -> int:
    # By a process of its own: what is deleted meanwhile is no error of du's total.
    told = subprocess.run(["du", "-sb", folder], capture_output=True, text=True, check=False)
    return int(told.stdout.split()[0])


def make_older(folder: Path, seconds: float) -> None:
    for name, _, files in os.walk(folder):
        for file in files:
            with suppress(FileNotFoundError):  # deleted meanwhile
                written = (Path(name) / file).stat().st_mtime - seconds
                os.utime(Path(name) / file, (written, written))


def test_a_month_of_traffic_leaves_disk_and_memory_flat(tmp_path: Path) -> None:
    settings = load_settings(
        log_dir=tmp_path / "logs",
        state_dir=tmp_path / "var",
        log_max_mb=10,
        # At three files a day, the most there are, the ten that are kept are of more days than this.
        keep_days=2,
        flow_archive_gb=0.002,
        outbox_max_mb=4,
        alerts_max_mb=2,
        evidence_disk_mb=1,
    )
    hand = HandClock()
    evidence = EvidenceFiles(
        settings.log_dir / "evidence",
        lambda _, path: path.write_bytes(bytes(100_000)),
        captured="sidecar",
        limit_bytes=MEGABYTE,
        delay=0,
    )
    log = AlertLog(settings.log_dir, **log_limits(settings))
    transport = ToldTransport("webhook")
    outbox = Outbox(
        settings.outbox_file, [transport], limits=Limits(max_bytes=4 * MEGABYTE), clock=hand.clock
    )
    book = AlertBook(
        settings.alerts_file, limits=BookLimits(2 * MEGABYTE, settings.keep_days), clock=hand.clock
    )
    stream = AlertStream(
        AlertPolicy(aggregated={"sidecar"}, clock=hand.clock),
        {"alerts.json": log.write, "evidence": evidence.take, "outbox": outbox.take, "book": book.take},
        clock=hand.clock,
    )
    sink = Sink(PredictionLog(settings.log_dir, negatives=True, **log_limits(settings)), stream)
    archive = FlowArchive(settings.flows_dir, 2 * MEGABYTE, clock=lambda: hand.us / 1e6, part_seconds=60)
    keeping = Housekeeping(
        tuple(configured_stores(settings, evidence, configured_uploads(settings, lambda: None))),
        settings.keep_days,
    )
    for part in (evidence, outbox, book, sink, archive):
        part.start()
    random = np.random.default_rng(5)
    disk, memory = [], []
    for _ in range(30):
        for _ in range(3):
            sources = [f"10.0.{a}.{b}" for a, b in random.integers(0, 250, (60, 2))]
            batch = attacks(sources)
            sink.put(*batch, "sidecar")
            sink.put(*attacks(sources[:20]), "api")
            archive.put(*batch)
            wait_until(lambda: not sink.status().queued and not outbox.status().waiting)
            wait_until(lambda: not book.status().waiting)
            hand.pass_(DAY_SECONDS / 3)
            make_older(tmp_path, DAY_SECONDS / 3)
            transport.attempts.clear()
        keeping.look()
        disk.append(disk_bytes(tmp_path))
        memory.append(resident_bytes())
    sink.stop(30)
    archive.stop(30)
    evidence.stop(30)
    outbox.stop(30)
    book.stop(30)
    limits = sum(store.limit_bytes for store in keeping.status())
    assert max(disk) < limits
    assert max(disk[20:]) < 1.15 * max(disk[10:20])
    # The process has run other tests, whose freed memory it fills again by and by.
    assert max(memory[20:]) - max(memory[8:12]) < 32 * MEGABYTE
    stores = {store.name: store for store in keeping.status()}
    # SQLite's journal and pages that it has not given back yet come on top.
    room = {"outbox": 8 * MEGABYTE, "alert book": 8 * MEGABYTE}
    over = {name for name, each in stores.items() if each.bytes > each.limit_bytes + room.get(name, 0)}
    assert over == set()
    assert stores["alerts.json"].expired > 0
    status = outbox.status()
    assert status.offered == status.committed == stream.status().policy.messages
    assert status.deleted > 0
    assert book.status().committed == stream.status().policy.messages
    assert book.status().deleted > 0
    assert not sink.status().dropped


def test_every_store_is_in_health_with_its_size_and_limit(serve: Any, tmp_path: Path) -> None:
    with serve(log_dir=tmp_path / "logs", log_max_mb=20, outbox_max_mb=7) as client:
        client.post("/predict", json=typical_flow(17))
        stores = {store["name"]: store for store in client.get("/health").json()["stores"]}
        metrics = client.get("/metrics").text
    assert set(stores) == {
        "access.log",
        *("positive_predictions.log", "insufficient_predictions.log", "negative_predictions.log"),
        *("alerts.json", "application.log", "evidence", "flows", "outbox", "alert book", "uploads"),
    }
    assert stores["alerts.json"]["limit_bytes"] == 20 * MEGABYTE
    assert stores["outbox"]["limit_bytes"] == 7 * MEGABYTE
    assert 'mlids_store_bytes{store="alerts.json"}' in metrics


def test_the_archive_of_somebody_who_turned_it_off_is_left_alone(tmp_path: Path) -> None:
    off = load_settings(log_dir=tmp_path, state_dir=tmp_path, flow_archive_gb=0, evidence_disk_mb=0)
    on = load_settings(log_dir=tmp_path, state_dir=tmp_path, flow_archive_gb=1, evidence_disk_mb=0)
    deletes = [
        next(
            store.delete
            for store in configured_stores(settings, None, configured_uploads(settings, lambda: None))
            if store.name == "flows"
        )
        for settings in (off, on)
    ]
    assert deletes[0] is None
    assert deletes[1] is not None


def test_an_external_logrotate_loses_no_alert(tmp_path: Path) -> None:
    log = AlertLog(tmp_path, **log_limits(load_settings(log_dir=tmp_path)))
    (alert,) = AlertPolicy().take(*attacks(["10.0.0.1"]), "api")
    log.write([alert])
    rotate = f"mv {tmp_path}/alerts.json {tmp_path}/alerts.json-20261121 && touch {tmp_path}/alerts.json"
    subprocess.run(["sh", "-c", rotate], check=True)
    log.write([alert])
    log.close()
    lines = [len(path.read_text().splitlines()) for path in sorted(tmp_path.glob("alerts.json*"))]
    assert lines == [1, 1]
