"""The thread that delivers one transport's messages, however long that takes."""

from __future__ import annotations

import itertools
import logging
import threading
import time
from collections.abc import Sequence
from concurrent.futures import CancelledError
from datetime import UTC, datetime
from typing import Final

from alerting.clock import SYSTEM_CLOCK, Clock
from alerting.message import Message
from alerting.outbox.back_off import back_off
from alerting.outbox.intake import Intake
from alerting.outbox.running_time import RunningTime
from alerting.outbox.store import Due, Settlement
from alerting.outbox.tables import DEAD, DELIVERED, PENDING
from alerting.transports.transport import Rejected, Transport

PAGE: Final = 1000
"""Messages asked for at once: between two pages all that was settled is committed."""

PAGE_SECONDS: Final = 5.0
"""What is left of a page then is asked for again, with what has become due meanwhile."""

LOOK_AGAIN_SECONDS: Final = 60.0
"""How long nothing is asked for at most: another process may have made something due."""

RESTART_SECONDS: Final = 5.0
SAY_EVERY_SECONDS: Final = 60.0
ERROR_CHARACTERS: Final = 500
logger = logging.getLogger(__name__)


class Publisher:
    """Delivers at least once. What fails is attempted again, later each time."""

    def __init__(
        self, transport: Transport, intake: Intake, running: RunningTime, *, clock: Clock = SYSTEM_CLOCK
    ) -> None:
        self.transport = transport
        self.failures = 0
        self.restarts = 0
        self.error: str | None = None
        self.delivered_at: str | None = None
        self._intake = intake
        self._running = running
        self._wall_us = clock.wall_us
        self._failed_in_a_row = 0
        self._said_at = float("-inf")
        self._stopping = False
        self._news = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name=f"publisher-{transport.name}", daemon=True)

    @property
    def running(self) -> bool:
        """Whether the thread is alive."""
        return self._thread.is_alive()

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def wake(self) -> None:
        """Say that there may be something to deliver, or that time has passed."""
        with self._changed:
            self._news = True
            self._changed.notify_all()

    def ask_to_stop(self) -> None:
        """Send nothing more after the call that is under way."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()

    def join(self, timeout: float) -> None:
        """Wait for the end, at most `timeout` seconds."""
        if self._thread.ident is not None:
            self._thread.join(timeout)

    def _run(self) -> None:
        while not self._stopping:
            try:
                self._deliver()
            except CancelledError:
                break
            except Exception:
                self.restarts += 1
                logger.exception("delivering by %s failed; it goes on", self.transport.name)
                self._wait(RESTART_SECONDS)
        self.transport.close()

    def _deliver(self) -> None:
        """Deliver a page of messages, or wait for some."""
        with self._changed:
            self._news = False
        page = self._intake.ask(self.transport.name, PAGE).result()
        if not page.messages:
            us = LOOK_AGAIN_SECONDS * 1e6 if page.next_us is None else page.next_us - self._running.now_us()
            self._wait(min(us / 1e6, LOOK_AGAIN_SECONDS), until_news=True)
            return
        due, ends = iter(page.messages), time.monotonic() + PAGE_SECONDS
        while (
            not self._stopping
            and time.monotonic() < ends
            and (batch := list(itertools.islice(due, self.transport.batch)))
        ):
            if not self._attempt(batch):
                self._failed_in_a_row += 1
                self._wait(back_off(self._failed_in_a_row))
                return
            self._failed_in_a_row = 0

    def _attempt(self, batch: Sequence[Due]) -> bool:
        """Attempt some messages, and return whether one was taken, or refused for good."""
        at_us = self._wall_us()
        errors = self._send(batch)
        settlements = [_settlement(due, error, at_us) for due, error in zip(batch, errors, strict=True)]
        self._intake.settle(self.transport.name, settlements)
        failed = [error for error in errors if error is not None]
        if len(failed) < len(errors):
            self.delivered_at = datetime.now(UTC).isoformat(timespec="seconds")
        self.failures += len(failed)
        if failed:
            self._say(failed[-1])
        self.error = failed[-1] if failed else None
        return any(settlement.state != PENDING for settlement in settlements)

    def _say(self, error: str) -> None:
        now = time.monotonic()
        if now - self._said_at >= SAY_EVERY_SECONDS:
            self._said_at = now
            logger.warning(
                "%s did not deliver, %d times so far: %s", self.transport.name, self.failures, error
            )

    def _send(self, batch: Sequence[Due]) -> list[str | None]:
        errors: list[str | None] = []
        messages: list[Message] = []
        for due in batch:
            try:
                messages.append(Message.decode(due.body))
                errors.append(None)
            except ValueError as error:
                errors.append(Rejected(error))
        if not messages:
            return errors
        try:
            sent = list(self.transport.send(messages))
            if len(sent) != len(messages):
                raise ValueError(f"{len(sent)} results for {len(messages)} messages")
        except Exception as error:
            sent = [f"{type(error).__name__}: {error}"] * len(messages)
        results = iter(sent)
        return [next(results) if error is None else error for error in errors]

    def _wait(self, seconds: float, *, until_news: bool = False) -> None:
        """Wait for some running time to pass, unless news come; whoever turns the clock calls `wake`."""
        ends = self._running.now_us() + int(seconds * 1e6)
        with self._changed:
            while not self._stopping and not (until_news and self._news):
                left = (ends - self._running.now_us()) / 1e6
                if left <= 0:
                    return
                self._changed.wait(left)


def _settlement(due: Due, error: str | None, at_us: int) -> Settlement:
    if error is None:
        return Settlement(due.seq, DELIVERED, at_us)
    text = error[:ERROR_CHARACTERS].encode("utf-8", "replace").decode()
    if isinstance(error, Rejected):
        return Settlement(due.seq, DEAD, at_us, error=text)
    return Settlement(due.seq, PENDING, at_us, int(back_off(due.attempts + 1) * 1e6), text)
