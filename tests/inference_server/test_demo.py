from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest

from context.features import CONTEXT_NAMES
from detection.package import load_package
from detection.worker import ScoringWorker
from flows.table import FlowTable
from flows.verdicts import Verdicts
from helpers.context_models import make_context_package
from helpers.models import make_scorer
from helpers.server import wait_until
from inference_server.container import CONTAINER_VARIABLE
from inference_server.demo import CAPTURE, MARKER, SENSOR, Demo
from inference_server.settings import Settings

SMALL_CAPTURE = Path(__file__).parents[1] / "reference" / "01_tcp_fin.pcap"


@pytest.fixture(autouse=True)
def _on_a_plain_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(CONTAINER_VARIABLE, raising=False)


def _worker(scored: list[FlowTable], **options: int) -> ScoringWorker:
    def collect(table: FlowTable, verdicts: Verdicts) -> None:
        scored.append(table)

    worker = ScoringWorker(collect, **options)
    worker.scorer = make_scorer()
    worker.start()
    return worker


def _demo(
    state: Path, worker: ScoringWorker, *, wanted: bool | None = None, capture: Path = SMALL_CAPTURE
) -> Demo:
    return Demo(Settings(state_dir=state, demo=wanted), worker, capture=capture)


def test_first_start_replays_the_capture_once(tmp_path: Path) -> None:
    scored: list[FlowTable] = []
    worker = _worker(scored)
    _demo(tmp_path, worker).start()
    wait_until((tmp_path / MARKER).exists)
    worker.stop(30)
    assert sum(map(len, scored)) > 0
    assert {table.sensor for table in scored} == {SENSOR}
    assert not _demo(tmp_path, worker).due()


def test_flows_of_the_capture_have_their_context_when_the_model_reads_it(tmp_path: Path) -> None:
    scored: list[FlowTable] = []
    worker = _worker(scored)
    worker.scorer = load_package(make_context_package(tmp_path))
    _demo(tmp_path, worker).start()
    wait_until((tmp_path / MARKER).exists)
    worker.stop(30)
    assert not any(np.isnan(table.select(CONTEXT_NAMES)).any() for table in scored)
    assert sum(map(len, scored)) > 0


def test_nothing_is_shed_however_small_the_queue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("inference_server.demo.PORTION", 2)
    scored: list[FlowTable] = []
    worker = _worker(scored, capacity=2)
    _demo(tmp_path, worker, capture=SMALL_CAPTURE.with_name("06_noise.pcap")).start()
    wait_until((tmp_path / MARKER).exists)
    worker.stop(30)
    counters = worker.counters()
    assert counters.shed == 0
    assert counters.captured == sum(map(len, scored)) > 2


def test_when_it_is_due(tmp_path: Path) -> None:
    worker = ScoringWorker(lambda table, verdicts: None)
    assert _demo(tmp_path, worker).due()
    assert not _demo(tmp_path, worker, wanted=False).due()
    assert not _demo(tmp_path, worker, capture=tmp_path / "missing.pcap").due()
    assert not _demo(tmp_path, worker, wanted=True, capture=tmp_path / "missing.pcap").due()
    (tmp_path / MARKER).touch()
    assert not _demo(tmp_path, worker).due()
    assert _demo(tmp_path, worker, wanted=True).due()


def test_never_in_a_sensors_container(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(CONTAINER_VARIABLE, "1")
    worker = ScoringWorker(lambda table, verdicts: None)
    assert not _demo(tmp_path, worker).due()
    assert not _demo(tmp_path, worker, wanted=True).due()


def test_a_file_that_is_no_capture_is_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    text = tmp_path / "text.pcap"
    text.write_text("this is no capture")
    worker = _worker([])
    with caplog.at_level(logging.WARNING):
        _demo(tmp_path, worker, capture=text).start()
        wait_until(lambda: caplog.records)
    worker.stop(30)
    assert "demo capture not replayed" in caplog.text
    assert not (tmp_path / MARKER).exists()


def test_a_stop_breaks_it_off(tmp_path: Path) -> None:
    worker = ScoringWorker(lambda table, verdicts: None)
    replay = _demo(tmp_path, worker)
    replay.stop()
    replay.start()
    replay.join(30)
    assert worker.counters().handed_over == 0
    assert not (tmp_path / MARKER).exists()


def test_the_capture_ships_with_the_project() -> None:
    assert CAPTURE.is_file()
