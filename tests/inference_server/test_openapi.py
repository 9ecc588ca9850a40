from __future__ import annotations

from pathlib import Path

import yaml

from flows.schema import COMMON_NAMES
from inference_server.bodies.envelopes import ENVELOPES
from inference_server.main import create_app

DOCUMENT = Path(__file__).parents[2] / "openapi.yaml"


def test_the_document_is_the_applications() -> None:
    assert yaml.safe_load(DOCUMENT.read_text()) == create_app().openapi(), "run scripts/write_docs.py"


def test_routes() -> None:
    assert set(create_app().openapi()["paths"]) == {
        *("/", "/health", "/ready", "/metrics", "/predict"),
        *("/invocations", "/ping", "/api/predictions"),
        *("/api/captures", "/api/captures/{upload_id}", "/api/captures/{upload_id}/verdicts"),
        *("/api/alerts", "/api/alerts/{alert_id}", "/api/alerts/{alert_id}/evidence", "/api/alerts/top"),
        *("/api/alerts/{alert_id}/acknowledge", "/api/alerts/{alert_id}/label", "/api/labels"),
        *("/api/statistics", "/api/blocklist", "/api/model", "/api/model/versions"),
        *("/api/model/reload", "/api/model/promote", "/api/model/rollback"),
        *("/api/sensors", "/api/sensors/flows", "/api/sensors/report"),
        "/api/stream",
    }


def test_a_flow_is_described_by_its_features() -> None:
    body = create_app().openapi()["paths"]["/predict"]["post"]["requestBody"]
    one, many, *envelopes = body["content"]["application/json"]["schema"]["anyOf"]
    assert tuple(one["properties"]) == COMMON_NAMES
    assert many["type"] == "array"
    assert tuple(envelope["title"] for envelope in envelopes) == ENVELOPES
