from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from alerting.message import Message
from capture.status import NOT_STARTED
from helpers.alerts import HandClock
from helpers.server import wait_until
from helpers.status import INTERFACE, MODEL, SINK, make_status
from inference_server.live_capture import CaptureStatus
from inference_server.telemetry.operational_events import CLEAR_SECONDS, OperationalEvents
from inference_server.telemetry.status import ServiceStatus

SCHEMA = json.loads((Path(__file__).parents[3] / "docs" / "event.schema.json").read_text())
VALIDATOR = Draft202012Validator(SCHEMA)
SCORER: Any = SimpleNamespace(threshold=0.5, model_version="2")


class _Watched:
    """A service whose state a test sets, and what was told of it."""

    def __init__(self, *folders: Path) -> None:
        self.time = HandClock()
        self.status: ServiceStatus = make_status(SCORER)
        self.told: list[Message] = []
        self.events = OperationalEvents(
            lambda: self.status,
            self.told.extend,
            sensor="sensor-1",
            silence_seconds=300,
            folders=folders,
            clock=self.time.clock,
        )

    def look(self, seconds: float = 10) -> list[tuple[str, str, str]]:
        """Let time pass and look; what is told."""
        self.time.pass_(seconds)
        before = len(self.told)
        self.events.look()
        for message in self.told[before:]:
            VALIDATOR.validate(message.eve)
        about = [message.eve["ml_ids"] for message in self.told[before:]]
        return [(each["event"], each["state"], each["text"]) for each in about]

    def interface(self, **changes: Any) -> None:
        interfaces = (replace(INTERFACE, **changes),)
        self.status = replace(self.status, capture=CaptureStatus(True, None, interfaces))


def test_all_is_well() -> None:
    watched = _Watched()
    assert [watched.look() for _ in range(3)] == [[], [], []]


def test_silence_is_told_once_and_its_end_once() -> None:
    watched = _Watched()
    watched.interface(silent_seconds=301.0)
    text = "capture on eth0: no packet for 300 s"
    assert watched.look() == [("capture_silent", "raised", text)]
    assert watched.events.status().active == (text,)
    assert [watched.look() for _ in range(20)] == [[]] * 20
    watched.interface(silent_seconds=0.1)
    assert watched.look(CLEAR_SECONDS) == [("capture_silent", "cleared", f"over: {text}")]
    assert watched.look() == []
    raised, cleared = watched.told
    assert raised.eve["ml_ids"]["event_id"] == cleared.eve["ml_ids"]["event_id"]
    assert raised.message_id != cleared.message_id
    assert watched.events.status().told == {("capture_silent", "raised"): 1, ("capture_silent", "cleared"): 1}


def test_what_comes_and_goes_is_told_once() -> None:
    watched = _Watched()
    told = []
    for silent in [301.0, 0.1] * 10:
        watched.interface(silent_seconds=silent)
        told += watched.look()
    assert len(told) == 1


def test_an_interface_that_goes_down() -> None:
    watched = _Watched()
    watched.interface(running=False, error="it is gone")
    assert watched.look() == [("capture_down", "raised", "capture on eth0 is down: it is gone")]


def test_an_interface_that_is_still_to_be_opened_is_not_down() -> None:
    watched = _Watched()
    watched.interface(running=False, error=NOT_STARTED)
    assert watched.look() == []


@pytest.mark.parametrize(("drops", "told"), [(10, 0), (11, 1)])
def test_drops_above_one_percent(drops: int, told: int) -> None:
    watched = _Watched()
    watched.look()
    counters = replace(INTERFACE.counters, packets=INTERFACE.counters.packets + 1000 - drops)
    watched.interface(counters=counters, kernel_drops=INTERFACE.kernel_drops + drops)
    events = watched.look()
    assert len(events) == told
    if told:
        assert events == [("drops", "raised", "dropped: 11 of 1000 packets, 1.1%")]


def test_drops_of_few_packets_say_nothing() -> None:
    watched = _Watched()
    watched.look()
    watched.interface(kernel_drops=INTERFACE.kernel_drops + 50)
    assert watched.look() == []


def test_verdicts_that_reach_no_log() -> None:
    watched = _Watched()
    watched.look()
    watched.status = replace(watched.status, sink=replace(SINK, dropped=SINK.dropped + 200))
    assert watched.look() == [("drops", "raised", "dropped: 200 of 200 verdicts unlogged, 100.0%")]


def test_another_version_that_is_refused_is_told_again() -> None:
    watched = _Watched()
    for version in (3, 4):
        error = f"version {version} is not usable: the golden batch differs"
        watched.status = replace(
            watched.status, model=replace(MODEL, champion=SCORER, source="registry", error=error)
        )
        text = f"model: {error}; serving version 2"
        assert watched.look() == [("model_refused", "raised", text)]
        assert watched.look() == []


def test_a_disk_that_is_nearly_full(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    free = 1000
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: SimpleNamespace(total=10_000, free=free))
    watched = _Watched(tmp_path)
    assert watched.look() == []
    free = 400
    text = f"the disk of {tmp_path} is nearly full: 4.0% are free"
    assert watched.look() == [("disk_nearly_full", "raised", text)]
    free = 300
    assert watched.look() == []


def test_a_folder_that_is_not_there_yet(tmp_path: Path) -> None:
    assert _Watched(tmp_path / "none").look() == []


def test_a_thread_looks_and_survives_a_failure(caplog: pytest.LogCaptureFixture) -> None:
    told: list[Message] = []
    looks = 0

    def status() -> ServiceStatus:
        nonlocal looks
        looks += 1
        if looks == 1:
            raise RuntimeError("not now")
        capture = CaptureStatus(True, None, (replace(INTERFACE, silent_seconds=301.0),))
        return make_status(SCORER, capture=capture)

    def put(messages: Sequence[Message]) -> None:
        told.extend(messages)

    events = OperationalEvents(status, put, sensor="s", silence_seconds=300, interval=0.01)
    events.start()
    wait_until(lambda: looks > 5)
    assert events.status().running
    events.stop()
    assert len(told) == 1
    assert "no look at the service's state" in caplog.text
