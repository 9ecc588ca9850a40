"""What a study looks at, and what is to be known of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import PurePath

import numpy as np

from flows.labels import BY_CODE
from training.capture_set import Capture
from training.dataset import LabelledFlows, joined
from training.tracking import flows_sha256


@dataclass(frozen=True, slots=True)
class Inputs:
    """What a study looks at.

    Attributes:
        flows: labelled, to be split.
        captures: of other networks; none to go without.
        others: labelled flows of other networks, by name.
        repeated: the same flows with those that repeat an earlier one, None to go without.
        beside: flows of another set, from which the kinds in question learn too; none is measured on them,
            but in `report.unseen`.
    """

    flows: LabelledFlows
    captures: tuple[Capture, ...] = ()
    others: Mapping[str, LabelledFlows] = field(default_factory=dict)
    repeated: LabelledFlows | None = None
    beside: LabelledFlows | None = None

    @property
    def alone(self) -> Inputs:
        """The same without what is beside the flows."""
        return replace(self, beside=None)

    @property
    def everything(self) -> LabelledFlows:
        """All flows that a model for use learns from."""
        return self.flows if self.beside is None else joined([self.flows, self.beside])


@dataclass(frozen=True, slots=True)
class DataFacts:
    """What was evaluated on.

    Attributes:
        sources: the files' names.
        sha256: of features and classes: figures of the same flows can be compared.
        rows_read, rows: before and after cleaning.
        dropped: rows left out, by reason.
        classes: flows by the class's name.
    """

    sources: tuple[str, ...]
    sha256: str
    dialect: str
    rows_read: int
    rows: int
    dropped: dict[str, int]
    classes: dict[str, int]


def facts(flows: LabelledFlows) -> DataFacts:
    """Return what is to be known of labelled flows."""
    codes, counts = np.unique(flows.codes, return_counts=True)
    return DataFacts(
        sources=tuple(PurePath(source).name for source in flows.sources),
        sha256=flows_sha256(flows),
        dialect=flows.dialect,
        rows_read=flows.rows_read,
        rows=len(flows),
        dropped=dict(flows.dropped),
        classes={BY_CODE[c].name: n for c, n in zip(codes.tolist(), counts.tolist(), strict=True)},
    )
