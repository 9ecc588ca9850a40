"""What a transport is: something that takes messages to a place outside of this machine."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from alerting.message import Message


class Rejected(str):
    """Why a message can never be delivered, as opposed to an error that the next attempt may not meet."""

    __slots__ = ()


class Transport(Protocol):
    """Takes messages over; one thread calls.

    Attributes:
        name: by which deliveries are counted; stays the same from one start to the next.
        batch: the most messages `send` takes at once.
    """

    name: str
    batch: int

    def send(self, messages: Sequence[Message]) -> Sequence[str | None]:
        """Send messages, and return for each None when it was delivered, else what went wrong.

        A message whose error is `Rejected` is not sent again; the others are, later, so that a message may
        arrive twice. A call must end: connections have time-outs.

        Raises:
            Exception: none of them was delivered.
        """
        ...

    def close(self) -> None:
        """Let go of connections; called once no `send` is under way."""
        ...
