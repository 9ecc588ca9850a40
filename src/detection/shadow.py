"""A challenger in shadow: it scores what the champion has answered, and nobody waits for it."""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from detection.backlog import CAPACITY, Backlog
from detection.refusal import refusal
from detection.scorer import Scorer
from flows.table import FlowTable
from flows.verdicts import INSUFFICIENT, Verdicts, verdict_name

_INSUFFICIENT_CODE: Final = -1
logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ShadowStatus:
    """What a challenger said, since it or the champion last changed version.

    Attributes:
        name, version: the challenger's.
        champion_version: the version it is compared with, None while none serves.
        flows: compared.
        disagreements: flows by the champion's and the challenger's label, where these differ.
        waiting: flows it is still to score.
        skipped: flows it did not score, by reason: `busy` (too many waited), `failed` (it raised), `dialect`
            or `features` (it cannot read them).
        error: the last failure, or why it cannot read the flows; None when all is well.
    """

    name: str
    version: str
    champion_version: str | None
    flows: int
    disagreements: dict[tuple[str, str], int]
    waiting: int
    skipped: dict[str, int]
    error: str | None


class _Comparison:
    """The counts of one pair of models."""

    def __init__(self, champion: Scorer | None, challenger: Scorer) -> None:
        self.champion = champion
        self.challenger = challenger
        self.flows = 0
        self.disagreements: Counter[tuple[str, str]] = Counter()
        self.skipped: Counter[str] = Counter()
        self.error: str | None = None


class Shadow:
    """Counts how often a challenger disagrees with the champion; safe to use from several threads."""

    def __init__(self, *, capacity: int = CAPACITY, also_scored: Collection[str] = ()) -> None:
        """Make one without a challenger.

        Args:
            capacity: how many flows may wait.
            also_scored: dialects whose flows a model scores although it was trained on another's.
        """
        self._also_scored = frozenset(also_scored)
        self._lock = threading.Lock()
        self._comparison: _Comparison | None = None
        self._backlog = Backlog(capacity)

    @property
    def challenger(self) -> Scorer | None:
        """The model in shadow."""
        comparison = self._comparison
        return comparison.challenger if comparison else None

    def set_models(self, champion: Scorer | None, challenger: Scorer | None) -> None:
        """Compare these two; the counts begin anew where either is another version."""
        with self._lock:
            kept = self._comparison
            if (
                kept
                and challenger
                and (_version(kept.champion), _version(kept.challenger))
                == (_version(champion), _version(challenger))
            ):
                kept.challenger = challenger
                return
            self._comparison = _Comparison(champion, challenger) if challenger else None
            self._backlog.clear()

    @property
    def waiting(self) -> int:
        """Flows that wait for the challenger."""
        return self._backlog.waiting

    def offer(self, table: FlowTable, verdicts: Verdicts) -> None:
        """Take flows that the champion has judged, as many as there is room for.

        Verdicts of another model, one that is being replaced, are left alone.
        """
        with self._lock:
            comparison = self._comparison
            if comparison is None or _version(comparison.champion) != (
                verdicts.model_name,
                verdicts.model_version,
            ):
                return
            why = refusal(
                comparison.challenger, table.dialect, table.feature_names, also_scored=self._also_scored
            )
            if why:
                comparison.skipped[why.reason] += len(table)
                comparison.error = why.message
                return
            comparison.skipped["busy"] += self._backlog.put(table, verdicts)

    def step(self) -> None:
        """Let the challenger score the oldest flows that wait, if there are any; never raises."""
        with self._lock:
            comparison = self._comparison
            oldest = self._backlog.pop()
            if comparison is None or oldest is None:
                return
            table, verdicts = oldest
            challenger = comparison.challenger
        try:
            disagreements = _disagreements(verdicts, challenger.score(table))
        except Exception as error:
            self._failed(comparison, len(table), error)
            return
        with self._lock:
            comparison.flows += len(table)
            comparison.disagreements.update(disagreements)

    def status(self) -> ShadowStatus | None:
        """Return what was counted, None without a challenger."""
        with self._lock:
            comparison = self._comparison
            if comparison is None:
                return None
            champion = comparison.champion
            return ShadowStatus(
                name=comparison.challenger.model_name,
                version=comparison.challenger.model_version,
                champion_version=champion.model_version if champion else None,
                flows=comparison.flows,
                disagreements=dict(comparison.disagreements),
                waiting=self._backlog.waiting,
                skipped={reason: flows for reason, flows in comparison.skipped.items() if flows},
                error=comparison.error,
            )

    def _failed(self, comparison: _Comparison, flows: int, error: Exception) -> None:
        with self._lock:
            first = not comparison.skipped["failed"]
            comparison.skipped["failed"] += flows
            comparison.error = f"{type(error).__name__}: {error}"
        if first:
            logger.warning(
                "challenger %s version %s failed on %d flows; the champion serves on",
                *(comparison.challenger.model_name, comparison.challenger.model_version, flows),
                exc_info=error,
            )


def _version(scorer: Scorer | None) -> tuple[str, str] | None:
    return None if scorer is None else (scorer.model_name, scorer.model_version)


def _codes(verdicts: Verdicts) -> NDArray[np.int32]:
    return np.where(verdicts.insufficient, np.int32(_INSUFFICIENT_CODE), verdicts.code)


def _label(code: int) -> str:
    return INSUFFICIENT if code == _INSUFFICIENT_CODE else verdict_name(code)


def _disagreements(champion: Verdicts, challenger: Verdicts) -> dict[tuple[str, str], int]:
    pairs = np.column_stack([_codes(champion), _codes(challenger)])
    differing, counts = np.unique(pairs[pairs[:, 0] != pairs[:, 1]], axis=0, return_counts=True)
    return {
        (_label(one), _label(other)): flows
        for (one, other), flows in zip(differing.tolist(), counts.tolist(), strict=True)
    }
