"""What the outbox says of itself."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TransportStatus:
    """One transport: committed = delivered + pending + dead, over all starts.

    Attributes:
        name: the transport's.
        configured: messages are committed for it, and it delivers.
        running: its thread is alive.
        restarts: how often its work was taken up again after a defect.
        committed: messages it was to deliver.
        delivered: those it did.
        pending: those it is still to deliver.
        dead: those given up.
        discarded: of these, those that were deleted and cannot be retried.
        oldest_seconds: how long the oldest pending one has been waiting.
        failures: attempts that failed since the start, one a message.
        error: why the last attempt failed, None when it did not.
        delivered_at: when it last delivered one since the start, UTC, None before.
    """

    name: str
    configured: bool
    running: bool
    restarts: int
    committed: int
    delivered: int
    pending: int
    dead: int
    discarded: int
    oldest_seconds: float
    failures: int
    error: str | None
    delivered_at: str | None


@dataclass(frozen=True, slots=True)
class OutboxStatus:
    """What became of messages: offered = committed + waiting + sum(lost), since the start.

    Attributes:
        running: the thread that commits is alive.
        restarts: how often its work was taken up again after a failure, of the disk as well.
        offered: messages that came.
        committed: those on disk, or that were and were delivered.
        waiting: those that wait in memory to be committed.
        waiting_bytes: what they take there; at most `capacity_bytes`.
        capacity_bytes: how much may wait.
        lost: those that were not committed, by reason.
        messages: how many are kept.
        bytes: what the file holds.
        limit_bytes: how much it may.
        deleted: messages deleted, delivered ones, or the oldest to keep the limit.
        error: why nothing is being committed and what to do, None while it is.
        notes: what happened to the file that somebody should know.
        transports: each one that is configured or ever had a message.
    """

    running: bool
    restarts: int
    offered: int
    committed: int
    waiting: int
    waiting_bytes: int
    capacity_bytes: int
    lost: dict[str, int]
    messages: int
    bytes: int
    limit_bytes: int
    deleted: int
    error: str | None
    notes: tuple[str, ...]
    transports: tuple[TransportStatus, ...]
