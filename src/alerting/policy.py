"""The alert policy: attack verdicts in, messages of alerts out.

Verdicts of one class about one source are one alert for the length of a window. It opens with its first
verdict, is revised while more come, and closes with the final count.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import numpy as np
from numpy.typing import NDArray

from alerting.alert import Alert, AlertRevision, Closing
from alerting.alert_flow import FlowRows
from alerting.budget import Budget
from alerting.clock import SYSTEM_CLOCK, Clock
from alerting.counted_flows import CountedFlows
from alerting.rules_file import RulesFile, RulesStatus
from flows.addresses import UNKNOWN
from flows.labels import BY_CODE
from flows.table import FlowTable
from flows.verdicts import Verdicts

WINDOW_SECONDS: Final = 300.0
REVISE_SECONDS: Final = 30.0
MAX_OPEN: Final = 50_000
"""Alerts open at once, about 2 kB each; one more closes the oldest before its time."""

HOUR_SECONDS: Final = 3600
COUNTED_BEFORE: Final = "counted provisionally"
"""What suppresses a flow's later verdicts that say the same."""

NO_BUDGETS: Final[Mapping[int, int]] = MappingProxyType({})

_Key = tuple[str, bytes, int]


@dataclass(frozen=True, slots=True)
class PolicyCounts:
    """Where attack verdicts went: taken = aggregated + sum(suppressed).

    Attributes:
        taken: attack verdicts that came in.
        aggregated: of these, those that an alert counts.
        suppressed: those that none does, by the name of the rule, or the class whose budget is spent, or
            because the flow was counted when it was scored provisionally.
        opened: alerts opened.
        closed: alerts closed, by reason; opened = sum(closed) + open.
        messages: revisions made, of all alerts.
        open: alerts open.
        capacity: how many may be.
    """

    taken: int
    aggregated: int
    suppressed: dict[str, int]
    opened: int
    closed: dict[str, int]
    messages: int
    open: int
    capacity: int


