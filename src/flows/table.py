"""FlowTable: a columnar batch of flows, one row or a million."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from enum import IntEnum
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from flows.addresses import address_text
from flows.schema import schema_id

UNKNOWN_PORT: Final = -1
UNKNOWN_PROTOCOL: Final = -1
UNKNOWN_TIME: Final = int(np.iinfo(np.int64).min)


class EndReason(IntEnum):
    """Why a flow was emitted."""

    UNKNOWN = 0
    FIN = 1
    RST = 2
    TIMEOUT = 3
    IDLE = 4
    EVICTED = 5
    FLUSH = 6
    EARLY = 7


@dataclass(frozen=True, slots=True)
class FlowTable:
    """A batch of n flows with F features, in the order they were emitted.

    Attributes:
        feature_names: canonical names of the F columns of `features`.
        features: float64, n x F, C order, the dialect's raw values: inf and NaN stay.
        dialect: the rules that measured the flows.
        flow_uid: uint64, n; unique in one run of a sensor.
        revision: int32, n; 0 first, higher for later emissions of the same flow.
        src_addr, dst_addr: uint8, n x 16; IPv4 mapped, zero when unknown.
        src_port, dst_port: int32, n; -1 when unknown.
        protocol: int16, n; IP protocol number, -1 when unknown.
        start_us, end_us: int64, n; UTC microseconds, UNKNOWN_TIME when unknown.
        end_reason: uint8, n; an EndReason.
        provisional: bool, n.
        sensor, interface: where the flows were seen.
        extras: columns of the source that the schema does not know, n values each.
    """

    feature_names: tuple[str, ...]
    features: NDArray[np.float64]
    dialect: str
    flow_uid: NDArray[np.uint64]
    revision: NDArray[np.int32]
    src_addr: NDArray[np.uint8]
    dst_addr: NDArray[np.uint8]
    src_port: NDArray[np.int32]
    dst_port: NDArray[np.int32]
    protocol: NDArray[np.int16]
    start_us: NDArray[np.int64]
    end_us: NDArray[np.int64]
    end_reason: NDArray[np.uint8]
    provisional: NDArray[np.bool_]
    sensor: str = ""
    interface: str = ""
    extras: dict[str, NDArray[Any]] = field(default_factory=dict)

    def __len__(self) -> int:
        return int(self.features.shape[0])

    @property
    def schema_id(self) -> str:
        """The id of the feature schema."""
        return schema_id(self.feature_names)

    @classmethod
    def from_features(
        cls,
        features: NDArray[np.float64],
        feature_names: Sequence[str],
        dialect: str,
        **columns: Any,
    ) -> FlowTable:
        """Make a table of rows whose identity is unknown unless `columns` gives it."""
        n = features.shape[0]
        if features.ndim != 2 or features.shape[1] != len(feature_names):
            raise ValueError(
                f"features must be n x {len(feature_names)}, not {' x '.join(map(str, features.shape))}"
            )
        defaults: dict[str, Any] = {
            "flow_uid": np.arange(n, dtype=np.uint64),
            "revision": np.zeros(n, np.int32),
            "src_addr": np.zeros((n, 16), np.uint8),
            "dst_addr": np.zeros((n, 16), np.uint8),
            "src_port": np.full(n, UNKNOWN_PORT, np.int32),
            "dst_port": np.full(n, UNKNOWN_PORT, np.int32),
            "protocol": np.full(n, UNKNOWN_PROTOCOL, np.int16),
            "start_us": np.full(n, UNKNOWN_TIME, np.int64),
            "end_us": np.full(n, UNKNOWN_TIME, np.int64),
            "end_reason": np.zeros(n, np.uint8),
            "provisional": np.zeros(n, np.bool_),
        }
        return cls(
            feature_names=tuple(feature_names),
            features=np.ascontiguousarray(features, dtype=np.float64),
            dialect=dialect,
            **(defaults | columns),
        )

    def column(self, name: str) -> NDArray[np.float64]:
        """Return one feature's n values.

        Raises:
            KeyError: the table has no such feature.
        """
        try:
            return self.features[:, self.feature_names.index(name)]
        except ValueError:
            raise KeyError(name) from None

    def select(self, names: Sequence[str]) -> NDArray[np.float64]:
        """Return the named features as an n x len(names) C-ordered copy.

        Raises:
            KeyError: the table lacks one of them; all that are missing are named.
        """
        missing = [name for name in names if name not in self.feature_names]
        if missing:
            raise KeyError(", ".join(missing))
        where = [self.feature_names.index(name) for name in names]
        return np.ascontiguousarray(self.features[:, where])

    def take(self, rows: NDArray[Any] | slice) -> FlowTable:
        """Return the rows chosen by a mask, indices or a slice."""
        per_row = {name: getattr(self, name)[rows] for name in ROW_COLUMNS}
        extras = {name: values[rows] for name, values in self.extras.items()}
        return replace(self, **per_row, extras=extras)

    def source(self, row: int) -> str | None:
        """Return the source address of a row as text, None when unknown."""
        return address_text(self.src_addr[row].tobytes())

    def destination(self, row: int) -> str | None:
        """Return the destination address of a row as text, None when unknown."""
        return address_text(self.dst_addr[row].tobytes())


ROW_COLUMNS: Final = (
    "features",
    "flow_uid",
    "revision",
    "src_addr",
    "dst_addr",
    "src_port",
    "dst_port",
    "protocol",
    "start_us",
    "end_us",
    "end_reason",
    "provisional",
)


def concat_tables(tables: Iterable[FlowTable]) -> FlowTable:
    """Join tables of one schema and dialect; extras that not all of them have are dropped.

    Raises:
        ValueError: there is no table, or schemas or dialects differ.
    """
    parts = list(tables)
    if not parts:
        raise ValueError("no table to join")
    first = parts[0]
    for part in parts[1:]:
        if (part.feature_names, part.dialect) != (first.feature_names, first.dialect):
            raise ValueError("tables of different schemas or dialects cannot be joined")
    if len(parts) == 1:
        return first
    shared = set(first.extras).intersection(*(part.extras for part in parts))
    columns: dict[str, Any] = {
        name: np.concatenate([getattr(part, name) for part in parts]) for name in ROW_COLUMNS
    }
    columns["extras"] = {
        name: np.concatenate([part.extras[name] for part in parts]) for name in first.extras if name in shared
    }
    return replace(first, **columns)
