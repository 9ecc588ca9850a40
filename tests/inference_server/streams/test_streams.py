from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from detection.package import load_package
from detection.scorer import Scorer
from detection.worker import ScoringWorker
from flows.table import FlowTable, concat_tables
from helpers.context_models import make_context_package
from helpers.models import make_record, make_scorer
from helpers.packets import connection, pcap, tcp
from helpers.server import wait_until
from inference_server.settings import load_settings
from inference_server.streams import stream as stream_module
from inference_server.streams.streams import Streams
from inference_server.web.errors import BusyError, ModelNotAvailableError, UnprocessableError

HEADER = pcap([])[:24]
PYTHON = "python-cicflowmeter"


@pytest.fixture
def worker() -> Iterator[ScoringWorker]:
    worker = ScoringWorker(lambda *_: None)
    worker.scorer = make_scorer()
    worker.start()
    yield worker
    worker.stop(5)


def opened(worker: ScoringWorker, tmp_path: Path, limit: int = 2) -> Streams:
    settings = load_settings(state_dir=tmp_path, log_dir=tmp_path, streams_at_once=limit)
    return Streams(settings, worker)


async def lines(stream: Any) -> list[dict[str, Any]]:
    told = b""
    while piece := await stream.outlet.get():
        told += piece
    return [json.loads(line) for line in told.splitlines()]


def foreign() -> Scorer:
    return make_scorer(make_record(dialect=PYTHON), version="2")


def test_what_cannot_be_judged_is_refused(worker: ScoringWorker, tmp_path: Path) -> None:
    async def run() -> None:
        worker.scorer = None
        with pytest.raises(ModelNotAvailableError):
            opened(worker, tmp_path).open()
        worker.scorer = foreign()
        with pytest.raises(UnprocessableError, match=PYTHON):
            opened(worker, tmp_path).open()
        worker.scorer = make_scorer()
        with pytest.raises(BusyError, match="STREAMS_AT_ONCE"):
            opened(worker, tmp_path, limit=0).open()

    asyncio.run(run())


def test_a_model_that_cannot_go_on_with_a_stream_ends_it(worker: ScoringWorker, tmp_path: Path) -> None:
    async def run() -> None:
        streams = opened(worker, tmp_path)
        stream = streams.open()
        await stream.inlet.put(HEADER)
        await stream.begun()
        worker.scorer = foreign()
        await stream.inlet.put(pcap([*connection(), tcp(90_000_000, "S")])[24:])
        (only,) = await lines(stream)
        assert "reads dialect" in only["summary"]["error"]
        await asyncio.to_thread(wait_until, lambda: streams.status().active == 0)

    asyncio.run(run())


def test_flows_of_a_stream_have_their_context(
    worker: ScoringWorker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker.scorer = load_package(make_context_package(tmp_path))
    scored: list[FlowTable] = []
    submit = worker.submit
    monkeypatch.setattr(worker, "submit", lambda table: (scored.append(table), submit(table))[1])
    packets = [*connection(), *connection(1_000_000, port=40001), tcp(90_000_000, "S")]

    async def run() -> None:
        stream = opened(worker, tmp_path).open()
        await stream.inlet.put(pcap(packets))
        stream.inlet.finish()
        *verdicts, last = await lines(stream)
        assert last["summary"]["error"] is None
        assert len(verdicts) == last["summary"]["flows"] == 3

    asyncio.run(run())
    found = concat_tables(scored)
    assert found.column("pair_flows_60s").tolist() == [1, 2, 1]


@pytest.mark.parametrize("sent", [b"", HEADER + pcap(connection())[24:]])
def test_a_client_that_is_silent_for_long_is_given_up(
    worker: ScoringWorker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sent: bytes
) -> None:
    monkeypatch.setattr(stream_module, "FIRST_SECONDS", 0.1)
    monkeypatch.setattr(stream_module, "SILENT_SECONDS", 0.1)

    async def run() -> None:
        stream = opened(worker, tmp_path).open()
        if sent:
            await stream.inlet.put(sent)
            await stream.begun()
        else:
            with pytest.raises(UnprocessableError, match="nothing came"):
                await stream.begun()
        *_, last = await lines(stream)
        assert "nothing came for" in last["summary"]["error"]

    asyncio.run(run())


def test_all_streams_end_with_the_service(worker: ScoringWorker, tmp_path: Path) -> None:
    async def run() -> None:
        streams = opened(worker, tmp_path)
        stream = streams.open()
        await stream.inlet.put(HEADER)
        await stream.begun()
        await asyncio.to_thread(streams.stop)
        assert (streams.status().opened, streams.status().active) == (1, 0)
        assert await lines(stream) == []

    asyncio.run(run())
