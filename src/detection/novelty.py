"""A second opinion that knows benign traffic only: which flows called benign are unlike it."""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace

import numpy as np

from detection.backlog import CAPACITY, Backlog
from detection.refusal import refusal
from detection.scorer import Scorer
from flows.labels import NOVELTY
from flows.table import FlowTable
from flows.verdicts import Verdicts

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class NoveltyCounts:
    """What the detector did.

    Attributes:
        looked_at: benign flows that it judged.
        novel: of these, those it calls unlike what it knows.
        waiting: flows it is still to judge.
        skipped: flows it did not judge, by reason: `busy` (too many waited), `failed` (it raised), `dialect`
            or `features` (it cannot read them).
        error: the last failure, or why it cannot read the flows; None when all is well.
    """

    looked_at: int
    novel: int
    waiting: int
    skipped: dict[str, int]
    error: str | None


class Novelty:
    """Judges again what the champion called benign; safe to use from several threads.

    Without a detector it takes nothing.
    """

    def __init__(
        self,
        on_novel: Callable[[FlowTable, Verdicts], None],
        *,
        capacity: int = CAPACITY,
        also_scored: Collection[str] = (),
    ) -> None:
        """Make one without a detector.

        Args:
            on_novel: called with novel flows and their verdicts, whose code is NOVELTY, by who calls `step`.
            capacity: how many flows may wait.
            also_scored: dialects whose flows it judges although it was trained on another's.
        """
        self._on_novel = on_novel
        self._also_scored = frozenset(also_scored)
        self._lock = threading.Lock()
        self._backlog = Backlog(capacity)
        self._detector: Scorer | None = None
        self._looked_at = self._novel = 0
        self._skipped: Counter[str] = Counter()
        self._error: str | None = None

    @property
    def detector(self) -> Scorer | None:
        """The model that judges: its classes are benign and ATTACK."""
        return self._detector

    @detector.setter
    def detector(self, detector: Scorer | None) -> None:
        with self._lock:
            self._detector = detector
            self._error = None
            if detector is None:
                self._backlog.clear()

    @property
    def waiting(self) -> int:
        """Flows that wait."""
        return self._backlog.waiting

    def offer(self, table: FlowTable, verdicts: Verdicts) -> None:
        """Take the flows that were called benign, as many as there is room for."""
        detector = self._detector
        if detector is None:
            return
        benign = ~(verdicts.is_attack | verdicts.insufficient)
        why = refusal(detector, table.dialect, table.feature_names, also_scored=self._also_scored)
        with self._lock:
            if why:
                self._skipped[why.reason] += int(benign.sum())
                self._error = why.message
            elif benign.any():
                self._skipped["busy"] += self._backlog.put(table.take(benign), verdicts.take(benign))

    def step(self) -> None:
        """Judge the oldest flows that wait, if there are any; never raises."""
        with self._lock:
            detector, oldest = self._detector, self._backlog.pop()
        if detector is None or oldest is None:
            return
        table, _ = oldest
        try:
            verdicts = detector.score(table)
            novel = verdicts.is_attack
            if novel.any():
                self._on_novel(table.take(novel), _as_novelty(verdicts.take(novel)))
        except Exception as error:
            self._failed(detector, len(table), error)
            return
        with self._lock:
            self._looked_at += len(table)
            self._novel += int(novel.sum())

    def counts(self) -> NoveltyCounts:
        """Return the counters."""
        with self._lock:
            return NoveltyCounts(
                looked_at=self._looked_at,
                novel=self._novel,
                waiting=self._backlog.waiting,
                skipped={reason: flows for reason, flows in self._skipped.items() if flows},
                error=self._error,
            )

    def _failed(self, detector: Scorer, flows: int, error: Exception) -> None:
        with self._lock:
            first = not self._skipped["failed"]
            self._skipped["failed"] += flows
            self._error = f"{type(error).__name__}: {error}"
        if first:
            logger.warning(
                "novelty detector %s version %s failed on %d flows; the champion serves on",
                *(detector.model_name, detector.model_version, flows),
                exc_info=error,
            )


def _as_novelty(verdicts: Verdicts) -> Verdicts:
    return replace(verdicts, code=np.full(len(verdicts), NOVELTY, np.int32))
