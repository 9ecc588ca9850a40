"""Drift: do the flows of the last hour look like the benign flows the model was trained on?

The measure is the population stability index of each feature,

    PSI = sum over bins of (actual - expected) * ln(actual / expected),

the symmetric Kullback-Leibler divergence of two binned distributions (N. Siddiqi, Credit Risk
Scorecards, Wiley 2006, who also gives its reading: below 0.1 stable, above 0.25 shifted). Shares below
SMALLEST_SHARE count as that much, so that an empty bin is a finite surprise.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from detection.drift_bins import Bins, count_rows
from detection.preprocess import clean
from detection.record import ModelRecord
from flows.table import FlowTable
from flows.verdicts import Verdicts

SHIFTED_PSI: Final = 0.25
DRIFTING_SHARE: Final = 0.2
"""Share of the features beyond SHIFTED_PSI from which on the traffic is said to drift."""

ENOUGH_FLOWS: Final = 500
"""Below this chance alone moves the index: its expectation grows as bins / flows."""

SMALLEST_SHARE: Final = 1e-4
SLOTS: Final = 12
SLOT_SECONDS: Final = 300.0
SLOT_SAMPLE: Final = 10_000
"""After so many flows counted in a slot, only each second flow is counted, twice; and so on."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class DriftStatus:
    """How the last hour's flows differ from benign training flows.

    Attributes:
        flows: captured flows of the last hour that the model can judge.
        psi: population stability index by feature; empty while there are fewer flows than ENOUGH_FLOWS.
    """

    flows: int
    psi: dict[str, float]

    @property
    def shifted(self) -> dict[str, float]:
        """The features beyond SHIFTED_PSI, the largest index first."""
        beyond = {name: value for name, value in self.psi.items() if value > SHIFTED_PSI}
        return dict(sorted(beyond.items(), key=lambda item: -item[1]))

    @property
    def share(self) -> float:
        """Share of features beyond SHIFTED_PSI."""
        return len(self.shifted) / len(self.psi) if self.psi else 0.0

    @property
    def drifting(self) -> bool:
        """Whether the model sees other traffic than it was trained on."""
        return self.share >= DRIFTING_SHARE


class Drift:
    """Counts captured flows into a model's bins, for an hour; safe to use from several threads."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        """Make one that watches no model yet; `clock` gives seconds."""
        self._clock = clock
        self._lock = threading.Lock()
        self._window: _Window | None = None

    def watch(self, record: ModelRecord) -> None:
        """Compare with this model's benign training flows; counts stay when these are the same.

        A record that has no quantiles of them gives no status.
        """
        kept = self._window
        if kept and (kept.record.features, kept.record.benign_quantiles) == (
            record.features,
            record.benign_quantiles,
        ):
            return
        window = _Window(record) if len(record.benign_quantiles.levels) > 1 else None
        with self._lock:
            self._window = window

    def add(self, table: FlowTable, verdicts: Verdicts) -> None:
        """Count captured flows that are whole, that the model can judge, and that have its features."""
        with self._lock:
            if self._window is not None:
                self._window.add(table, ~(verdicts.insufficient | table.provisional), self._slot())

    def status(self) -> DriftStatus | None:
        """Return what the last hour says, None before a model is watched."""
        with self._lock:
            return None if self._window is None else self._window.status(self._slot())

    def _slot(self) -> int:
        return int(self._clock() // SLOT_SECONDS)


class _Window:
    """Counts of the last SLOTS slots, of one model."""

    def __init__(self, record: ModelRecord) -> None:
        self.record = record
        self._bins = Bins(record.benign_quantiles)
        self._counts = np.zeros((SLOTS, *self._bins.expected.shape), np.int64)
        self._flows = np.zeros(SLOTS, np.int64)
        self._names: tuple[str, ...] = ()
        self._columns: NDArray[np.intp] | None = None
        self._newest: int | None = None
        self._stride = 1
        self._sampled = 0
        self._offset = 0
        # Compiled here, not in the thread that scores.
        count_rows(np.empty((0, len(self._bins.edges))), self._bins.edges, 1, self._counts[0])

    def add(self, table: FlowTable, counted: NDArray[np.bool_], slot: int) -> None:
        if table.feature_names is not self._names:
            self._find_columns(table.feature_names)
        if self._columns is None:
            return
        self._move_to(slot)
        rows = np.flatnonzero(counted)
        taken = rows[self._offset :: self._stride]
        self._offset = (self._offset - len(rows)) % self._stride
        if not len(taken):
            return
        values = clean(table.features[np.ix_(taken, self._columns)], self.record.preprocessing)
        at = slot % SLOTS
        count_rows(values, self._bins.edges, self._stride, self._counts[at])
        self._flows[at] += self._stride * len(taken)
        self._sampled += len(taken)
        while self._sampled >= SLOT_SAMPLE:
            self._stride, self._sampled = 2 * self._stride, self._sampled - SLOT_SAMPLE

    def status(self, slot: int) -> DriftStatus:
        self._move_to(slot)
        flows = int(self._flows.sum())
        if flows < ENOUGH_FLOWS:
            return DriftStatus(flows, {})
        counts = self._counts.sum(axis=0)
        known = counts.sum(axis=1, keepdims=True)
        actual = np.where(known, counts / np.maximum(known, 1), self._bins.expected)
        index = stability_index(self._bins.expected, actual)
        return DriftStatus(flows, dict(zip(self.record.features, index.tolist(), strict=True)))

    def _find_columns(self, names: tuple[str, ...]) -> None:
        where = {name: column for column, name in enumerate(names)}
        known = all(name in where for name in self.record.features)
        self._names = names
        self._columns = np.array([where[name] for name in self.record.features]) if known else None

    def _move_to(self, slot: int) -> None:
        if slot == self._newest:
            return
        passed = SLOTS if self._newest is None else min(slot - self._newest, SLOTS)
        stale = [(slot - back) % SLOTS for back in range(passed)]
        self._counts[stale] = 0
        self._flows[stale] = 0
        self._newest, self._stride, self._sampled, self._offset = slot, 1, 0, 0


def stability_index(expected: Floats, actual: Floats) -> Floats:
    """Return the F population stability indices of F x B shares; bins empty in both add nothing."""
    expected, actual = np.maximum(expected, SMALLEST_SHARE), np.maximum(actual, SMALLEST_SHARE)
    return np.asarray(((actual - expected) * np.log(actual / expected)).sum(axis=1))
