"""What a sensor says of its flows that are scored elsewhere."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CentralStatus:
    """The way to the central service.

    Since the start, handed_over = waiting + sum(lost) + what was spooled; over all starts,
    spooled = pending + delivered + sum(dropped).

    Attributes:
        url: where flows are sent.
        spool_running, sender_running: the threads are alive.
        restarts: how often their work was taken up again after a failure, of the disk as well.
        handed_over: captured flows.
        waiting: those in memory that wait to be spooled.
        lost: those that were not, by reason.
        spooled: flows that came to disk.
        delivered: those that were taken.
        dropped: those that were not and are gone, by reason.
        pending: those that wait on disk.
        pending_batches: in so many batches.
        oldest_seconds: how long the oldest has been waiting.
        bytes: what they take there; the oldest make room.
        limit_bytes: how much it may.
        sent_bytes: bytes of batches sent since the start, repeated ones included.
        failures: attempts to send that failed since the start.
        back_pressure: of these, those told to come back later.
        host_context: whether the central model reads it, and it is measured here.
        error: why the last attempt failed, None when it did not.
        spool_error: why nothing can be spooled, None while it can.
        delivered_at: when the last batch was taken since the start, UTC, None before.
        notes: what happened to the file that somebody should know.
    """

    url: str
    spool_running: bool
    sender_running: bool
    restarts: int
    handed_over: int
    waiting: int
    lost: dict[str, int]
    spooled: int
    delivered: int
    dropped: dict[str, int]
    pending: int
    pending_batches: int
    oldest_seconds: float
    bytes: int
    limit_bytes: int
    sent_bytes: int
    failures: int
    back_pressure: int
    host_context: bool
    error: str | None
    spool_error: str | None
    delivered_at: str | None
    notes: tuple[str, ...]
