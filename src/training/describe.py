"""What a set of labelled flows holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from flows.labels import BY_CODE
from flows.table import UNKNOWN_TIME
from training.dataset import UNKNOWN_PAIR, LabelledFlows

ROWS_AT_ONCE: Final = 1 << 16


@dataclass(frozen=True, slots=True)
class ClassCount:
    """A class: how many rows it has, and when the first and the last began (UTC us, None when unknown)."""

    code: int
    name: str
    rows: int
    first_us: int | None
    last_us: int | None


@dataclass(frozen=True, slots=True)
class Description:
    """What there is.

    Attributes:
        dialect: the rules that measured the flows.
        features: how many features a flow has.
        rows_read, rows: before and after cleaning.
        dropped: rows that were left out, by reason.
        classes: by code.
        host_pairs: pairs of hosts, None when addresses are unknown.
        first_us, last_us: when the first and the last flow began, None when unknown.
        odd: rows with a value that a model's preprocessing has to replace, by kind.
        sources: rows of each file.
    """

    dialect: str
    features: int
    rows_read: int
    rows: int
    dropped: Mapping[str, int]
    classes: tuple[ClassCount, ...]
    host_pairs: int | None
    first_us: int | None
    last_us: int | None
    odd: Mapping[str, int]
    sources: Mapping[str, int]


def describe(flows: LabelledFlows) -> Description:
    """Return what a set holds."""
    pairs = np.unique(flows.pair[flows.pair != UNKNOWN_PAIR])
    per_source = np.bincount(flows.source, minlength=len(flows.sources)).tolist()
    return Description(
        dialect=flows.dialect,
        features=len(flows.names),
        rows_read=flows.rows_read,
        rows=len(flows),
        dropped=dict(flows.dropped),
        classes=tuple(_class(flows, code) for code in np.unique(flows.codes).tolist()),
        host_pairs=len(pairs) or None,
        **dict(zip(("first_us", "last_us"), _range(flows.start_us), strict=True)),
        odd=_odd(flows.features),
        sources=dict(zip(flows.sources, per_source, strict=True)),
    )


def _class(flows: LabelledFlows, code: int) -> ClassCount:
    rows = flows.codes == code
    return ClassCount(code, BY_CODE[code].name, int(rows.sum()), *_range(flows.start_us[rows]))


def _range(starts: NDArray[np.int64]) -> tuple[int | None, int | None]:
    known = starts[starts != UNKNOWN_TIME]
    return (int(known.min()), int(known.max())) if len(known) else (None, None)


def _odd(features: NDArray[np.float64]) -> dict[str, int]:
    found = {"infinity": 0, "NaN": 0, "negative": 0}
    for start in range(0, len(features), ROWS_AT_ONCE):
        block = features[start : start + ROWS_AT_ONCE]
        for name, mask in (("infinity", np.isinf(block)), ("NaN", np.isnan(block)), ("negative", block < 0)):
            found[name] += int(mask.any(axis=1).sum())
    return found
