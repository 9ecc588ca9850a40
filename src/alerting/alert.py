"""An alert: the verdicts of one class about one source in one window, and the messages it sends."""

from __future__ import annotations

import uuid
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final, Generic, TypeVar

from alerting.alert_flow import AlertFlow, FlowRows, FlowSpan
from alerting.severity import severity
from flows.addresses import UNKNOWN
from flows.explanations import Explanation
from flows.table import UNKNOWN_TIME

SUMMARY: Final = 20
"""How many distinct destinations, and ports, an alert names."""

FIRST_FLOWS: Final = 5
"""Of how many flows the packets are evidence."""

ValueT = TypeVar("ValueT", bound=Hashable)


class Closing(StrEnum):
    """Why an alert is closed."""

    WINDOW = "window"
    SINGLE = "single"
    CAPACITY = "capacity"
    SHUTDOWN = "shutdown"


@dataclass(frozen=True, slots=True)
class Summary(Generic[ValueT]):
    """The first distinct values of something, `SUMMARY` at most.

    Attributes:
        values: in the order seen.
        more: there were others.
    """

    values: tuple[ValueT, ...] = ()
    more: bool = False

    def plus(self, value: ValueT) -> Summary[ValueT]:
        """Return the summary with one more value."""
        if self.more or value in self.values:
            return self
        if len(self.values) < SUMMARY:
            return Summary((*self.values, value))
        return Summary(self.values, more=True)


@dataclass(frozen=True, slots=True)
class AlertRevision:
    """One message of an alert; `alert_id` and `revision` together are its identity.

    Attributes:
        alert_id: the same in every revision of the alert.
        revision: 1 first.
        closing: why this is the last revision, None while the alert is open.
        made_us: when the message was made, UTC microseconds.
        count: verdicts so far.
        first_us, last_us: start of the earliest and end of the latest flow, UTC microseconds,
            UNKNOWN_TIME when unknown.
        p_attack_max: the largest P(attack) so far.
        destinations: addresses, 16 bytes each, unknown ones left out.
        ports: of the destinations.
        flow: the flow that opened or revised the alert, the latest one of a closed alert.
        explanation: what moved the model with that flow; None when nobody says.
        first_flows: of an opening message, the alert's first flows, `FIRST_FLOWS` at most; the list grows
            until the next message.
        evidence: file name of the packets of the first flows, None while there is none.
    """

    alert_id: str
    revision: int
    closing: Closing | None
    made_us: int
    count: int
    first_us: int
    last_us: int
    p_attack_max: float
    destinations: Summary[bytes]
    ports: Summary[int]
    flow: AlertFlow
    first_flows: Sequence[FlowSpan] = ()
    explanation: Explanation | None = None
    evidence: str | None = None
    # What `eve_record` made: the log, the outbox and the book want the same. A copy by `replace` has its own.
    made: list[dict[str, Any]] = field(default_factory=list, init=False, repr=False, compare=False)
    line: list[bytes] = field(default_factory=list, init=False, repr=False, compare=False)

    @property
    def severity(self) -> int:
        """1 high, 2 medium, 3 low."""
        return severity(self.flow.code, self.p_attack_max)

    @property
    def opens_or_revises(self) -> bool:
        """Whether a flow made this revision, not the end of the alert."""
        return self.closing in (None, Closing.SINGLE)


class Alert:
    """An alert that verdicts are added to."""

    __slots__ = (
        "_destinations",
        "_first_flows",
        "_p_attack_max",
        "_ports",
        "_revision",
        "alert_id",
        "count",
        "first_us",
        "flow",
        "last_us",
        "opened_at",
        "told",
        "told_at",
    )
    # What an alert is must stay small: a flood from made-up sources has tens of thousands of them.

    def __init__(self, rows: FlowRows, row: int, now: float) -> None:
        """Open an alert with its first verdict, at `now` monotonic seconds."""
        self.alert_id = str(uuid.uuid4())
        self.opened_at = now
        self.told_at = now
        self.told = 0
        self.count = 0
        self.first_us = UNKNOWN_TIME
        self.last_us = UNKNOWN_TIME
        self.flow = rows.flow(row)
        self._revision = 0
        self._p_attack_max = 0.0
        self._first_flows: list[FlowSpan] = []
        self._destinations: Summary[bytes] = Summary()
        self._ports: Summary[int] = Summary()
        self.add(rows, row)

    @property
    def untold(self) -> bool:
        """Whether verdicts came since the last revision."""
        return self.count > self.told

    def add(self, rows: FlowRows, row: int) -> None:
        """Count one more verdict; `flow` is the caller's to set."""
        self.count += 1
        if self._revision < 2 and len(self._first_flows) < FIRST_FLOWS:
            self._first_flows.append(rows.span(row))
        self._p_attack_max = max(self._p_attack_max, rows.p_attack[row])
        start, end = rows.start_us[row], rows.end_us[row]
        if start != UNKNOWN_TIME and (self.first_us == UNKNOWN_TIME or start < self.first_us):
            self.first_us = start
        self.last_us = max(self.last_us, end)
        if not self._destinations.more and rows.dst_addr[row] != UNKNOWN:
            self._destinations = self._destinations.plus(rows.dst_addr[row])
        if not self._ports.more and rows.dst_port[row] >= 0:
            self._ports = self._ports.plus(rows.dst_port[row])

    def revise(self, now: float, made_us: int, closing: Closing | None = None) -> AlertRevision:
        """Return the next message, made at `now` monotonic seconds."""
        self._revision += 1
        self.told, self.told_at = self.count, now
        if self._revision == 2:
            self._first_flows = []
        return AlertRevision(
            alert_id=self.alert_id,
            revision=self._revision,
            closing=closing,
            made_us=made_us,
            count=self.count,
            first_us=self.first_us,
            last_us=self.last_us,
            p_attack_max=self._p_attack_max,
            destinations=self._destinations,
            ports=self._ports,
            flow=self.flow,
            first_flows=self._first_flows,
            explanation=self.flow.explanation,
        )
