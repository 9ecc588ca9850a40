"""What the central service knows of sensors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from inference_server.sensors.messages import SensorReport

State = Literal["ok", "behind", "capture down", "silent", "gone"]
BEHIND_SECONDS: Final = 30.0
"""Flows wait for a second and for their turn; longer than this, they queue up."""

SILENT_SECONDS: Final = 60.0
"""Without a word of a sensor, after which something is wrong: it reports every 10 s."""

GONE_SECONDS: Final = 86_400.0
"""After which it is taken for switched off on purpose."""


@dataclass(frozen=True, slots=True)
class SensorHealth:
    """One sensor.

    Attributes:
        sensor: its name.
        address, caller: where it was last heard from, and whose key it brought; None before.
        last_seen: Unix time of the last batch or report.
        silent_seconds: since then.
        batches, flows: taken of it, over all starts.
        attacks: of these, since the start of this service, those judged to be attacks.
        repeated: batches it sent more than once, since the start.
        lag_seconds: of the last batch, from when its oldest flow ended to its verdicts; None before.
        clock_offset_seconds: how far its clock is ahead of ours, the way included; None before a report.
        streams: spools that it sent from since the start; more than one: two sensors have one name, or one
            lost its STATE_DIR.
        report: what it said last, None before.
    """

    sensor: str
    address: str | None
    caller: str | None
    last_seen: float
    silent_seconds: float
    batches: int
    flows: int
    attacks: int
    repeated: int
    lag_seconds: float | None
    clock_offset_seconds: float | None
    streams: int
    report: SensorReport | None

    @property
    def dropped(self) -> int:
        """Flows it could not keep until they were taken."""
        return sum(self.report.dropped.values()) if self.report else 0

    @property
    def state(self) -> State:
        """What there is to say of it in a word."""
        if self.silent_seconds > SILENT_SECONDS:
            return "silent" if self.silent_seconds < GONE_SECONDS else "gone"
        if self.report and self.report.interfaces_down:
            return "capture down"
        if self.report and self.report.oldest_seconds > BEHIND_SECONDS:
            return "behind"
        return "ok"


@dataclass(frozen=True, slots=True)
class SensorsStatus:
    """All sensors.

    Attributes:
        sensors: each one, by name.
        refused: batches that were not taken, by reason.
        skipped: flows of batches that the logs had already, after a kill.
        error: why batches cannot be marked as taken, None while they can.
    """

    sensors: tuple[SensorHealth, ...]
    refused: dict[str, int]
    skipped: int
    error: str | None

    def worst(self, most: int) -> list[SensorHealth]:
        """Return the sensors, those that are not well first, those that are gone last; at most so many."""
        order = ("silent", "capture down", "behind", "ok", "gone")
        return sorted(self.sensors, key=lambda each: order.index(each.state))[:most]

    def named(self, state: State) -> list[str]:
        """Return the names of the sensors in a state."""
        return [each.sensor for each in self.sensors if each.state == state]
