"""What somebody should hear of the sensor itself, told once when it begins and once when it ends."""

from __future__ import annotations

import logging
import shutil
import threading
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from alerting.clock import SYSTEM_CLOCK, Clock
from alerting.event import EventsStatus, State, event_message
from alerting.message import Message
from capture.status import NOT_STARTED
from inference_server.telemetry.minute_report import Totals
from inference_server.telemetry.status import ServiceStatus

INTERVAL_SECONDS: Final = 5.0
CLEAR_SECONDS: Final = 60.0
"""How long something must be over to be told so; what comes back meanwhile is not told again."""

DROPPED_SHARE: Final = 0.01
ENOUGH: Final = 100
"""Packets, or flows, between two looks below which a share of them says nothing."""

FREE_SHARE: Final = 0.05

CAPTURE_SILENT: Final = "capture_silent"
CAPTURE_DOWN: Final = "capture_down"
DROPS: Final = "drops"
MODEL_REFUSED: Final = "model_refused"
DISK_NEARLY_FULL: Final = "disk_nearly_full"

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Condition:
    """Something that is the case.

    Attributes:
        event: what it is called.
        of: of what it is the case; with `event` it is what is told once.
    """

    event: str
    of: str


@dataclass(slots=True)
class _Active:
    event_id: str
    text: str
    seen_at: float


class OperationalEvents:
    """A thread that looks at the service's state and says what has changed."""

    def __init__(
        self,
        status: Callable[[], ServiceStatus],
        put: Callable[[Sequence[Message]], None],
        *,
        sensor: str,
        silence_seconds: float,
        folders: Sequence[Path] = (),
        interval: float = INTERVAL_SECONDS,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        """Make a thread that is not running yet.

        Args:
            status: gives the state.
            put: takes the messages.
            sensor: whose they are.
            silence_seconds: without a packet, after which capture is silent.
            folders: whose disks are looked at.
            interval: seconds between two looks.
            clock: where the time comes from.
        """
        self._status = status
        self._put = put
        self._sensor = sensor
        self._silence = silence_seconds
        self._folders = tuple(folders)
        self._interval = interval
        self._clock = clock
        self._before: Totals | None = None
        self._active: dict[Condition, _Active] = {}
        self._told: Counter[tuple[str, State]] = Counter()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="events", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join(1)

    def status(self) -> EventsStatus:
        """Return the counters."""
        active = tuple(each.text for each in self._active.copy().values())
        return EventsStatus(self._thread.is_alive(), active, dict(self._told.copy()))

    def look(self) -> None:
        """Look once, and tell what has changed."""
        now, wall = self._clock.monotonic(), self._clock.wall_us()
        messages = []
        for condition, text in self._conditions(self._status()):
            known = self._active.get(condition)
            if known:
                known.seen_at = now
                continue
            began = _Active(f"event-{uuid.uuid4()}", text, now)
            self._active[condition] = began
            messages.append(self._message(condition, began, "raised", wall))
        for condition, known in list(self._active.items()):
            if now - known.seen_at >= CLEAR_SECONDS:
                del self._active[condition]
                messages.append(self._message(condition, known, "cleared", wall))
        if messages:
            self._put(messages)

    def _message(self, condition: Condition, about: _Active, state: State, wall: int) -> Message:
        self._told[condition.event, state] += 1
        text = about.text if state == "raised" else f"over: {about.text}"
        logger.log(logging.WARNING if state == "raised" else logging.INFO, "%s", text)
        return event_message(about.event_id, condition.event, state, text, sensor=self._sensor, made_us=wall)

    def _conditions(self, status: ServiceStatus) -> Iterator[tuple[Condition, str]]:
        yield from _capture(status, self._silence)
        yield from _model(status)
        before, self._before = self._before, Totals.of(status)
        if before:
            yield from _drops(before, self._before)
        yield from _disks(self._folders)

    def _run(self) -> None:
        while not self._stop.wait(self._interval):
            try:
                self.look()
            except Exception:
                logger.exception("no look at the service's state")


def _capture(status: ServiceStatus, silence_seconds: float) -> Iterator[tuple[Condition, str]]:
    if status.capture.error:
        yield Condition(CAPTURE_DOWN, ""), f"no live capture: {status.capture.error}"
    for interface in status.capture.interfaces:
        name = interface.interface
        if interface.error == NOT_STARTED:
            continue
        if not interface.running:
            yield Condition(CAPTURE_DOWN, name), f"capture on {name} is down: {interface.error}"
        elif interface.silent_seconds > silence_seconds:
            text = f"capture on {name}: no packet for {silence_seconds:.0f} s"
            yield Condition(CAPTURE_SILENT, name), text


def _model(status: ServiceStatus) -> Iterator[tuple[Condition, str]]:
    for problem in status.model.problems:
        yield Condition(MODEL_REFUSED, problem), f"model: {problem}"


def _drops(before: Totals, now: Totals) -> Iterator[tuple[Condition, str]]:
    lost, shed, unlogged = (
        now.kernel_drops - before.kernel_drops,
        now.shed - before.shed,
        now.unlogged - before.unlogged,
    )
    flows = now.flows - before.flows
    for what, dropped, offered in (
        ("packets", lost, now.packets - before.packets + lost),
        ("flows unscored", shed, flows + shed),
        ("verdicts unlogged", unlogged, max(flows, unlogged)),
    ):
        if offered >= ENOUGH and dropped > DROPPED_SHARE * offered:
            text = f"dropped: {dropped} of {offered} {what}, {dropped / offered:.1%}"
            yield Condition(DROPS, what), text


def _disks(folders: Sequence[Path]) -> Iterator[tuple[Condition, str]]:
    for folder in folders:
        try:
            disk = shutil.disk_usage(folder)
        except OSError:
            continue
        if disk.free < FREE_SHARE * disk.total:
            text = f"the disk of {folder} is nearly full: {disk.free / disk.total:.1%} are free"
            yield Condition(DISK_NEARLY_FULL, str(folder)), text
