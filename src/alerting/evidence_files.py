"""Evidence of alerts: a capture file of each one's first flows, in a directory of bounded size.

Looking for the packets takes up to half a second, so a thread of its own does it.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from alerting.alert import AlertRevision
from alerting.alert_flow import FlowSpan
from alerting.budget import Budget

DELAY_SECONDS: Final = 2.0
"""How long an alert's first flows may take to come."""

FILES_PER_SECOND: Final = 1.0
BURST: Final = 20
MAX_WAITING: Final = 100
MAX_FILES: Final = 10_000
REMEDY: Final = "make LOG_DIR/evidence writable, with room on its disk, or set EVIDENCE_DISK_MB=0"

WriteEvidence = Callable[[Sequence[FlowSpan], Path], int]
"""Writes the packets of flows to a file; returns how many, 0 (and no file) when none are kept."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class EvidenceFilesStatus:
    """What became of the evidence of alerts: asked = written + no packets + failed + skipped + waiting.

    Attributes:
        running: the thread is alive.
        asked: alerts opened by captured flows.
        written: files written.
        no_packets: alerts whose packets were not kept, or not any more.
        failed: files that could not be written.
        skipped: alerts left without, by reason: over budget, too many waiting, stopped.
        waiting: alerts whose file is still to be written.
        deleted: files deleted to keep the limits.
        files, bytes: what is on disk.
        limit_bytes, limit_files: what may be.
        error: why the last file could not be written and what to do, None when it could.
    """

    running: bool
    asked: int
    written: int
    no_packets: int
    failed: int
    skipped: dict[str, int]
    waiting: int
    deleted: int
    files: int
    bytes: int
    limit_bytes: int
    limit_files: int
    error: str | None


@dataclass(frozen=True, slots=True)
class _Wanted:
    alert_id: str
    flows: Sequence[FlowSpan]
    due: float


class EvidenceFiles:
    """Writes `<alert id>.pcap` files for alerts of captured flows."""

    def __init__(
        self,
        directory: Path,
        write: WriteEvidence,
        *,
        captured: str,
        limit_bytes: int,
        max_files: int = MAX_FILES,
        delay: float = DELAY_SECONDS,
    ) -> None:
        """Prepare the thread; `start` begins.

        Args:
            directory: where the files go; nothing else may be in it.
            write: finds and writes the packets.
            captured: the source whose flows have packets.
            limit_bytes, max_files: how much is kept; the oldest files make room.
            delay: seconds between an alert's opening and its file.
        """
        self._directory = directory
        self._write = write
        self._captured = captured
        self._limit_bytes = limit_bytes
        self._max_files = max_files
        self._delay = delay
        self._budget = Budget(FILES_PER_SECOND, BURST, time.monotonic)
        self._counts: Counter[str] = Counter()
        self._skipped: Counter[str] = Counter()
        self._waiting: deque[_Wanted] = deque()
        self._kept: deque[tuple[str, int]] = deque()
        self._bytes = 0
        self._error: str | None = None
        self._stopping = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="evidence", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def take(self, alerts: Sequence[AlertRevision]) -> None:
        """Ask for the evidence of those alerts that open; never waits."""
        for alert in alerts:
            if alert.revision == 1 and alert.flow.shared.source == self._captured:
                self._ask(_Wanted(alert.alert_id, alert.first_flows, time.monotonic() + self._delay))

    def name(self, alert_id: str) -> str | None:
        """Return the name of an alert's file, None when there is none."""
        path = self.find(alert_id)
        return path.name if path else None

    def find(self, alert_id: str) -> Path | None:
        """Return an alert's file, None when there is none; the id is one that an alert has."""
        path = self._path(alert_id)
        return path if path.exists() else None

    def files(self) -> list[Path]:
        """Return the files that are kept, the oldest first."""
        with self._changed:
            return [self._directory / name for name, _ in self._kept]

    def forget(self, path: Path) -> None:
        """Delete one of the files.

        Raises:
            OSError: it cannot be deleted.
        """
        with self._changed:
            path.unlink(missing_ok=True)
            gone = [each for each in self._kept if each[0] == path.name]
            for each in gone:
                self._kept.remove(each)
                self._bytes -= each[1]
                self._counts["deleted"] += 1

    def stop(self, timeout: float) -> None:
        """Write what waits, for at most `timeout` seconds, and end the thread."""
        with self._changed:
            self._stopping = True
            self._changed.notify()
        if self._thread.ident is not None:
            self._thread.join(timeout)
        with self._changed:
            self._skipped["stopped"] += len(self._waiting)
            self._waiting.clear()

    def status(self) -> EvidenceFilesStatus:
        """Return the counters."""
        with self._changed:
            return EvidenceFilesStatus(
                running=self._thread.is_alive(),
                asked=self._counts["asked"],
                written=self._counts["written"],
                no_packets=self._counts["no packets"],
                failed=self._counts["failed"],
                skipped=dict(self._skipped),
                waiting=self._counts["asked"] - self._decided(),
                deleted=self._counts["deleted"],
                files=len(self._kept),
                bytes=self._bytes,
                limit_bytes=self._limit_bytes,
                limit_files=self._max_files,
                error=self._error,
            )

    def _decided(self) -> int:
        outcomes = sum(self._counts[outcome] for outcome in ("written", "no packets", "failed"))
        return outcomes + sum(self._skipped.values())

    def _path(self, alert_id: str) -> Path:
        return self._directory / f"{alert_id}.pcap"

    def _ask(self, wanted: _Wanted) -> None:
        with self._changed:
            self._counts["asked"] += 1
            if self._stopping:
                self._skipped["stopped"] += 1
            elif len(self._waiting) >= MAX_WAITING:
                self._skipped["too many waiting"] += 1
            elif not self._budget.take():
                self._skipped["over budget"] += 1
            else:
                self._waiting.append(wanted)
                self._changed.notify()

    def _run(self) -> None:
        self._find_kept()
        while wanted := self._next():
            outcome = "failed"
            try:
                outcome = self._make(wanted)
                self._error = None
            except OSError as error:
                self._error = f"{error}; {REMEDY}"
                logger.error("no evidence of alert %s: %s", wanted.alert_id, self._error)
            except Exception:
                logger.exception("no evidence of alert %s", wanted.alert_id)
            with self._changed:
                self._counts[outcome] += 1

    def _next(self) -> _Wanted | None:
        with self._changed:
            while not self._stopping:
                due = self._waiting[0].due if self._waiting else None
                now = time.monotonic()
                if due is not None and due <= now:
                    break
                self._changed.wait(None if due is None else due - now)
            return self._waiting.popleft() if self._waiting else None

    def _make(self, wanted: _Wanted) -> str:
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = self._path(wanted.alert_id)
        if not self._write(tuple(wanted.flows), path):
            return "no packets"
        self._keep(path.name, path.stat().st_size)
        return "written"

    def _find_kept(self) -> None:
        """Count the files of earlier runs; what a run did not finish is removed."""
        try:
            found = [(path, path.stat()) for path in self._directory.iterdir()]
            for path, _ in found:
                if path.name.endswith(".part"):
                    path.unlink(missing_ok=True)
        except FileNotFoundError:
            return
        except OSError as error:
            self._error = f"{error}; {REMEDY}"
            return
        for path, stat in sorted(found, key=lambda pair: pair[1].st_mtime_ns):
            if path.suffix == ".pcap":
                self._keep(path.name, stat.st_size)

    def _keep(self, name: str, size: int) -> None:
        """Count one more file, and delete the oldest as long as there are too many."""
        with self._changed:
            self._kept.append((name, size))
            self._bytes += size
            while self._bytes > self._limit_bytes or len(self._kept) > self._max_files:
                oldest, freed = self._kept[0]
                (self._directory / oldest).unlink(missing_ok=True)
                self._kept.popleft()
                self._bytes -= freed
                self._counts["deleted"] += 1
