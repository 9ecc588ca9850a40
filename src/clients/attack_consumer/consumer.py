"""Receives, shows and removes messages until told to end, whatever they hold and however the queue fails."""

from __future__ import annotations

import logging
import random
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Final

from botocore.exceptions import NoCredentialsError, ParamValidationError, PartialCredentialsError

from clients.attack_consumer.displays import Display
from clients.attack_consumer.interruption import Interruption
from clients.attack_consumer.notification import Notification, PoisonError, read_notification
from clients.attack_consumer.queue import AttackQueue, Received
from clients.aws import AWS_ERRORS

BACK_OFF_SECONDS: Final = (1.0, 60.0)
REST_SECONDS: Final = 1.0
"""Pause after an answer of messages that were all seen before: a queue may give them again at once."""

REMEMBERED: Final = 100_000
"""Messages of which copies are recognised, about 200 bytes each."""

_HOPELESS: Final = (NoCredentialsError, PartialCredentialsError, ParamValidationError)
logger = logging.getLogger(__name__)


class QueueError(OSError):
    """The queue cannot be used; says why."""


class Remembered:
    """The latest keys."""

    def __init__(self, capacity: int = REMEMBERED) -> None:
        self._keys: OrderedDict[str, None] = OrderedDict()
        self._capacity = capacity

    def __contains__(self, key: str) -> bool:
        return key in self._keys

    def add(self, key: str) -> None:
        """Remember a key; the oldest is forgotten when there are too many."""
        self._keys[key] = None
        self._keys.move_to_end(key)
        if len(self._keys) > self._capacity:
            self._keys.popitem(last=False)


@dataclass(slots=True)
class Consumer:
    """Takes messages from a queue to a display.

    Attributes:
        queue: where they come from.
        display: where they go.
        delete: remove what was shown.
        poison_queue_url: where what cannot be read is moved; None leaves it where it is.
        interruption: says when to end.
    """

    queue: AttackQueue
    display: Display
    delete: bool
    poison_queue_url: str | None
    interruption: Interruption
    _shown: Remembered = field(default_factory=Remembered)
    _reported: Remembered = field(default_factory=Remembered)
    _pause: float = BACK_OFF_SECONDS[0]
    _news: bool = False

    def run(self) -> None:
        """Go on until the end is requested.

        Raises:
            QueueError: no attempt can succeed.
        """
        while not self.interruption.requested:
            try:
                nothing_new = self.once()
                self._pause = BACK_OFF_SECONDS[0]
                if nothing_new:
                    self.interruption.sleep(REST_SECONDS)
            except AWS_ERRORS as error:
                if isinstance(error, _HOPELESS):
                    raise QueueError(str(error)) from None
                pause = self._pause * random.uniform(0.5, 1.0)
                logger.error("%s; trying again in %.1f s", error, pause)
                self._pause = min(2 * self._pause, BACK_OFF_SECONDS[1])
                self.interruption.sleep(pause)

    def once(self) -> bool:
        """Ask once, and handle what came; return whether messages came, but none of them was new.

        Raises what boto3 raises.
        """
        logger.info("Retrieving messages from queue...")
        received = self.interruption.wait_for(self.queue.receive) or []
        self._news = False
        done = [message for message in received if self._handle(message)]
        if self.delete:
            for failure in self.queue.delete(done):
                logger.error("Message %s; it was shown, but could not be deleted", failure)
        return bool(received) and not self._news

    def _handle(self, message: Received) -> bool:
        """Show a message unless a copy was; return whether it could be read."""
        try:
            notification = read_notification(message)
        except PoisonError as error:
            self._report(message, error)
            return False
        self._show(notification)
        return True

    def _show(self, notification: Notification) -> None:
        if notification.key not in self._shown:
            self.display.show(notification)
            self._news = True
        self._shown.add(notification.key)

    def _report(self, message: Received, error: PoisonError) -> None:
        identity = str(message.get("MessageId"))
        if self.poison_queue_url:
            fate = self._move(message, self.poison_queue_url)
        elif identity in self._reported:
            return
        else:
            fate = "left in the queue"
        self._reported.add(identity)
        self._news = True
        logger.warning("Message [%s] could not be read: %s; %s", identity, error, fate)

    def _move(self, message: Received, url: str) -> str:
        try:
            self.queue.move(message, url)
        except AWS_ERRORS as error:
            return f"it could not be moved aside: {error}"
        return "moved aside"
