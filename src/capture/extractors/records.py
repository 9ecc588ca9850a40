"""What the extractor's process writes, as flow tables of dialect python-cicflowmeter."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np

from flows.dialects import IMPROVED, PYTHON
from flows.records import table_from_records
from flows.table import EndReason, FlowTable

_MICROSECONDS: Final = "0.2.0"


@dataclass(slots=True)
class FlowReader:
    """Makes tables of one extractor's flows; their uids go on from table to table.

    Attributes:
        release: the release of cicflowmeter that measures.
        sensor, interface: names that the tables carry.
    """

    release: str
    sensor: str = ""
    interface: str = ""
    _next_uid: int = 0

    def __post_init__(self) -> None:
        # As the meter's: uids of two runs of a sensor must not meet.
        self._next_uid = secrets.randbits(31) << 32

    def table(self, flows: Sequence[dict[str, Any]]) -> FlowTable:
        """Return n flows, in the schema's units.

        Args:
            flows: n `flow` lines of the process.

        Raises:
            ValueError: a line is not one that the process writes.
        """
        # 0.2.0 has its times in microseconds, as the schema has them; 0.5.0 in seconds.
        units = IMPROVED if self.release == _MICROSECONDS else PYTHON
        table = table_from_records([flow["record"] for flow in flows], dialect=units).table
        first = self._next_uid
        self._next_uid += len(flows)
        return replace(
            table,
            dialect=PYTHON,
            sensor=self.sensor,
            interface=self.interface,
            flow_uid=np.arange(first, self._next_uid, dtype=np.uint64),
            start_us=np.array([flow["start_us"] for flow in flows], np.int64),
            end_us=np.array([flow["end_us"] for flow in flows], np.int64),
            end_reason=np.array([EndReason[flow["reason"].upper()] for flow in flows], np.uint8),
        )
