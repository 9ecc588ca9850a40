from __future__ import annotations

from dataclasses import replace
from typing import Any

from capture.status import NOT_STARTED
from detection.watcher import ModelStatus
from helpers.models import make_scorer
from helpers.status import INTERFACE, make_status
from inference_server.dashboard.pill import LOADING, pill_of
from inference_server.dashboard.snapshot import Snapshot
from inference_server.live_capture import CaptureStatus


def look(*, reasons: tuple[str, ...] = (), drift: bool = False, **changes: Any) -> Snapshot:
    of_snapshot = {name: changes.pop(name) for name in ("lost", "lost_lately") if name in changes}
    status = make_status(changes.pop("scorer", make_scorer()), **changes)
    health = {"status": "drift" if drift else "degraded", "reasons": list(reasons)}
    return Snapshot(time=0.0, status=status, health=health, **of_snapshot)


def capture(**changes: Any) -> CaptureStatus:
    return CaptureStatus(True, None, (replace(INTERFACE, **changes),))


def test_it_is_green_only_when_nothing_is_wrong_and_nothing_was_lost() -> None:
    assert pill_of(look()).tone == "good"
    assert pill_of(look(lost={"flows": 3})).tone == "warn"
    assert pill_of(look(reasons=("a disk is full",))).tone == "warn"
    assert "drift" in pill_of(look(reasons=("unlike",), drift=True)).text


def test_it_is_red_while_something_is_lost() -> None:
    pill = pill_of(look(lost_lately={"packets the kernel dropped": 1200}))
    assert pill.tone == "bad"
    assert "1,200 packets the kernel dropped" in pill.why


def test_it_is_red_when_nothing_is_captured() -> None:
    assert pill_of(look(capture=CaptureStatus(True, "not permitted", ()))).tone == "bad"
    down = pill_of(look(capture=capture(running=False, error="no such device")))
    assert (down.tone, down.why) == ("bad", "eth0: no such device")


def test_capture_that_is_not_wanted_is_no_alarm() -> None:
    assert pill_of(look(capture=CaptureStatus(False, None, ()))).tone == "idle"


def test_a_start_is_no_alarm_but_a_model_that_cannot_be_had_is() -> None:
    waiting = capture(running=False, error=NOT_STARTED)
    loading = ModelStatus()
    assert loading.error == LOADING
    assert pill_of(look(scorer=None, capture=waiting, model=loading)).tone == "idle"
    assert pill_of(look(scorer=None, capture=waiting)).tone == "bad"