class AlertPolicy:
    """Decides what becomes of attack verdicts. One thread calls; any may read `counts`.

    Methods that yield do their work as far as they are read: read them to the end.
    """

    def __init__(
        self,
        *,
        aggregated: Collection[str] = (),
        window: float = WINDOW_SECONDS,
        rules: RulesFile | None = None,
        clock: Clock = SYSTEM_CLOCK,
        max_open: int = MAX_OPEN,
        per_hour: Mapping[int, int] = NO_BUDGETS,
    ) -> None:
        """Make a policy with no alert open.

        Args:
            aggregated: the sources (sidecar, demo, api) whose verdicts are; of the others, and where the
                source address is unknown, every verdict is an alert of its own, opened and closed at once.
            window: seconds an alert stays open.
            rules: what is suppressed, nothing without.
            clock: where the time comes from.
            max_open: how many alerts may be open at once.
            per_hour: how many alerts of a class code may be opened an hour; of others, any number.
        """
        self._sources = frozenset(aggregated)
        self._window = window
        self._rules = rules
        self._clock = clock
        self._max_open = max_open
        self._budgets = {
            code: Budget(most / HOUR_SECONDS, most, clock.monotonic) for code, most in per_hour.items()
        }
        # Oldest first, because windows are equally long.
        self._open: dict[_Key, Alert] = {}
        # Those that may not be revised yet, in the order of their last revision; the others have no news.
        self._resting: dict[_Key, Alert] = {}
        self._counted = CountedFlows()
        self._taken = self._aggregated = self._opened = self._messages = 0
        self._suppressed: Counter[str] = Counter()
        self._closed: Counter[str] = Counter()

    def take(self, table: FlowTable, verdicts: Verdicts, source: str) -> Iterator[AlertRevision]:
        """Take the attacks among a table's verdicts; `source` says who asked for them."""
        yield from self.tick()
        attacks = np.flatnonzero(verdicts.is_attack)
        self._taken += len(attacks)
        attacks = self._first_told(table, verdicts, self._unsuppressed(table, verdicts, attacks))
        if not len(attacks):
            return
        rows = FlowRows(table.take(attacks), verdicts.take(attacks), source)
        now = self._clock.monotonic()
        latest: dict[_Key, int] = {}
        for row in range(len(rows)):
            key = source, rows.src_addr[row], rows.code[row]
            if key not in self._open and not self._within_budget(rows.code[row]):
                continue
            self._aggregated += 1
            if source in self._sources and rows.src_addr[row] != UNKNOWN:
                latest[key] = row
                yield from self._aggregate(key, rows, row, now)
            else:
                yield self._single(rows, row, now)
        for key, row in latest.items():
            if alert := self._open.get(key):
                alert.flow = rows.flow(row)

    def tick(self) -> Iterator[AlertRevision]:
        """Close the alerts whose window is over, and revise those that have news."""
        now = self._clock.monotonic()
        if self._rules:
            self._rules.refresh(now)
        yield from self._close_while(lambda alert: now - alert.opened_at >= self._window, Closing.WINDOW)
        while self._resting:
            key, alert = next(iter(self._resting.items()))
            if now - alert.told_at < REVISE_SECONDS:
                return
            del self._resting[key]
            if alert.untold:
                yield self._revise(key, alert, now)

    def close(self) -> Iterator[AlertRevision]:
        """Close every alert, for the end of the service."""
        return self._close_while(lambda _: True, Closing.SHUTDOWN)

    def counts(self) -> PolicyCounts:
        """Return the counters."""
        return PolicyCounts(
            taken=self._taken,
            aggregated=self._aggregated,
            suppressed=dict(self._suppressed),
            opened=self._opened,
            closed=dict(self._closed),
            messages=self._messages,
            open=len(self._open),
            capacity=self._max_open,
        )

    def rules_status(self) -> RulesStatus | None:
        """Return the state of the rules file, None without one."""
        return self._rules.status() if self._rules else None

    def _unsuppressed(
        self, table: FlowTable, verdicts: Verdicts, attacks: NDArray[np.intp]
    ) -> NDArray[np.intp]:
        """Return which of these rows no rule suppresses; counts the others."""
        if not self._rules or not len(attacks):
            return attacks
        for rule in self._rules.in_force(self._clock.wall_us()):
            matched = rule.matches(table.take(attacks), verdicts.code[attacks])
            if found := int(np.count_nonzero(matched)):
                self._suppressed[rule.name] += found
                attacks = attacks[~matched]
        return attacks

    def _first_told(
        self, table: FlowTable, verdicts: Verdicts, attacks: NDArray[np.intp]
    ) -> NDArray[np.intp]:
        """Return which of these rows tell of a flow that no alert counts as that; counts the others."""
        if not len(attacks):
            return attacks
        told = self._counted.first_told(table.take(attacks), verdicts.code[attacks])
        if again := int(np.count_nonzero(~told)):
            self._suppressed[COUNTED_BEFORE] += again
        return attacks[told]

    def _within_budget(self, code: int) -> bool:
        budget = self._budgets.get(code)
        if budget is None or budget.take():
            return True
        self._suppressed[f"budget of {BY_CODE[code].name}"] += 1
        return False

    def _aggregate(self, key: _Key, rows: FlowRows, row: int, now: float) -> Iterator[AlertRevision]:
        alert = self._open.get(key)
        if alert is None:
            yield from self._close_while(lambda _: len(self._open) >= self._max_open, Closing.CAPACITY)
            self._open[key] = alert = Alert(rows, row, now)
            self._opened += 1
            yield self._revise(key, alert, now)
            return
        alert.add(rows, row)
        if now - alert.told_at >= REVISE_SECONDS:
            alert.flow = rows.flow(row)
            yield self._revise(key, alert, now)

    def _single(self, rows: FlowRows, row: int, now: float) -> AlertRevision:
        self._opened += 1
        return self._finish(Alert(rows, row, now), now, Closing.SINGLE)

    def _revise(self, key: _Key, alert: Alert, now: float) -> AlertRevision:
        self._resting.pop(key, None)
        self._resting[key] = alert
        self._messages += 1
        return alert.revise(now, self._clock.wall_us())

    def _finish(self, alert: Alert, now: float, closing: Closing) -> AlertRevision:
        self._closed[closing] += 1
        self._messages += 1
        return alert.revise(now, self._clock.wall_us(), closing)

    def _close_while(self, ends: Callable[[Alert], bool], closing: Closing) -> Iterator[AlertRevision]:
        """Close alerts, the oldest first, as long as `ends` says so of the oldest."""
        while self._open:
            key, alert = next(iter(self._open.items()))
            if not ends(alert):
                return
            del self._open[key]
            self._resting.pop(key, None)
            yield self._finish(alert, self._clock.monotonic(), closing)
