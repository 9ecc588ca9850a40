"""Labelled flows as a table that evaluation and training read."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import orjson
from numpy.typing import NDArray
from sqlalchemy import Row, select

from alerting.book.tables import FEATURE_SETS, LABELS
from flows.labels import BY_CODE
from flows.schema import COMMON_NAMES
from flows.table import FlowTable

LABELLED: Final = (
    select(LABELS, FEATURE_SETS.c.dialect, FEATURE_SETS.c.names)
    .join(FEATURE_SETS, FEATURE_SETS.c.id == LABELS.c.feature_set)
    .order_by(LABELS.c.labelled_us, LABELS.c.alert_id)
)
"""The rows that `labelled_flows` reads."""

_COLUMNS: Final[dict[str, type]] = {
    "flow_uid": np.uint64,
    "revision": np.int32,
    "src_port": np.int32,
    "dst_port": np.int32,
    "protocol": np.int16,
    "start_us": np.int64,
    "end_us": np.int64,
    "end_reason": np.uint8,
    "provisional": np.bool_,
}


@dataclass(frozen=True, slots=True)
class LabelledFlowsExport:
    """Labelled flows of one dialect.

    Attributes:
        table: their flows in the order labelled, with extras `label`, `alert_id`, `verdict` and `note`.
        left_out: labelled flows of other dialects, or without features that all models share.
    """

    table: FlowTable
    left_out: int


def labelled_flows(rows: Iterable[Row[Any]], dialect: str) -> LabelledFlowsExport:
    """Return the labelled flows of a dialect; features that only some of them have are left out."""
    found = list(rows)
    names = {row.feature_set: tuple(orjson.loads(row.names)) for row in found}
    chosen = [
        row for row in found if row.dialect == dialect and set(COMMON_NAMES) <= {*names[row.feature_set]}
    ]
    shared = _shared([names[each] for each in dict.fromkeys(row.feature_set for row in chosen)])
    flows = [orjson.loads(row.flow) for row in chosen]
    table = FlowTable.from_features(
        _matrix(chosen, names, shared),
        shared,
        dialect,
        **{name: np.array([flow[name] for flow in flows], kind) for name, kind in _COLUMNS.items()},
        src_addr=_addresses([flow["src_addr"] for flow in flows]),
        dst_addr=_addresses([flow["dst_addr"] for flow in flows]),
        extras={
            "label": _texts(BY_CODE[row.code].name for row in chosen),
            "alert_id": _texts(row.alert_id for row in chosen),
            "verdict": _texts(row.verdict for row in chosen),
            "note": _texts(row.note for row in chosen),
        },
    )
    return LabelledFlowsExport(table, len(found) - len(chosen))


def _shared(sets: Sequence[tuple[str, ...]]) -> tuple[str, ...]:
    if not sets:
        return COMMON_NAMES
    return tuple(name for name in sets[0] if all(name in others for others in sets[1:]))


def _matrix(
    rows: Sequence[Row[Any]], names: dict[int, tuple[str, ...]], shared: tuple[str, ...]
) -> NDArray[np.float64]:
    places = {each: [of.index(name) for name in shared] for each, of in names.items() if {*shared} <= {*of}}
    matrix = np.empty((len(rows), len(shared)))
    for at, row in enumerate(rows):
        matrix[at] = np.frombuffer(row.features, np.float64)[places[row.feature_set]]
    return matrix


def _addresses(texts: Sequence[str]) -> NDArray[np.uint8]:
    return np.frombuffer(bytes.fromhex("".join(texts)), np.uint8).reshape(-1, 16)


def _texts(values: Iterable[str | None]) -> NDArray[np.object_]:
    return np.array([*values, None], object)[:-1]
