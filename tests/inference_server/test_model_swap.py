from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from fastapi import FastAPI

from detection.mlflow_client import embedded_uri, open_client
from detection.package import load_package
from detection.registration import register_package
from flows.schema import COMMON_NAMES
from flows.table import FlowTable
from flows.verdicts import Verdicts
from helpers.models import made_up_flows, make_package, make_record
from helpers.server import serving, wait_until
from inference_server.main import create_app
from inference_server.settings import load_settings

VERSIONS = ("1", "2", "3")
SWAPS = ("2", "3", "1", "3", "2", "1")
ROWS = 24
CLIENTS = 4

FLOWS, _ = made_up_flows(ROWS, seed=5)
BODY = [dict(zip(COMMON_NAMES, row, strict=True)) for row in FLOWS.tolist()]


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """One model a version, the last of fewer features; each gives the rows probabilities of its own."""
    few = make_record(names=COMMON_NAMES[:40])
    return [
        make_package(tmp_path_factory.mktemp("package"), few if version == "3" else None, seed=int(version))
        for version in VERSIONS
    ]


@pytest.fixture(scope="module")
def own_probabilities(packages: list[Path]) -> dict[str, list[float]]:
    own = {
        version: load_package(package).score(_captured()).p_attack.tolist()
        for version, package in zip(VERSIONS, packages, strict=True)
    }
    for row in range(ROWS):
        assert len({own[version][row] for version in VERSIONS}) == len(VERSIONS), "the row tells no version"
    return own


def _captured() -> FlowTable:
    rows = np.arange(ROWS, dtype=np.uint64)
    return FlowTable.from_features(FLOWS, COMMON_NAMES, "improved", sensor="sensor-1", flow_uid=rows)


class Load:
    """Requests from several threads, and captured flows, until the block ends."""

    def __init__(self, app: FastAPI, client: httpx.Client) -> None:
        self._service = app.state.service
        self._url = str(client.base_url)
        self._end = threading.Event()
        self.answers: list[dict[str, Any]] = []
        self.faults: list[str] = []
        self.scored: list[tuple[FlowTable, Verdicts]] = []

    def __enter__(self) -> Load:
        tell, worker = self._service.worker._on_scored, self._service.worker

        def scored(table: FlowTable, verdicts: Verdicts) -> None:
            self.scored.append((table, verdicts))
            tell(table, verdicts)

        worker._on_scored = scored
        self._threads = [threading.Thread(target=self._request) for _ in range(CLIENTS)]
        self._threads.append(threading.Thread(target=self._capture))
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        for thread in self._threads:
            thread.join(60)

    def _request(self) -> None:
        with httpx.Client(base_url=self._url, timeout=60) as client:
            while not self._end.is_set():
                answer = client.post("/predict", json=BODY)
                if answer.status_code == 200:
                    self.answers.append(answer.json())
                else:
                    self.faults.append(answer.text)

    def _capture(self) -> None:
        while not self._end.wait(0.002):
            if self._service.worker.counters().waiting < 20 * ROWS:
                self._service.worker.hand_over(_captured())


@contextmanager
def _service(state: Path, logs: Path) -> Iterator[tuple[FastAPI, httpx.Client]]:
    settings = load_settings(
        state_dir=state, log_dir=logs, start_cicflowmeter="false", demo=False, model_poll_seconds=1
    )
    app = create_app(settings)
    with serving(app) as client:
        wait_until(lambda: client.get("/ready").status_code == 200)
        yield app, client


def test_models_are_swapped_under_load_without_a_failed_or_mixed_answer(
    packages: list[Path], own_probabilities: dict[str, list[float]], tmp_path: Path
) -> None:
    state = tmp_path / "state"
    registry = open_client(embedded_uri(state))
    artifacts = (state / "mlartifacts").as_uri()
    for package in packages:
        register_package(registry, package, "ml-ids", alias="champion", artifacts=artifacts)
    registry.set_registered_model_alias("ml-ids", "champion", "1")
    with _service(state, tmp_path / "logs") as (app, client), Load(app, client) as load:
        for version in SWAPS:
            registry.set_registered_model_alias("ml-ids", "champion", version)
            wait_until(lambda wanted=version: client.get("/health").json()["model"]["version"] == wanted)
            seen = len(load.answers)
            wait_until(lambda least=seen + CLIENTS: len(load.answers) > least or load.faults)
        counters = client.get("/health").json()["scoring"]
    assert load.faults == []
    assert counters["failed"] == counters["shed"] == 0
    served = Counter(answer["model"]["version"] for answer in load.answers)
    assert set(served) == set(VERSIONS)
    for answer in load.answers:
        version = answer["model"]["version"]
        assert answer["probability"] == own_probabilities[version]
        assert {verdict["model"]["version"] for verdict in answer["verdicts"]} == {version}
    assert {verdicts.model_version for _, verdicts in load.scored} == set(VERSIONS)
    for table, verdicts in load.scored:
        own = np.array(own_probabilities[verdicts.model_version])
        np.testing.assert_array_equal(verdicts.p_attack, own[table.flow_uid])
