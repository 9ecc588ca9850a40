from __future__ import annotations

from dataclasses import replace
from typing import Any

import orjson
import pytest

from alerting.event import EventsStatus
from alerting.line_file import LineFileStatus
from alerting.rules_file import RulesStatus
from capture.status import FrameCounters
from detection.drift import DriftStatus
from detection.shadow import ShadowStatus
from detection.watcher import ModelStatus
from flows.schema import COMMON_NAMES
from helpers.models import make_record, make_scorer
from helpers.status import ALERTS, ARCHIVE, BENIGN, CENTRAL, EVIDENCE, INTERFACE, SENSOR, SINK, make_status
from inference_server.live_capture import CaptureStatus
from inference_server.routes.api_models import Health
from inference_server.sensors.status import SensorsStatus
from inference_server.telemetry.health import degraded_reasons, health_body, missing_for_ready

SCORER = make_scorer()
BROKEN = LineFileStatus("positive_predictions.log", 0, 3, "No space left on device")

WRONG_RULES = RulesStatus("rules.yaml", rules=2, loads=1, error="rules.yaml, line 3, port: no port")


def _capture(**changes: Any) -> CaptureStatus:
    return CaptureStatus(enabled=True, error=None, interfaces=(replace(INTERFACE, **changes),))


def test_all_well() -> None:
    body = orjson.loads(orjson.dumps(health_body(make_status(SCORER), 300)))
    Health.model_validate(body)
    assert (body["status"], body["reasons"], body["model_initialized"]) == ("healthy", [], True)
    assert (body["model"]["name"], body["model"]["version"]) == ("ml-ids", "1")
    assert body["model"]["features"] == list(COMMON_NAMES)
    assert body["capture"]["interfaces"][0]["counters"]["packets"] == 100
    assert body["capture"]["silence_limit_seconds"] == 300
    assert (body["scoring"]["waiting"], body["scoring"]["capacity"]) == (13, 64)
    assert (body["sink"]["queued"], body["sink"]["capacity"]) == (0, 100)
    assert body["capture"]["interfaces"][0]["offload_cure"] == "ethtool -K eth0 gro off"
    assert body["capture"]["interfaces"][0]["frames"]["segments"] == 3
    assert body["capture"]["interfaces"][0]["evidence"]["packets"] == 50
    interface = body["capture"]["interfaces"][0]
    assert (interface["table_bytes"], interface["ring_bytes"]) == (40_000, 60_000)
    assert body["resident_bytes"] == 300_000_000
    assert (body["archive"]["written"], body["archive"]["contents"]["bytes"]) == (7, 4000)
    assert (body["sink"]["unalerted"], body["alerts"]["suppressed"]) == (1, {"our scanner": 4})
    assert (body["alerts"]["open"], body["alerts"]["rules"]["error"]) == (1, None)
    assert "alerts.json" in [file["name"] for file in body["sink"]["files"]]
    assert {"source": "sidecar", "label": "Portscan", "flows": 2} in body["sink"]["verdicts"]
    assert (body["benign"][0]["transport"], body["benign"][0]["published"]) == ("sns", 6)
    assert body["events"] == {
        "running": True,
        "active": ["capture on eth0: no packet for 300 s"],
        "told": [{"event": "capture_silent", "state": "raised", "messages": 1}],
    }
    (transport,) = body["alerts"]["outbox"]["transports"]
    assert (transport["name"], transport["delivered_at"]) == ("webhook", "2026-01-05T09:00:00+00:00")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        (
            {"scorer": None},
            "Model not available: the registry is down",
        ),
        (
            {"capture": _capture(running=False, error="no such device")},
            "capture on eth0 is down: no such device",
        ),
        ({"capture": CaptureStatus(True, "not permitted", ())}, "no live capture: not permitted"),
    ],
)
def test_what_keeps_it_from_being_ready_is_degraded_too(changes: dict[str, Any], reason: str) -> None:
    status = make_status(SCORER, **changes) if "scorer" not in changes else make_status(**changes)
    assert missing_for_ready(status) == [reason]
    assert degraded_reasons(status, 300) == [reason]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"capture": _capture(silent_seconds=312.3)}, "capture on eth0: no packet for 312 s"),
        (
            {"capture": replace(_capture(), dialect="python-cicflowmeter")},
            "the model reads dialect improved, live capture measures python-cicflowmeter: "
            "the verdicts of captured flows are not what the model's card says; unset CAPTURE_EXTRACTOR",
        ),
        (
            {"capture": _capture(frames=FrameCounters(frames=9, oversized=4))},
            "capture on eth0: 4 frames hold several segments that could not be split, which falsifies counts "
            "and lengths; to cure it: ethtool -K eth0 gro off",
        ),
        (
            {"capture": _capture(frames=FrameCounters(frames=9, oversized=4), offload_cure=None)},
            "capture on eth0: 4 frames hold several segments that could not be split, which falsifies counts "
            "and lengths; to cure it: turn off GRO and LRO of the card, or raise the interface's MTU",
        ),
        ({"scoring_running": False}, "the scoring thread is dead"),
        ({"benign": (replace(BENIGN, running=False),)}, "the benign-sns thread is dead"),
        ({"events": EventsStatus(False, (), {})}, "the events thread is dead"),
        ({"sink": replace(SINK, running=False)}, "the sink thread is dead"),
        (
            {"sink": replace(SINK, files=(BROKEN,))},
            "positive_predictions.log: 3 lines lost: No space left on device",
        ),
        ({"archive": replace(ARCHIVE, running=False)}, "the archive thread is dead"),
        (
            {"archive": replace(ARCHIVE, error="disk full; make room")},
            "flow archive: 3 flows lost: disk full; make room",
        ),
        (
            {"alerts": replace(ALERTS, log=replace(BROKEN, name="alerts.json"))},
            "alerts.json: 3 lines lost: No space left on device",
        ),
        (
            {"alerts": replace(ALERTS, evidence=replace(EVIDENCE, error="disk full; make room"))},
            "evidence: 1 files not written: disk full; make room",
        ),
        (
            {"alerts": replace(ALERTS, evidence=replace(EVIDENCE, running=False))},
            "the evidence thread is dead",
        ),
        (
            {"alerts": replace(ALERTS, stream=replace(ALERTS.stream, rules=WRONG_RULES))},
            "suppression rules: rules.yaml, line 3, port: no port; 2 earlier rules are in use",
        ),
        (
            {"application_log": replace(BROKEN, name="application.log")},
            "application.log: 3 lines lost: No space left on device",
        ),
    ],
)
def test_degraded_but_ready(changes: dict[str, Any], reason: str) -> None:
    status = make_status(SCORER, **changes)
    assert missing_for_ready(status) == []
    assert degraded_reasons(status, 300) == [reason]


