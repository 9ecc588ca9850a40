"""The operator's own benign traffic: some of it for training, the later rest for the threshold."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from detection.decision import enough
from detection.record import SIZES
from flows.schema import COMMON_NAMES
from flows.table import FlowTable, concat_tables
from training.dataset import LabelledFlows
from training.dataset import joined as joined_flows
from training.recipe import INSUFFICIENT, TRAIN_SHARE

MOST_FLOWS: Final = 50_000
"""So many flows are kept at most, evenly taken: more teach little, and a forest takes its time."""

FEWEST_FLOWS: Final = 100


@dataclass(frozen=True, slots=True)
class Baseline:
    """Flows that are taken to be benign, in the order of their start.

    Attributes:
        train: n x F raw features for training.
        held: the m flows that came later.
        flows: how many flows there were.
        insufficient: how many of them no model here judges.
    """

    train: NDArray[np.float64]
    held: FlowTable
    flows: int
    insufficient: int


class BaselineSample:
    """Takes tables of benign flows in; keeps every flow, or every second, fourth … when there are many."""

    def __init__(self) -> None:
        self._tables: list[FlowTable] = []
        self._kept = 0
        self._step = 1
        self._judged = 0
        self._flows = 0

    def add(self, table: FlowTable) -> None:
        """Take n flows in.

        Raises:
            KeyError: a feature is missing.
        """
        judged = table.take(np.flatnonzero(enough(table.select(SIZES), np.arange(len(SIZES)), INSUFFICIENT)))
        self._flows += len(table)
        first = -self._judged % self._step
        self._judged += len(judged)
        self._tables.append(_bare(judged.take(np.arange(first, len(judged), self._step))))
        self._kept += len(self._tables[-1])
        if self._kept > 2 * MOST_FLOWS:
            self._thin()

    def baseline(self) -> Baseline:
        """Return what was taken in.

        Raises:
            ValueError: it is too little.
        """
        if self._judged < FEWEST_FLOWS:
            raise ValueError(
                f"the baseline has {self._judged:,} flows that a model can judge; {FEWEST_FLOWS} are needed"
            )
        while self._kept > MOST_FLOWS:
            self._thin()
        table = concat_tables(self._tables)
        table = table.take(np.argsort(table.start_us, kind="stable"))
        cut = round(TRAIN_SHARE * len(table))
        return Baseline(
            train=table.select(COMMON_NAMES)[:cut],
            held=table.take(slice(cut, None)),
            flows=self._flows,
            insufficient=self._flows - self._judged,
        )

    def _thin(self) -> None:
        table = concat_tables(self._tables)
        self._tables = [table.take(np.arange(0, len(table), 2))]
        self._kept = len(self._tables[0])
        self._step *= 2


def _bare(table: FlowTable) -> FlowTable:
    """Return the table with the common features alone, so that flows of all sources go together."""
    features = table.select(COMMON_NAMES)
    return replace(table, features=features, feature_names=COMMON_NAMES, extras={}, interface="", sensor="")


def joined(base: LabelledFlows, baseline: Baseline) -> LabelledFlows:
    """Return the base set's flows and, after them, the baseline's for training, as benign ones."""
    benign = LabelledFlows.of(
        baseline.train,
        base.names,
        np.zeros(len(baseline.train), np.int32),
        base.dialect,
        sources=("baseline",),
    )
    return joined_flows([base, benign])
