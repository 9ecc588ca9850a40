from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from alerting.alert_log import NAME
from detection.mlflow_client import embedded_uri, open_client
from detection.registration import register_package
from helpers.alerts import packed, validated
from helpers.models import typical_table
from helpers.novelty import make_detector_package
from helpers.registry import make_registry
from helpers.server import serving, wait_until
from inference_server.main import create_app
from inference_server.service import Service
from inference_server.settings import load_settings


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A registry with a champion and a detector of novelty."""
    made = make_registry(tmp_path_factory.mktemp("state"), tmp_path_factory.mktemp("package"))
    package = make_detector_package(tmp_path_factory.mktemp("detector"))
    client, artifacts = open_client(embedded_uri(made)), (made / "mlartifacts").as_uri()
    register_package(client, package, "ml-ids-novelty", alias="champion", artifacts=artifacts)
    return made


@contextmanager
def running(state: Path, folder: Path, **settings: Any) -> Iterator[tuple[httpx.Client, Service]]:
    defaults = {"start_cicflowmeter": "false", "demo": False, "flow_archive_gb": 0}
    registry = {"state_dir": folder / "var", "mlflow_tracking_uri": embedded_uri(state)}
    app = create_app(load_settings(log_dir=folder / "logs", **(defaults | registry | settings)))
    with serving(app) as client:
        wait_until(lambda: client.get("/ready").status_code == 200)
        yield client, app.state.service


def captured(service: Service, codes: list[int], source: str) -> None:
    table = typical_table(codes)
    table.src_addr[:] = packed(source)
    assert service.worker.hand_over(table) == 0


def test_new_kinds_of_benign_flows_are_alerts_of_their_own_within_a_budget(
    state: Path, tmp_path: Path
) -> None:
    chosen = {"novelty_model_name": "models:/ml-ids-novelty@champion", "novelty_alerts_per_hour": 2}
    with running(state, tmp_path, **chosen) as (client, service):
        wait_until(lambda: client.get("/health").json()["novelty"]["name"] == "ml-ids-novelty")
        for number in range(4):
            captured(service, [0, 0, 5], f"10.0.0.{number}")
        wait_until(lambda: client.get("/health").json()["novelty"]["counts"]["looked_at"] == 8)
        wait_until(lambda: client.get("/health").json()["alerts"]["suppressed"])
        health = client.get("/health").json()
        assert health["novelty"]["counts"]["novel"] == 8
        assert health["alerts"]["suppressed"] == {"budget of Novelty": 4}
        verdicts = service.sink.status().verdicts
        assert verdicts == {("sidecar", "DoS Hulk"): 4, ("sidecar", "benign"): 8}
        metrics = client.get("/metrics").text
        assert 'mlids_novelty_flows_total{result="novel"} 8.0' in metrics
    lines = validated((tmp_path / "logs" / NAME).read_text())
    opened = Counter(line["alert"]["signature"] for line in lines if line["ml_ids"]["revision"] == 1)
    assert opened == {"ML-IDS DoS Hulk": 4, "ML-IDS Novelty": 2}
    [model] = {line["ml_ids"]["model"]["name"] for line in lines if "Novelty" in line["alert"]["signature"]}
    assert model == "ml-ids-novelty"
    logged = (tmp_path / "logs" / "positive_predictions.log").read_text()
    assert logged.count("DoS Hulk") == 4
    assert "Novelty" not in logged


def test_a_model_of_classes_is_no_detector(state: Path, tmp_path: Path) -> None:
    with running(state, tmp_path, novelty_model_name="models:/ml-ids/1") as (client, service):
        wait_until(lambda: "is no detector" in str(client.get("/health").json()["novelty"]["error"]))
        captured(service, [0], "10.0.0.1")
        wait_until(lambda: service.worker.counters().captured == 1)
        health = client.get("/health").json()
        assert health["status"] == "degraded"
        assert any(reason.startswith("no detector of novelty") for reason in health["reasons"])
        assert health["novelty"]["counts"]["looked_at"] == 0


def test_without_a_name_there_is_none(state: Path, tmp_path: Path) -> None:
    with running(state, tmp_path) as (client, _):
        assert client.get("/health").json()["novelty"] is None
