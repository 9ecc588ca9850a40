"""Operational events: what somebody should know of the sensor itself, as a message of a kind of its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from alerting.eve import eve_time
from alerting.message import Message

State = Literal["raised", "cleared"]
EVENT_TYPE = "ml_ids_event"


@dataclass(frozen=True, slots=True)
class EventsStatus:
    """The operational events.

    Attributes:
        running: the thread that looks for them is alive.
        active: the texts of those that are the case.
        told: messages made, by (event, state).
    """

    running: bool
    active: tuple[str, ...]
    told: dict[tuple[str, State], int]


def event_message(
    event_id: str, event: str, state: State, text: str, *, sensor: str, made_us: int
) -> Message:
    """Return the message of an event.

    Args:
        event_id: of what is the case, the same when it no longer is.
        event: what it is called, such as `capture_silent`.
        state: whether it has become the case, or no longer is.
        text: what a person is told.
        sensor: whose.
        made_us: when, UTC microseconds.
    """
    about = {"event_id": event_id, "event": event, "state": state, "text": text, "sensor": sensor}
    return Message(
        message_id=f"{event_id}-{state}",
        kind="event",
        alert_id=None,
        revision=0,
        made_us=made_us,
        eve={"timestamp": eve_time(made_us), "event_type": EVENT_TYPE, "ml_ids": about},
        attributes={"kind": "event", "event": event, "state": state, "sensor": sensor},
    )
