from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from detection.mlflow_client import embedded_uri, open_client
from detection.registration import register_package
from flows.schema import COMMON_NAMES
from helpers.book import opening, written
from helpers.models import make_package
from helpers.registry import make_registry
from helpers.server import serving, wait_until
from inference_server.main import create_app
from inference_server.routes.models import ModelInFull, ModelVersion, Promoted, Reloaded
from inference_server.service import Service
from inference_server.settings import load_settings

KEYS = "looker:read:r,sender:predict:p,ops:admin:a"
ADMIN = {"X-API-Key": "a"}
READER = {"X-API-Key": "r"}


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[httpx.Client, Service]]:
    """A service of version 1, which looks at its registry once an hour; versions 2 and 3, which is broken."""
    state = make_registry(tmp_path_factory.mktemp("var"), tmp_path_factory.mktemp("package"))
    client = open_client(embedded_uri(state))
    artifacts = (state / "mlartifacts").as_uri()
    for seed in (2, 3):
        package = make_package(tmp_path_factory.mktemp("package"), seed=seed)
        if seed == 3:
            (package / "card.md").write_text("another card than the manifest's")
        register_package(client, package, "ml-ids", alias=None, artifacts=artifacts)
    app = create_app(
        load_settings(
            state_dir=state,
            log_dir=tmp_path_factory.mktemp("logs"),
            start_cicflowmeter="false",
            demo=False,
            flow_archive_gb=0,
            model_poll_seconds=3600,
            api_keys=KEYS,
        )
    )
    with serving(app) as http:
        service: Service = app.state.service
        wait_until(lambda: service.watcher.status().source == "registry")
        wait_until(lambda: http.get("/ready").status_code == 200)
        yield http, service


def serving_version(http: httpx.Client) -> str:
    return str(http.get("/api/model", headers=READER).json()["version"])


def test_the_model_in_full(running: tuple[httpx.Client, Service]) -> None:
    http, service = running
    answer = http.get("/api/model", headers=READER)
    found = ModelInFull.model_validate(answer.json())
    assert (found.follows, found.name, found.dialect) == ("models:/ml-ids@champion", "ml-ids", "improved")
    assert tuple(found.features) == COMMON_NAMES
    assert [(each.code, each.label) for each in found.classes] == [
        *((0, "Benign"), (5, "DoS Hulk"), (17, "Portscan"))
    ]
    assert (found.threshold, found.threshold_source, found.source) == (0.5, "model", "registry")
    assert found.measured[0].figures == {"macro f1": 0.5}
    assert found.card
    assert found.card == service.worker.scorer.card  # type: ignore[union-attr]
    assert found.drift is not None
    assert found.drift["flows_needed"] == 500


def test_labelled_alerts_say_how_right_the_model_is(running: tuple[httpx.Client, Service]) -> None:
    http, service = running
    messages = opening(["10.0.0.1", "10.0.0.2", "10.0.0.3"], [17, 17, 5])
    service.alert_book.take(messages)
    written(service.alert_book)
    for message, verdict in zip(messages, ("true_positive", "false_positive"), strict=False):
        service.alert_book.label(message.alert_id, verdict, None, None, None)  # type: ignore[arg-type]
    judged = http.get("/api/model", headers=READER).json()["judged"]
    assert judged == {"Portscan": {"Benign": 1, "Portscan": 1}}


def test_versions_are_listed_with_their_aliases(running: tuple[httpx.Client, Service]) -> None:
    found = [
        ModelVersion.model_validate(each)
        for each in running[0].get("/api/model/versions", headers=READER).json()
    ]
    assert [each.version for each in found] == ["3", "2", "1"]
    assert [each.champion for each in found][-1]
    assert found[-1].features == 76


def test_promote_serves_a_version_and_rollback_the_one_before(running: tuple[httpx.Client, Service]) -> None:
    http, _ = running
    assert serving_version(http) == "1"
    promoted = Promoted.model_validate(
        http.post("/api/model/promote", headers=ADMIN, json={"version": "2"}).json()
    )
    assert (promoted.promoted, promoted.before, promoted.version, promoted.checked) == ("2", "1", "2", True)
    assert serving_version(http) == "2"
    back = Promoted.model_validate(http.post("/api/model/rollback", headers=ADMIN).json())
    assert (back.promoted, back.before, back.version) == ("1", "2", "1")
    assert serving_version(http) == "1"


