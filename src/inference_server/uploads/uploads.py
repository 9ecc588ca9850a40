"""Uploaded captures: received, analysed one at a time in a process, kept until they are old or deleted."""

from __future__ import annotations

import asyncio
import itertools
import logging
import threading
import time
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any, Final

from detection.scorer import Scorer
from inference_server.settings import Settings
from inference_server.uploads.analysis import Job
from inference_server.uploads.process import AnalysisProcess
from inference_server.uploads.receiving import RESERVE_BYTES, Limits, receive
from inference_server.uploads.shelf import Shelf
from inference_server.uploads.status import UploadsStatus
from inference_server.uploads.upload import Upload, utc_now
from inference_server.uploads.verdict_file import follow_lines, lines_after
from inference_server.web.errors import NOT_YET, BusyError, ModelNotAvailableError, NotFoundError

MEGABYTE: Final = 1_000_000
NAME_LENGTH: Final = 200
MOST_KEPT: Final = 1000
"""Finished uploads, however small: all are listed, and looked at when room is made."""
STOP_SECONDS: Final = 2.0
logger = logging.getLogger(__name__)


class _DeletedError(Exception):
    """The upload was deleted while it was received."""


class Uploads:
    """Takes captures, has them analysed, and answers for them; safe to use from several threads."""

    def __init__(
        self, settings: Settings, scorer: Callable[[], Scorer | None], registry: str, model_uri: str
    ) -> None:
        """Make what is not running yet.

        Args:
            settings: the limits, and where to keep everything.
            scorer: returns the model that serves.
            registry, model_uri: what that model is of, as the model cache says it.
        """
        self._settings = settings
        self._scorer = scorer
        self._registry = registry
        self._model_uri = model_uri
        self._shelf = Shelf(settings.uploads_dir)
        self._uploads: dict[str, Upload] = {}
        self._counts: Counter[str] = Counter()
        self._change = threading.Condition()
        self._process: tuple[str, AnalysisProcess] | None = None
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="uploads", daemon=True)

    def start(self) -> None:
        """Take up what a run before left: finished ones stay, broken receipts fail, the rest is analysed."""
        for upload in self._shelf.load():
            if upload.state == "receiving":
                upload = self._failed(upload, "the service stopped while it was received: send it again")
            elif not upload.over:
                upload = Upload(
                    id=upload.id,
                    name=upload.name,
                    state="waiting",
                    bytes=upload.bytes,
                    sha256=upload.sha256,
                    received=upload.received,
                )
            self._uploads[upload.id] = upload
        self._thread.start()

    def stop(self) -> None:
        """End the process that runs; a later run analyses the capture again."""
        with self._change:
            self._stopping = True
            process = self._process
            self._change.notify_all()
        if process:
            process[1].kill("the service stops")
        if self._thread.ident is not None:
            self._thread.join(STOP_SECONDS)

    async def add(self, chunks: AsyncIterator[bytes], name: str, *, expected: int | None = None) -> Upload:
        """Receive a capture, which will be analysed.

        Args:
            chunks: the file's bytes: pcap or pcapng, also gzip or Zstandard.
            name: what it is called.
            expected: its length, if that is known.

        Raises:
            ModelNotAvailableError: no model serves yet.
            BusyError: too many wait.
            BodyTooLargeError, SlowBodyError, StorageFullError: it is beyond a limit.
            UnprocessableError: there is nothing.
        """
        upload = self._admit(name)
        limits = Limits(
            self._settings.upload_max_mb * MEGABYTE, self._settings.upload_max_seconds, self._make_room
        )
        try:
            await asyncio.to_thread(limits.check, expected or 0, expected or 0)
            self._shelf.save(upload)

            def so_far(size: int) -> None:
                progress = min(size / expected, 1.0) if expected else 0.0
                if self._update(upload.id, bytes=size, progress=progress) is None:
                    raise _DeletedError

            received = await receive(chunks, self._shelf.capture(upload.id), limits, so_far)
        except _DeletedError:
            raise NotFoundError("The upload was deleted while it was received") from None
        except BaseException:
            self._forget(upload.id)
            raise
        return self._wait(upload.id, received.sha256)

    def get(self, upload_id: str) -> Upload:
        """Return an upload.

        Raises:
            NotFoundError: there is none of this id.
        """
        upload = self._uploads.get(upload_id)
        if upload is None:
            raise NotFoundError(f"No upload {upload_id[:64]!r}: GET /api/captures lists those there are")
        return upload

    def list(self) -> list[Upload]:
        """Return all uploads, the latest first."""
        with self._change:
            return sorted(self._uploads.values(), key=lambda upload: upload.received, reverse=True)

    def delete(self, upload_id: str) -> None:
        """Delete an upload and all that was found in it; its analysis is ended.

        Raises:
            NotFoundError: there is none of this id.
        """
        self.get(upload_id)
        self._forget(upload_id)
        logger.info("upload %s: deleted", upload_id)

    def verdicts(self, upload_id: str, after: int = 0, limit: int = 1000) -> Sequence[bytes]:
        """Return the verdicts there are from number `after` + 1 on, one line of JSON each.

        Raises:
            NotFoundError: there is none of this id.
        """
        self.get(upload_id)
        return tuple(itertools.islice(lines_after(self._shelf.verdicts(upload_id), after), limit))

    def follow(self, upload_id: str, after: int = 0, *, to_the_end: bool = True) -> AsyncIterator[bytes]:
        """Yield the same lines in large pieces, and those that come, until the analysis has ended.

        Without `to_the_end` only those that are there are.

        Raises:
            NotFoundError: there is none of this id.
        """
        self.get(upload_id)

        def over() -> bool:
            upload = self._uploads.get(upload_id)
            return not to_the_end or upload is None or upload.over

        return follow_lines(self._shelf.verdicts(upload_id), after, over)

    def status(self) -> UploadsStatus:
        """Return counters and state."""
        with self._change:
            active = sum(not upload.over for upload in self._uploads.values())
            names = ("received", "done", "failed", "deleted", "flows", "attacks")
            counts = {name: self._counts[name] for name in names}
        return UploadsStatus(**counts, active=active, running=self._thread.is_alive())

    def expire(self, path: Path) -> None:
        """Delete the upload that a file is of, unless it is not over."""
        upload = self._uploads.get(path.parent.name)
        if upload is None or upload.over:
            self._forget(path.parent.name)

    def files(self) -> Sequence[Path]:
        """Return all files of all uploads."""
        return tuple(self._shelf.files())

    def _admit(self, name: str) -> Upload:
        scorer = self._scorer()
        if scorer is None:
            raise ModelNotAvailableError(f"{NOT_YET}: send the capture again once /ready says so")
        upload = Upload(id=uuid.uuid4().hex, name=(name or "capture")[:NAME_LENGTH])
        with self._change:
            waiting = sum(upload.state in ("receiving", "waiting") for upload in self._uploads.values())
            if waiting >= self._settings.uploads_waiting:
                raise BusyError(f"{waiting} captures wait already: send this one later (UPLOADS_WAITING)")
            self._uploads[upload.id] = upload
        return upload

    def _wait(self, upload_id: str, sha256: str) -> Upload:
        with self._change:
            upload = self._update(upload_id, state="waiting", progress=0.0, sha256=sha256)
            if upload is None:
                raise NotFoundError("The upload was deleted while it was received")
            self._shelf.save(upload)
            self._counts["received"] += 1
            self._change.notify_all()
        logger.info("upload %s: %r received, %d bytes", upload.id, upload.name, upload.bytes)
        return upload

    def _update(self, upload_id: str, **changes: Any) -> Upload | None:
        """Change an upload; return it, None when it was deleted."""
        with self._change:
            upload = self._uploads.get(upload_id)
            if upload is not None:
                upload = self._uploads[upload_id] = upload.model_validate(upload.model_dump() | changes)
            return upload

    def _forget(self, upload_id: str) -> None:
        with self._change:
            known = self._uploads.pop(upload_id, None)
            self._counts["deleted"] += known is not None and known.state != "receiving"
            running = self._process
        if running and running[0] == upload_id:
            running[1].kill("deleted")
        self._shelf.delete(upload_id)

    def _make_room(self, needed: int) -> int:
        """Delete the oldest finished uploads until `needed` bytes fit; return how many do."""
        cap = self._settings.uploads_disk_mb * MEGABYTE
        while True:
            room = min(cap - self._shelf.bytes(), self._shelf.free_bytes() - RESERVE_BYTES)
            over = [upload for upload in self.list() if upload.over]
            if not over or (room >= needed and len(over) <= MOST_KEPT):
                return max(room, 0)
            logger.info("upload %s: deleted to make room", over[-1].id)
            self._forget(over[-1].id)

    def _run(self) -> None:
        while (upload := self._next()) is not None:
            try:
                self._analyse(upload)
            except Exception as error:
                logger.exception("upload %s", upload.id)
                self._conclude(upload.id, f"the analysis could not be run: {type(error).__name__}")

    def _next(self) -> Upload | None:
        """Wait for the next one to analyse; return None at the end."""
        with self._change:
            while not self._stopping:
                waiting = [upload for upload in self._uploads.values() if upload.state == "waiting"]
                if waiting and self._scorer() is not None:
                    return min(waiting, key=lambda upload: upload.received)
                # After a restart the model may come later than what waits.
                self._change.wait(1.0 if waiting else None)
            return None

    def _analyse(self, upload: Upload) -> None:
        scorer = self._scorer()
        assert scorer is not None
        job = self._job(upload, scorer)
        began = time.monotonic()
        running = self._update(upload.id, state="running", progress=0.0, started=utc_now())
        if running is None:
            return
        self._shelf.save(running)
        process = AnalysisProcess(job, self._settings.upload_max_seconds)
        with self._change:
            self._process = upload.id, process
            if self._stopping or upload.id not in self._uploads:
                process.kill("not wanted any more")

        def changed(fields: dict[str, Any]) -> None:
            self._update(upload.id, **fields)

        error = process.hear(changed)
        with self._change:
            self._process = None
            if self._stopping:
                return
        self._update(upload.id, seconds=round(time.monotonic() - began, 3))
        self._conclude(upload.id, error)

    def _conclude(self, upload_id: str, error: str | None) -> None:
        with self._change:
            upload = self._uploads.get(upload_id)
            if upload is None:
                self._shelf.delete(upload_id)
                return
            if error:
                upload = self._failed(upload, error)
            else:
                upload = upload.model_copy(update={"state": "done", "progress": 1.0, "ended": utc_now()})
                self._shelf.save(upload)
            self._uploads[upload_id] = upload
            self._counts[upload.state] += 1
            self._counts.update(flows=upload.flows, attacks=upload.attacks)
        # Who sent the capture has it; what is kept is what was found.
        self._shelf.capture(upload_id).unlink(missing_ok=True)
        self._make_room(0)
        found = f"{upload.flows} flows, {upload.attacks} attacks"
        logger.info("upload %s: %s, %s%s", upload_id, upload.state, found, f": {error}" if error else "")

    def _failed(self, upload: Upload, error: str) -> Upload:
        failed = upload.model_copy(update={"state": "failed", "error": error, "ended": utc_now()})
        self._shelf.save(failed)
        return failed

    def _job(self, upload: Upload, scorer: Scorer) -> Job:
        settings = self._settings
        return Job(
            capture=self._shelf.capture(upload.id),
            verdicts=self._shelf.verdicts(upload.id),
            name=upload.name,
            sensor=settings.sensor_id,
            state_dir=settings.state_dir,
            registry=self._registry,
            model_uri=self._model_uri,
            allow_pickle=settings.allow_pickle_models,
            model_name=scorer.model_name,
            model_version=scorer.model_version,
            threshold=scorer.threshold,
            max_ratio=settings.upload_max_ratio,
            max_verdict_bytes=self._make_room(0),
        )