def test_what_the_registry_says_is_shown() -> None:
    model = ModelStatus(
        champion=SCORER,
        challenger=make_scorer(version="2"),
        source="cache",
        error="registry http://r cannot be used (refused): check it",
        challenger_error="version 3 is not usable: it is not whole",
        checked_at=1_767_603_600.0,
    )
    shadow = ShadowStatus("ml-ids", "2", "1", 90, {("benign", "Portscan"): 3}, 5, {"busy": 7}, None)
    body = health_body(make_status(SCORER, model=model, shadow=shadow), 300)
    Health.model_validate(orjson.loads(orjson.dumps(body)))
    assert body["reasons"] == [
        "registry http://r cannot be used (refused): check it; serving version 1 from the cache",
        "challenger: version 3 is not usable: it is not whole",
    ]
    assert (body["model"]["source"], body["model"]["checked_at"]) == ("cache", "2026-01-05T09:00:00+00:00")
    assert body["challenger"] == {
        "name": "ml-ids",
        "version": "2",
        "dialect": "improved",
        "compared": {
            "champion_version": "1",
            "flows": 90,
            "disagreements": [{"champion": "benign", "challenger": "Portscan", "flows": 3}],
            "waiting": 5,
            "skipped": {"busy": 7},
            "error": None,
        },
    }
    assert missing_for_ready(make_status(SCORER, model=model)) == []


def test_capture_that_is_not_wanted_is_not_missed() -> None:
    status = make_status(SCORER, capture=CaptureStatus(enabled=False, error=None, interfaces=()))
    assert health_body(status, 300)["status"] == "healthy"


def test_an_archive_that_is_not_wanted_is_not_missed() -> None:
    off = replace(ARCHIVE, enabled=False, running=False)
    assert health_body(make_status(SCORER, archive=off), 300)["status"] == "healthy"


def test_a_model_of_another_dialect_cannot_judge_the_capture() -> None:
    scorer = make_scorer(make_record(dialect="cic-v4"))
    (reason,) = degraded_reasons(make_status(scorer), 300)
    assert "cic-v4" in reason
    assert "improved" in reason
    assert degraded_reasons(make_status(scorer, capture=CaptureStatus(False, None, ())), 300) == []


