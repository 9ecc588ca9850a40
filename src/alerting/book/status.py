"""What the alert book says of itself."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LiveStatus:
    """The subscribers of live alerts.

    Attributes:
        running: the thread that tells them is alive.
        subscribers: how many there are.
        capacity: how many there may be.
        subscribed: how many there ever were since the start.
        refused: those that found no room.
        dropped: those that were too slow.
        batches: messages that were handed to subscribers, one each.
        skipped: alerts that a message left out because there were too many.
        failures: looks at the book that failed.
    """

    running: bool
    subscribers: int
    capacity: int
    subscribed: int
    refused: int
    dropped: int
    batches: int
    skipped: int
    failures: int


@dataclass(frozen=True, slots=True)
class BookStatus:
    """What became of alerts' messages: offered = committed + waiting + sum(lost), since the start.

    Attributes:
        running: the thread that commits is alive.
        restarts: how often its work was taken up again after a failure, of the disk as well.
        offered: messages that came.
        committed: those that are in the book.
        waiting: those that wait in memory to be committed; at most `capacity`.
        capacity: how many may wait.
        lost: those that are not in the book, by reason.
        alerts, labels: how many are kept.
        bytes: what the file holds.
        limit_bytes: how much it may.
        deleted: alerts and labels deleted, because of their age or to keep the limit.
        error: why nothing is being committed and what to do, None while it is.
        notes: what happened to the file that somebody should know.
        live: the subscribers.
    """

    running: bool
    restarts: int
    offered: int
    committed: int
    waiting: int
    capacity: int
    lost: dict[str, int]
    alerts: int
    labels: int
    bytes: int
    limit_bytes: int
    deleted: int
    error: str | None
    notes: tuple[str, ...]
    live: LiveStatus
