"""The alert book: every alert, for people: found, looked at, acknowledged and judged."""

from __future__ import annotations

import ipaddress
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

from alerting.alert import AlertRevision
from alerting.book.feed import Feed, Subscription
from alerting.book.filters import AlertFilter, AlertQuery
from alerting.book.intake import CAPACITY, Intake
from alerting.book.labelled_flows import LabelledFlowsExport
from alerting.book.reader import AlertPage, BookReader, Ends
from alerting.book.statistics import statistics
from alerting.book.status import BookStatus
from alerting.book.store import Acknowledgement, Change, Judgement, Verdict
from alerting.book.writer import BookLimits, Writer
from alerting.clock import SYSTEM_CLOCK, Clock
from flows.addresses import MAPPED_PREFIX, Network
from flows.labels import ATTACK, BY_CODE, NOVELTY, find_label

ANSWER_SECONDS: Final = 10.0
SPECIAL: Final = ("is_loopback", "is_link_local", "is_multicast", "is_unspecified")


@dataclass(frozen=True, slots=True)
class AlertDetail:
    """An alert in full.

    Attributes:
        summary: as lists show it.
        eve: the object of its latest message, as alerts.json has it.
        evidence: the capture of its first packets, None while there is none.
    """

    summary: dict[str, Any]
    eve: dict[str, Any]
    evidence: Path | None


