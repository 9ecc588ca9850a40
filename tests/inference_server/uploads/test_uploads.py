from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from alerting.housekeeping import DAY_SECONDS, Housekeeping, Store
from detection.model_cache import ModelCache
from detection.registry import Version
from detection.scorer import Scorer
from helpers.models import make_package, make_scorer
from helpers.packets import connection, pcap
from helpers.server import wait_until
from inference_server.settings import Settings, load_settings
from inference_server.uploads.receiving import RESERVE_BYTES
from inference_server.uploads.shelf import Shelf
from inference_server.uploads.uploads import Uploads
from inference_server.web.errors import (
    BodyTooLargeError,
    BusyError,
    NotFoundError,
    SlowBodyError,
    StorageFullError,
)

CAPTURE = pcap([packet for n in range(5) for packet in connection(n * 20_000, 40_000 + n)])
REGISTRY, MODEL = "sqlite:///registry.db", "models:/ml-ids@champion"


async def chunks(content: bytes, size: int = 1 << 20, pause: float = 0.0) -> AsyncIterator[bytes]:
    for start in range(0, len(content), size):
        yield content[start : start + size]
        await asyncio.sleep(pause)


async def endless() -> AsyncIterator[bytes]:
    yield CAPTURE
    await asyncio.Event().wait()


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_package(tmp_path_factory.mktemp("package"))


@pytest.fixture
def make(tmp_path: Path, package: Path) -> Callable[..., Uploads]:
    """Uploads whose model is in the cache, not started; the same folder every time."""
    ModelCache(tmp_path, registry=REGISTRY, model_uri=MODEL).store(Version("ml-ids", "1", 0), package)

    serving = make_scorer()

    def made(scorer: Scorer | None = serving, **settings: Any) -> Uploads:
        return Uploads(settings_of(tmp_path, **settings), lambda: scorer, REGISTRY, MODEL)

    return made


def settings_of(folder: Path, **settings: Any) -> Settings:
    return load_settings(state_dir=folder, log_dir=folder / "logs", sensor_id="sensor-1", **settings)


@contextmanager
def running(uploads: Uploads) -> Iterator[Uploads]:
    uploads.start()
    try:
        yield uploads
    finally:
        uploads.stop()


def add(uploads: Uploads, content: bytes = CAPTURE, name: str = "a.pcap") -> str:
    return asyncio.run(uploads.add(chunks(content), name, expected=len(content))).id


def over(uploads: Uploads, upload_id: str) -> bool:
    return uploads.get(upload_id).over


def test_finished_ones_outlive_a_restart_and_the_others_are_analysed_again(make: Any, tmp_path: Path) -> None:
    with running(make()) as uploads:
        done = add(uploads)
        wait_until(lambda: over(uploads, done))
        before = uploads.get(done), uploads.verdicts(done)
    with running(make(None)) as without_model:
        assert (without_model.get(done), without_model.verdicts(done)) == before
    # As a service that was killed leaves them: one waits, of another the half is there.
    stopped = make()
    waiting = add(stopped, name="waiting.pcap")
    half = add(stopped, name="half.pcap")
    record = tmp_path / "uploads" / half / "upload.json"
    record.write_text(record.read_text().replace('"waiting"', '"receiving"'))
    with running(make()) as uploads:
        wait_until(lambda: over(uploads, waiting))
        assert (uploads.get(waiting).state, uploads.get(waiting).flows) == ("done", before[0].flows)
        assert "while it was received" in (uploads.get(half).error or "")
        assert [upload.id for upload in uploads.list()] == [half, waiting, done]
    assert not (tmp_path / "uploads" / waiting / "capture").exists()


def test_one_that_is_analysed_can_be_deleted(make: Any, tmp_path: Path) -> None:
    with running(make()) as uploads:
        upload_id = add(uploads)
        wait_until(lambda: uploads.get(upload_id).state != "waiting")
        uploads.delete(upload_id)
        with pytest.raises(NotFoundError):
            uploads.get(upload_id)
        after = add(uploads)
        wait_until(lambda: over(uploads, after))
        assert uploads.get(after).state == "done"
    assert [path.name for path in (tmp_path / "uploads").iterdir()] == [after]


def test_an_analysis_that_takes_too_long_fails(make: Any) -> None:
    upload_id = add(make())
    with running(make(upload_max_seconds=0.01)) as uploads:
        wait_until(lambda: over(uploads, upload_id))
        assert "took longer than 0.01 s" in (uploads.get(upload_id).error or "")


def test_a_model_that_is_not_in_the_cache_is_said(make: Any) -> None:
    with running(make(make_scorer(version="2"))) as uploads:
        upload_id = add(uploads)
        wait_until(lambda: over(uploads, upload_id))
        assert "version 2 serves, but is not in the model cache" in (uploads.get(upload_id).error or "")


def test_limits_of_what_is_received(make: Any, tmp_path: Path) -> None:
    limits = {"upload_max_mb": 1, "upload_max_seconds": 0.5}
    uploads = make(uploads_waiting=2, **limits)
    with pytest.raises(BodyTooLargeError, match="UPLOAD_MAX_MB"):
        add(uploads, bytes(1_000_001))
    with pytest.raises(BodyTooLargeError):
        asyncio.run(uploads.add(chunks(bytes(5_000_000)), "unannounced.pcap"))
    with pytest.raises(SlowBodyError, match="UPLOAD_MAX_SECONDS"):
        asyncio.run(uploads.add(endless(), "slow.pcap"))
    assert list((tmp_path / "uploads").iterdir()) == []
    add(uploads)
    add(uploads)
    with pytest.raises(BusyError, match="UPLOADS_WAITING"):
        add(uploads)


def test_a_disk_that_is_full_refuses_captures(make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    uploads = make(uploads_disk_mb=1)
    add(uploads, bytes(900_000))
    with pytest.raises(StorageFullError, match="UPLOADS_DISK_MB"):
        add(uploads, bytes(200_000))
    monkeypatch.setattr(Shelf, "free_bytes", lambda _: RESERVE_BYTES)
    with pytest.raises(StorageFullError):
        asyncio.run(make(uploads_disk_mb=100).add(chunks(CAPTURE), "a.pcap"))


def test_the_oldest_finished_ones_make_room(make: Any) -> None:
    with running(make(upload_max_mb=1, uploads_disk_mb=1)) as uploads:
        first = add(uploads)
        wait_until(lambda: over(uploads, first))
        second = add(uploads, CAPTURE + bytes(999_000 - len(CAPTURE)))
        with pytest.raises(NotFoundError):
            uploads.get(first)
        wait_until(lambda: over(uploads, second))
        assert uploads.status().deleted == 1


def test_old_ones_are_deleted_by_age(make: Any, tmp_path: Path) -> None:
    with running(make()) as uploads:
        upload_id = add(uploads)
        wait_until(lambda: over(uploads, upload_id))
        keeping = Housekeeping([Store("uploads", uploads.files, 10**9, uploads.expire)], keep_days=1)
        keeping.look()
        assert keeping.status()[0].files == 2
        for path in uploads.files():
            os.utime(path, (0, time.time() - 2 * DAY_SECONDS))
        keeping.look()
        assert (uploads.list(), list((tmp_path / "uploads").iterdir())) == ([], [])


def test_what_cannot_be_read_after_a_restart_is_deleted(make: Any, tmp_path: Path) -> None:
    (tmp_path / "uploads" / "strange").mkdir(parents=True)
    (tmp_path / "uploads" / "strange" / "upload.json").write_text("{")
    with running(make()) as uploads:
        assert uploads.list() == []
    assert not (tmp_path / "uploads" / "strange").exists()
