"""The flow that an alert shows: one row of a table with its verdict, small enough to be kept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from flows.explanations import Explanation
from flows.table import FlowTable
from flows.verdicts import Verdicts

NO_EXTRAS: Final[dict[str, Any]] = {}


@dataclass(frozen=True, slots=True)
class Shared:
    """What all flows of one batch have in common; see `FlowTable` and `Verdicts`.

    Attributes:
        source: who asked for the verdict (sidecar, demo, api).
    """

    source: str
    feature_names: tuple[str, ...]
    dialect: str
    sensor: str
    interface: str
    threshold: float
    model_name: str
    model_version: str
    schema_id: str


class FlowSpan(NamedTuple):
    """Where a flow's packets are: its five-tuple, addresses as 16 bytes, and its time, UTC microseconds."""

    src_addr: bytes
    src_port: int
    dst_addr: bytes
    dst_port: int
    protocol: int
    start_us: int
    end_us: int


@dataclass(frozen=True, slots=True)
class AlertFlow:
    """One flow with its verdict; fields as in `FlowTable` and `Verdicts`, addresses as 16 bytes."""

    shared: Shared
    features: NDArray[np.float64]
    flow_uid: int
    revision: int
    src_addr: bytes
    dst_addr: bytes
    src_port: int
    dst_port: int
    protocol: int
    start_us: int
    end_us: int
    end_reason: int
    provisional: bool
    extras: dict[str, Any]
    code: int
    p_attack: float
    p_label: float
    explanation: Explanation | None

    def feature(self, name: str) -> float | None:
        """Return a feature's value, None when the flow has no such feature."""
        names = self.shared.feature_names
        return float(self.features[names.index(name)]) if name in names else None

    def table(self) -> FlowTable:
        """Return the flow as a table of one row."""
        return FlowTable.from_features(
            self.features.reshape(1, -1),
            self.shared.feature_names,
            self.shared.dialect,
            flow_uid=np.array([self.flow_uid], np.uint64),
            revision=np.array([self.revision], np.int32),
            src_addr=np.frombuffer(self.src_addr, np.uint8).reshape(1, 16),
            dst_addr=np.frombuffer(self.dst_addr, np.uint8).reshape(1, 16),
            src_port=np.array([self.src_port], np.int32),
            dst_port=np.array([self.dst_port], np.int32),
            protocol=np.array([self.protocol], np.int16),
            start_us=np.array([self.start_us], np.int64),
            end_us=np.array([self.end_us], np.int64),
            end_reason=np.array([self.end_reason], np.uint8),
            provisional=np.array([self.provisional], np.bool_),
            sensor=self.shared.sensor,
            interface=self.shared.interface,
            extras={name: np.array([value], object) for name, value in self.extras.items()},
        )

    def verdicts(self) -> Verdicts:
        """Return its verdict, as those of a table of one row."""
        return Verdicts(
            code=np.array([self.code], np.int32),
            p_attack=np.array([self.p_attack]),
            p_label=np.array([self.p_label]),
            insufficient=np.zeros(1, np.bool_),
            threshold=self.shared.threshold,
            model_name=self.shared.model_name,
            model_version=self.shared.model_version,
            schema_id=self.shared.schema_id,
            explanations=(self.explanation,),
        )


class FlowRows:
    """A batch's columns as plain lists, which one row after the other is read from fastest.

    The attributes are the table's and the verdicts' columns.
    """

    def __init__(self, table: FlowTable, verdicts: Verdicts, source: str) -> None:
        self._table = table
        self._verdicts = verdicts
        self.shared = Shared(
            source=source,
            feature_names=table.feature_names,
            dialect=table.dialect,
            sensor=table.sensor,
            interface=table.interface,
            threshold=verdicts.threshold,
            model_name=verdicts.model_name,
            model_version=verdicts.model_version,
            schema_id=verdicts.schema_id,
        )
        self.code: list[int] = verdicts.code.tolist()
        self.p_attack: list[float] = verdicts.p_attack.tolist()
        self.src_addr = _addresses(table.src_addr)
        self.dst_addr = _addresses(table.dst_addr)
        self.dst_port: list[int] = table.dst_port.tolist()
        self.start_us: list[int] = table.start_us.tolist()
        self.end_us: list[int] = table.end_us.tolist()

    def __len__(self) -> int:
        return len(self.code)

    def span(self, row: int) -> FlowSpan:
        """Return where a row's packets are."""
        return FlowSpan(
            self.src_addr[row],
            int(self._table.src_port[row]),
            self.dst_addr[row],
            self.dst_port[row],
            int(self._table.protocol[row]),
            self.start_us[row],
            self.end_us[row],
        )

    def flow(self, row: int) -> AlertFlow:
        """Return one row as a flow of its own, which keeps nothing of the batch alive."""
        table, explained = self._table, self._verdicts.explanations
        extras = {name: values[row] for name, values in table.extras.items() if values[row] is not None}
        return AlertFlow(
            shared=self.shared,
            features=table.features[row].copy(),
            flow_uid=int(table.flow_uid[row]),
            revision=int(table.revision[row]),
            src_addr=self.src_addr[row],
            dst_addr=self.dst_addr[row],
            src_port=int(table.src_port[row]),
            dst_port=self.dst_port[row],
            protocol=int(table.protocol[row]),
            start_us=self.start_us[row],
            end_us=self.end_us[row],
            end_reason=int(table.end_reason[row]),
            provisional=bool(table.provisional[row]),
            extras=extras or NO_EXTRAS,
            code=self.code[row],
            p_attack=self.p_attack[row],
            p_label=float(self._verdicts.p_label[row]),
            explanation=explained[row] if explained else None,
        )


def _addresses(packed: NDArray[np.uint8]) -> list[bytes]:
    octets = packed.tobytes()
    return [octets[at : at + 16] for at in range(0, len(octets), 16)]