class AlertBook:
    """Takes alerts' messages, and answers who asks for alerts.

    But for `take`, `subscribe` and `status`, methods wait for the disk: no event loop may call them itself.
    """

    def __init__(
        self,
        path: Path,
        *,
        limits: BookLimits | None = None,
        evidence: Callable[[str], Path | None] = lambda _: None,
        never_blocked: Callable[[], Sequence[Network]] = tuple,
        capacity: int = CAPACITY,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        """Make a book that is not open yet.

        Args:
            path: its file.
            limits: how much is kept.
            evidence: returns the capture of an alert's first packets.
            never_blocked: returns the networks that no block list names.
            capacity: how many messages may wait in memory.
            clock: where the time comes from.
        """
        self._limits = limits or BookLimits()
        self._evidence = evidence
        self._never_blocked = never_blocked
        self._clock = clock
        self._intake = Intake(capacity)
        self._reader = BookReader(path)
        self._feed = Feed(self._reader.changed, self._reader.last_seq)
        self._writer = Writer(
            path,
            self._intake,
            self._limits,
            clock=clock,
            opened=self._opened,
            committed=self._feed.look,
        )

    def start(self) -> None:
        """Start the threads."""
        self._writer.start()
        self._feed.start()

    def stop(self, timeout: float) -> None:
        """Commit what waits, for at most `timeout` seconds."""
        deadline = time.monotonic() + timeout
        self._feed.stop(timeout / 2)
        self._writer.stop(max(0.1, deadline - time.monotonic()))
        self._reader.reopen()

    def take(self, alerts: Sequence[AlertRevision]) -> None:
        """Take over messages of alerts; never waits, and counts what finds no room."""
        self._intake.put(alerts)

    def page(self, query: AlertQuery) -> AlertPage:
        """Return the alerts that fit a query, the newest first."""
        return self._reader.page(query)

    def last_seq(self) -> int:
        """Return the number of the latest change of any alert."""
        return self._reader.last_seq()

    def get(self, alert_id: str) -> AlertDetail | None:
        """Return an alert, None when there is none of that id."""
        found = self._reader.get(alert_id)
        if found is None:
            return None
        summary, eve = found
        return AlertDetail(summary, eve, self._evidence(summary["id"]))

    def acknowledge(self, alert_id: str, who: str | None) -> dict[str, Any] | None:
        """Note that somebody saw an alert; return its summary, None when there is none of that id.

        Raises:
            OSError: the book cannot be written at present.
        """
        return self._changed(Acknowledgement(alert_id, who))

    def label(
        self, alert_id: str, verdict: Verdict, label: str | None, note: str | None, who: str | None
    ) -> dict[str, Any] | None:
        """Note what an alert's flow really was; return its summary, None when there is none of that id.

        The flow is kept with that label, as training data, in the place of what was said of the alert before.

        Args:
            alert_id: the alert's.
            verdict: whether it was an attack.
            label: of an attack its class, in any data set's spelling; None: the alert's.
            note: for the reader.
            who: says so.

        Raises:
            ValueError: there is no such class, or it contradicts the verdict.
            OSError: the book cannot be written at present.
        """
        code = None if label is None else find_label(label).code
        if verdict == "false_positive":
            if code:
                raise ValueError(f"a false positive is benign, not {BY_CODE[code].name}: leave the class out")
            code = 0
        elif code == 0:
            raise ValueError("a true positive is an attack, not benign: name its class, or none")
        if code is None:
            found = self._reader.get(alert_id)
            if found is None:
                return None
            code = int(found[0]["prediction"])
            # What is unlike all that was known is, when true, an attack whose kind nobody told.
            code = ATTACK if code == NOVELTY else code
        return self._changed(Judgement(alert_id, verdict, code, note, who))

    def labelled(self, dialect: str) -> LabelledFlowsExport:
        """Return the labelled flows that were measured in a dialect, in the order labelled."""
        return self._reader.labelled(dialect)

    def judged(self) -> dict[str, dict[str, int]]:
        """Return how many judged alerts there are, by their class and by the class somebody gave."""
        return self._reader.judged()

    def statistics(self, since: datetime, until: datetime, buckets: int) -> dict[str, Any]:
        """Return how many alerts were opened in a time, in parts of equal length, by class and severity."""
        return statistics(self._reader.opened(since, until, buckets), since, until, buckets)

    def top(self, kind: Ends, since: datetime, n: int) -> list[dict[str, Any]]:
        """Return the sources, or targets, of most alerts that changed since a time."""
        return self._reader.top(kind, since, n)

    def blocklist(self, severity: int, age: timedelta, origins: Sequence[str]) -> list[Network]:
        """Return networks to block: the sources of alerts.

        Nothing of the networks that are never blocked is listed, nor loopback, link-local and multicast
        addresses.

        Args:
            severity: 1 to 3; of alerts that are at least as bad.
            age: how long ago they may have changed.
            origins: who had the flows judged (sidecar, api and so on).
        """
        since = self._clock.wall_us() - int(age.total_seconds() * 1e6)
        never = tuple(self._never_blocked())
        blocked = [
            address for address in self._addresses(severity, since, origins) if _may_block(address, never)
        ]
        v4 = [each for each in blocked if isinstance(each, ipaddress.IPv4Network)]
        v6 = [each for each in blocked if isinstance(each, ipaddress.IPv6Network)]
        return [*ipaddress.collapse_addresses(v4), *ipaddress.collapse_addresses(v6)]

    def subscribe(self, wanted: AlertFilter, after: int | None) -> Subscription:
        """Return a subscription to alerts that change, of the running event loop.

        Args:
            wanted: which.
            after: the `seq` after which changes are told; None: from now on.

        Raises:
            OverflowError: there are too many subscribers.
        """
        return self._feed.subscribe(wanted, after)

    def status(self) -> BookStatus:
        """Return the counters."""
        intake, owner, contents = self._intake, self._writer.owner, self._writer.contents
        with intake.changed:
            waiting, offered, committed = intake.waiting(), intake.offered, intake.committed
            lost = dict(intake.lost)
        return BookStatus(
            running=owner.running,
            restarts=owner.restarts,
            offered=offered,
            committed=committed,
            waiting=waiting,
            capacity=intake.capacity,
            lost=lost,
            alerts=contents.alerts,
            labels=contents.labels,
            bytes=contents.bytes,
            limit_bytes=self._limits.max_bytes,
            deleted=self._writer.deleted,
            error=owner.error,
            notes=owner.notes,
            live=self._feed.status(),
        )

    def _opened(self) -> None:
        self._reader.reopen()
        self._feed.look()

    def _changed(self, change: Change) -> dict[str, Any] | None:
        try:
            return self._intake.ask(change).result(ANSWER_SECONDS)
        except CancelledError:
            raise OSError("the alert book is closed") from None

    def _addresses(self, severity: int, since_us: int, origins: Sequence[str]) -> Iterator[Network]:
        for packed, _ in self._reader.sources(severity, since_us, origins):
            is_v4 = packed.startswith(MAPPED_PREFIX)
            yield ipaddress.ip_network(packed[12:] if is_v4 else packed)


def _may_block(address: Network, never: Sequence[Network]) -> bool:
    first = address.network_address
    return not any(getattr(first, kind) for kind in SPECIAL) and not any(first in each for each in never)
