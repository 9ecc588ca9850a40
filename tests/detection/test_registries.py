"""The watcher on an MLflow server, with the server's own artifacts and with artifacts in S3."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from detection.mlflow_client import open_client
from detection.model_cache import ModelCache
from detection.model_uri import parse_model_uri
from detection.registration import register_package
from detection.registry import Registry, open_champion
from detection.scorer import Scorer
from detection.watcher import ModelWatcher
from helpers.mlflow_server import S3_KEY, mlflow_server, s3_server
from helpers.models import make_package, typical_table
from helpers.server import wait_until

BUCKET = "models"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with mlflow_server(tmp_path_factory.mktemp("server")) as url:
        yield url


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return [make_package(tmp_path_factory.mktemp("package"), seed=seed) for seed in (0, 1)]


@pytest.fixture(params=["server", "s3"])
def artifacts(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[str | None]:
    """Where a new experiment keeps its files; None leaves it to the server."""
    if request.param == "server":
        yield None
        return
    with s3_server(request.config, tmp_path / "s3", BUCKET) as url:
        monkeypatch.setenv("MLFLOW_S3_ENDPOINT_URL", url)
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", S3_KEY[0])
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", S3_KEY[1])
        monkeypatch.setenv("AWS_REQUEST_CHECKSUM_CALCULATION", "when_required")
        monkeypatch.setenv("AWS_RESPONSE_CHECKSUM_VALIDATION", "when_required")
        yield f"s3://{BUCKET}/ids"


def test_a_registered_model_serves_and_a_promoted_one_takes_over(
    server: str, artifacts: str | None, packages: list[Path], tmp_path: Path
) -> None:
    name = "in-s3" if artifacts else "on-the-server"
    client = open_client(server)
    register_package(client, packages[0], name, alias="champion", artifacts=artifacts)
    if artifacts:
        assert list((tmp_path / "s3" / BUCKET).rglob("model.npz"))
    champions: list[Scorer] = []
    challengers: list[Scorer | None] = []
    registry = Registry(tracking_uri=server, state_dir=tmp_path / "var", register_starter=False)
    watcher = ModelWatcher(
        registry,
        parse_model_uri(f"{name}@champion"),
        ModelCache(tmp_path / "var", registry=registry.name, model_uri=name),
        on_champion=champions.append,
        on_challenger=challengers.append,
        poll_seconds=0.2,
    )
    watcher.start()
    try:
        wait_until(lambda: champions)
        register_package(client, packages[1], name, alias="challenger")
        wait_until(lambda: challengers)
        client.set_registered_model_alias(name, "champion", "2")
        client.delete_registered_model_alias(name, "challenger")
        wait_until(lambda: len(champions) == 2 and challengers[-1] is None)
        wait_until(lambda: not watcher.status().problems)
    finally:
        watcher.stop()
    assert [scorer.model_version for scorer in champions] == ["1", "2"]
    probed = typical_table([0, 5, 17])
    assert champions[0].score(probed).p_attack.tolist() != champions[1].score(probed).p_attack.tolist()
    again = open_champion(
        tracking_uri=server, state_dir=tmp_path, model_uri=f"models:/{name}/latest", register_starter=False
    )
    assert again.score(probed).p_attack.tolist() == champions[1].score(probed).p_attack.tolist()
