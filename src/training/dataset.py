"""Labelled flows as training data."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from flows.table import UNKNOWN_PORT, UNKNOWN_TIME

UNKNOWN_PAIR: Final = -1
UNKNOWN_ACTIVITY: Final = -1


@dataclass(frozen=True, slots=True)
class LabelledFlows:
    """n flows with their classes, in the order of their start; those whose start is unknown come first.

    Attributes:
        features: float64, n x F, raw: inf, NaN and negative values as they were measured.
        names: the features' canonical names.
        codes: int32, n; class codes.
        dialect: the rules that measured the flows.
        start_us: int64, n; UTC microseconds, UNKNOWN_TIME when unknown.
        pair: int64, n; the same number for all flows between the same two hosts, whoever began them,
            UNKNOWN_PAIR when an address is unknown.
        dst_port: int32, n; UNKNOWN_PORT when unknown.
        source: int32, n; which one of `sources` a flow is of.
        sources: names of the files, days or captures.
        activity: int32, n; which one of `activities` made a flow, UNKNOWN_ACTIVITY when that is not known.
        activities: names of what makes flows, as the testbed tells them.
        rows_read: rows that there were: len() and all that were dropped.
        dropped: rows that were left out, by reason.
    """

    features: NDArray[np.float64]
    names: tuple[str, ...]
    codes: NDArray[np.int32]
    dialect: str
    start_us: NDArray[np.int64]
    pair: NDArray[np.int64]
    dst_port: NDArray[np.int32]
    source: NDArray[np.int32]
    sources: tuple[str, ...]
    activity: NDArray[np.int32]
    activities: tuple[str, ...]
    rows_read: int
    dropped: Mapping[str, int] = field(default_factory=dict)

    def __len__(self) -> int:
        return int(self.codes.shape[0])

    @classmethod
    def of(
        cls,
        features: NDArray[np.float64],
        names: Sequence[str],
        codes: NDArray[np.int32],
        dialect: str,
        **columns: Any,
    ) -> Self:
        """Return flows of which nothing is known but what `columns` gives."""
        n = features.shape[0]
        defaults: dict[str, Any] = {
            "start_us": np.full(n, UNKNOWN_TIME, np.int64),
            "pair": np.full(n, UNKNOWN_PAIR, np.int64),
            "dst_port": np.full(n, UNKNOWN_PORT, np.int32),
            "source": np.zeros(n, np.int32),
            "sources": ("",),
            "activity": np.full(n, UNKNOWN_ACTIVITY, np.int32),
            "activities": (),
            "rows_read": n,
        }
        return cls(features, tuple(names), codes, dialect, **(defaults | columns))

    @property
    def made(self) -> NDArray[np.int32]:
        """A number for what made each flow: its activity, or else its class."""
        return np.where(self.activity == UNKNOWN_ACTIVITY, len(self.activities) + self.codes, self.activity)

    def take(self, rows: NDArray[Any] | slice) -> Self:
        """Return the rows chosen by a mask, indices or a slice, as a set of which nothing was dropped."""
        per_row = {name: getattr(self, name)[rows] for name in PER_ROW}
        return replace(self, **per_row, rows_read=len(per_row["codes"]), dropped={})


PER_ROW: Final = ("features", "codes", "start_us", "pair", "dst_port", "source", "activity")
NAMED: Final = {"source": "sources", "activity": "activities"}
"""Columns that are places in a tuple of names."""


def joined(parts: Sequence[LabelledFlows]) -> LabelledFlows:
    """Return the flows of all parts, one part after the other.

    Raises:
        ValueError: there is no part, or their features or dialects differ.
    """
    if not parts:
        raise ValueError("no flows to join")
    first = parts[0]
    for part in parts[1:]:
        if part.dialect != first.dialect:
            raise ValueError(
                f"{_named(part)}: its flows were measured in dialect {part.dialect}, those of "
                f"{_named(first)} in {first.dialect}: measure both alike"
            )
        if part.names != first.names:
            raise ValueError(f"{_named(part)} and {_named(first)} have different features")
    if len(parts) == 1:
        return first
    columns: dict[str, Any] = {
        name: np.concatenate([getattr(part, name) for part in parts]) for name in PER_ROW if name not in NAMED
    }
    for each, names in NAMED.items():
        columns[names], columns[each] = _renumbered(
            [(getattr(part, names), getattr(part, each)) for part in parts]
        )
    dropped: Counter[str] = Counter()
    for part in parts:
        dropped.update(part.dropped)
    return replace(
        first,
        **columns,
        rows_read=sum(part.rows_read for part in parts),
        dropped=dict(dropped),
    )


def _renumbered(
    parts: Sequence[tuple[tuple[str, ...], NDArray[np.int32]]],
) -> tuple[tuple[str, ...], NDArray[np.int32]]:
    """Return all names once, and which of them each row has, -1 where it has none."""
    names = tuple(dict.fromkeys(name for known, _ in parts for name in known))
    number = {name: at for at, name in enumerate(names)}
    rows = [np.array([*(number[name] for name in known), -1], np.int32)[at] for known, at in parts]
    return names, np.concatenate(rows)


def _named(part: LabelledFlows) -> str:
    return ", ".join(part.sources)