def test_a_challenger_is_promoted_too(running: tuple[httpx.Client, Service]) -> None:
    http, _ = running
    body = {"version": "2", "alias": "challenger"}
    answer = http.post("/api/model/promote", headers=ADMIN, json=body).json()
    assert (answer["challenger"], answer["version"]) == ("2", "1")
    challenger = http.get("/api/model", headers=READER).json()["challenger"]
    assert challenger["version"] == "2"


def test_what_was_changed_elsewhere_is_served_after_a_reload(running: tuple[httpx.Client, Service]) -> None:
    http, service = running
    client = open_client(embedded_uri(service.settings.state_dir))
    client.set_registered_model_alias("ml-ids", "champion", "2")
    reloaded = Reloaded.model_validate(http.post("/api/model/reload", headers=ADMIN).json())
    assert (reloaded.checked, reloaded.version, reloaded.problems) == (True, "2", [])
    client.set_registered_model_alias("ml-ids", "champion", "3")
    refused = http.post("/api/model/reload", headers=ADMIN).json()
    assert refused["version"] == "2"
    assert "card.md" in refused["problems"][0]
    client.set_registered_model_alias("ml-ids", "champion", "1")
    assert http.post("/api/model/reload", headers=ADMIN).json()["problems"] == []


def test_what_cannot_be_promoted_changes_nothing(running: tuple[httpx.Client, Service]) -> None:
    http, _ = running
    broken = http.post("/api/model/promote", headers=ADMIN, json={"version": "3"})
    assert broken.status_code == 409
    assert "card.md" in broken.json()["detail"]
    assert str(running[1].settings.state_dir) not in broken.text
    assert http.post("/api/model/promote", headers=ADMIN, json={"version": "9"}).status_code == 404
    for body in ({"version": "latest"}, {"version": "1", "alias": "king"}, {}):
        assert http.post("/api/model/promote", headers=ADMIN, json=body).status_code == 422
    assert serving_version(http) == "1"


def test_who_may(running: tuple[httpx.Client, Service]) -> None:
    http, _ = running
    calls: list[tuple[str, str, dict[str, Any] | None]] = [
        ("POST", "/api/model/reload", None),
        ("POST", "/api/model/promote", {"version": "1"}),
        ("POST", "/api/model/rollback", None),
    ]
    for method, path, body in calls:
        for key, status in ((None, 401), ("r", 403), ("p", 403)):
            headers = {"X-API-Key": key} if key else {}
            assert http.request(method, path, json=body, headers=headers).status_code == status
    assert http.get("/api/model").status_code == 401


def test_looking_at_models_holds_no_request_up(
    running: tuple[httpx.Client, Service], monkeypatch: pytest.MonkeyPatch
) -> None:
    http, service = running
    release = threading.Event()
    monkeypatch.setattr(service.model_desk, "versions", lambda: release.wait(60) and [])
    asking = threading.Thread(target=lambda: http.get("/api/model/versions", headers=READER))
    asking.start()
    try:
        assert httpx.get(f"{http.base_url}/api/model", headers=READER, timeout=60).status_code == 200
        assert httpx.get(f"{http.base_url}/api/alerts", headers=READER, timeout=60).status_code == 200
    finally:
        release.set()
        asking.join()


def test_before_there_is_a_model_it_says_so(tmp_path: Path) -> None:
    settings = load_settings(
        state_dir=tmp_path / "var",
        log_dir=tmp_path / "logs",
        start_cicflowmeter="false",
        demo=False,
        mlflow_model_name="models:/nobodys@champion",
    )
    with serving(create_app(settings)) as http:
        answer = http.get("/api/model")
        assert answer.status_code == 503
        assert answer.json()["detail"].startswith("Model not available")
