from __future__ import annotations

from datetime import UTC, datetime

import pytest

from detection.applied_threshold import AppliedThreshold, write_applied
from helpers.models import make_record, make_scorer, typical_flow
from helpers.server import wait_until
from inference_server import operating_threshold
from inference_server.operating_threshold import OperatingThreshold, ThresholdInForce, threshold_in_force
from inference_server.settings import load_settings

SCORER = make_scorer(make_record(threshold=0.5), version="1")


def apply(settings, threshold=0.875, version="1"):
    applied = AppliedThreshold(
        model_name="ml-ids",
        model_version=version,
        threshold=threshold,
        alerts_per_day=10,
        flows=1,
        seconds=1,
        made_at=datetime.now(UTC),
    )
    write_applied(settings.threshold_file, applied)


@pytest.fixture
def settings(tmp_path):
    return load_settings(state_dir=tmp_path)


def test_the_models_own_is_in_force_unless_another_was_applied(settings):
    assert threshold_in_force(settings, SCORER) == ThresholdInForce(0.5, "model")
    apply(settings)
    assert threshold_in_force(settings, SCORER) == ThresholdInForce(0.875, "calibrated")


def test_the_setting_overrides_everything(settings, tmp_path):
    apply(settings)
    settings = load_settings(state_dir=tmp_path, detection_threshold=0.25)
    assert threshold_in_force(settings, SCORER) == ThresholdInForce(0.25, "DETECTION_THRESHOLD")


def test_a_threshold_of_another_version_is_passed_over_and_said(settings):
    apply(settings, version="2")
    found = threshold_in_force(settings, SCORER)
    assert (found.value, found.source) == (0.5, "model")
    assert "is for ml-ids version 2, not for version 1 of ml-ids: calibrate again" in found.note


def test_a_broken_file_leaves_the_models_own_in_force(settings):
    settings.threshold_file.write_text("{")
    found = threshold_in_force(settings, SCORER)
    assert (found.value, found.source) == (0.5, "model")
    assert "not what ml-ids calibrate writes" in found.note


@pytest.mark.parametrize("value", ["0", "1.5", "-1", "nan", "much"])
def test_a_setting_that_is_no_threshold(value):
    with pytest.raises(ValueError, match=f"DETECTION_THRESHOLD={value}: "):
        load_settings(detection_threshold=value)


def test_every_champion_is_served_at_the_threshold_in_force(settings):
    served = []
    threshold = OperatingThreshold(settings, served.append, poll_seconds=0.01)
    assert threshold.status() is None
    apply(settings, version="2")
    threshold.start()
    try:
        threshold.champion(SCORER)
        threshold.champion(make_scorer(version="2"))
        apply(settings, 0.625, version="2")
        wait_until(lambda: threshold.status().value == 0.625)
        settings.threshold_file.unlink()
        wait_until(lambda: threshold.status().source == "model")
    finally:
        threshold.stop()
    assert [(scorer.model_version, scorer.threshold) for scorer in served] == [
        *(("1", 0.5), ("2", 0.875), ("2", 0.625), ("2", 0.5))
    ]


def test_a_running_service_takes_up_an_applied_threshold(serve, tmp_path, monkeypatch, champion_state):
    monkeypatch.setattr(operating_threshold, "POLL_SECONDS", 0.05)
    settings = load_settings(state_dir=champion_state)
    attack = typical_flow(5)
    with serve(log_dir=tmp_path) as client:
        before = client.post("/predict", json=attack).json()
        try:
            apply(settings, 1.0)
            wait_until(lambda: client.get("/health").json()["model"]["threshold"] == 1.0)
            during, health = client.post("/predict", json=attack).json(), client.get("/health").json()
            metrics = client.get("/metrics").text
        finally:
            settings.threshold_file.unlink()
        wait_until(lambda: client.get("/health").json()["model"]["threshold"] == 0.5)
    assert (before["threshold"], before["prediction"]) == (0.5, [5])
    assert (during["threshold"], during["probability"]) == (1.0, before["probability"])
    assert during["prediction"] == [5 if before["probability"][0] >= 1 else 0]
    model = health["model"]
    assert (model["record_threshold"], model["threshold_source"], model["threshold_note"]) == (
        *(0.5, "calibrated", None),
    )
    assert health["status"] == "healthy"
    assert "mlids_operating_threshold 1.0" in metrics
    assert "operating threshold 1.000000 (calibrated)" in (tmp_path / "application.log").read_text()
