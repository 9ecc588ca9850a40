"""Messages for transports."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from alerting.message import Message, alert_message
from helpers.alerts import one_alert

TIMESTAMP = "21/02/2018 10:15:06"


def alert_messages(count: int, **columns: Any) -> list[Message]:
    """Opening messages of alerts about one flow each, whose sender gave TIMESTAMP."""
    given = {"extras": {"timestamp": np.array([TIMESTAMP], object)}} | columns
    return [alert_message(one_alert(**given)) for _ in range(count)]


def large_message(size: int) -> Message:
    """A message whose row has a text of `size` bytes."""
    (message,) = alert_messages(1)
    at = message.columns.index("timestamp")
    values = (*message.values[:at], "x" * size, *message.values[at + 1 :])
    return replace(message, values=values)