def test_a_model_of_features_that_are_not_measured_is_refused_before_flows_come() -> None:
    scorer = make_scorer(make_record(names=(*COMMON_NAMES, "total_connection_flow_time", "icmp_code")))
    capture = replace(_capture(), dialect="cic-2018")
    reasons = degraded_reasons(make_status(scorer, capture=capture), 300)
    assert len(reasons) == 2
    assert reasons[1] == (
        "the model reads features that live capture does not measure: total_connection_flow_time, icmp_code: "
        "captured flows get no verdict; serve another model, or set START_CICFLOWMETER=false"
    )


DRIFTING = DriftStatus(800, {"idle_mean": 0.7, "flow_duration": 0.1, "idle_max": 1.25})


def test_drift_is_said_with_its_features() -> None:
    body = orjson.loads(orjson.dumps(health_body(make_status(SCORER, drift=DRIFTING), 300)))
    Health.model_validate(body)
    assert body["status"] == "drift"
    (reason,) = body["reasons"]
    assert reason.startswith(
        "the last hour's 800 flows are unlike the model's benign training flows in 2 of 3"
    )
    assert "idle_max (1.25), idle_mean (0.70)" in reason
    assert body["drift"] == {
        "drifting": True,
        "flows": 800,
        "flows_needed": 500,
        "share": 2 / 3,
        "limit": 0.2,
        "features": {"idle_max": 1.25, "idle_mean": 0.7},
    }


def test_what_is_worse_than_drift_is_the_status() -> None:
    body = health_body(make_status(SCORER, drift=DRIFTING, scoring_running=False), 300)
    assert body["status"] == "degraded"
    assert [reason.split()[0] for reason in body["reasons"]] == ["the", "the"]
    assert body["reasons"][0] == "the scoring thread is dead"


def test_one_feature_of_many_is_no_drift() -> None:
    psi = dict.fromkeys(COMMON_NAMES, 0.05) | {"idle_mean": 3.0}
    body = health_body(make_status(SCORER, drift=DriftStatus(800, psi)), 300)
    assert (body["status"], body["reasons"]) == ("healthy", [])
    assert body["drift"]["features"] == {"idle_mean": 3.0}


def test_without_a_model() -> None:
    body = health_body(make_status(None), 300)
    assert (body["model_initialized"], body["model"], body["status"]) == (False, None, "degraded")


def test_a_sensor_without_a_model_is_ready_while_its_flows_are_taken() -> None:
    status = make_status(None, central=CENTRAL)
    assert missing_for_ready(status) == []
    away = make_status(None, central=replace(CENTRAL, error="no answer"))
    (missing,) = missing_for_ready(away)
    assert missing == "10 flows wait to be scored at https://central.example: no answer"
    lossy = replace(CENTRAL, dropped={"spool full": 3}, lost={"memory full": 2}, spool_error="disk full")
    reasons = degraded_reasons(make_status(None, central=lossy), 300.0)
    assert any("5 captured flows were lost before https://central.example" in each for each in reasons)
    assert any("5 of them: disk full" in each for each in reasons)
    dead = make_status(None, central=replace(CENTRAL, sender_running=False))
    assert any("central-sender thread is dead" in each for each in degraded_reasons(dead, 300.0))


def test_silent_sensors_are_named_but_not_all_of_many() -> None:
    silent = [replace(SENSOR, sensor=f"edge-{n}", silent_seconds=90.0) for n in range(7)]
    gone = replace(SENSOR, sensor="sold", silent_seconds=1e6)
    twice = replace(SENSOR, sensor="twin", streams=2)
    status = make_status(
        SCORER, sensors=SensorsStatus((*silent, gone, twice), {}, 0, "sensors.db: disk full")
    )
    reasons = degraded_reasons(status, 300.0)
    assert any("of sensor edge-0, edge-1, edge-2, edge-3, edge-4 and 2 more" in each for each in reasons)
    assert any("in the name of sensor twin:" in each for each in reasons)
    assert any("are not taken: sensors.db: disk full" in each for each in reasons)
    assert not any("sold" in each for each in reasons)
    states = health_body(status, 300.0)["sensors"]["states"]
    assert states == {"ok": 1, "behind": 0, "capture down": 0, "silent": 7, "gone": 1}
