from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from detection.mlflow_client import embedded_uri
from flows.schema import COMMON_NAMES
from helpers.models import typical_flow
from helpers.queues import KEY, REGION, Queues, queue_server
from helpers.registry import make_registry
from helpers.server import serving, wait_until
from inference_server.main import create_app
from inference_server.settings import load_settings

LABELS = {"Benign": 0, "DoS Hulk": 5, "PortScan": 17}


@pytest.fixture(scope="session")
def queues(pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Queues]:
    """SNS and SQS, shared; every test makes its own queues."""
    with queue_server(pytestconfig, tmp_path_factory.mktemp("queues")) as running:
        yield running


@pytest.fixture(scope="session")
def champion_state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A STATE_DIR whose registry has a champion that judges the flows of `labelled` as they are labelled."""
    return make_registry(tmp_path_factory.mktemp("state"), tmp_path_factory.mktemp("package"))


@contextmanager
def service(folder: Path, **settings: Any) -> Iterator[str]:
    """Run the service; yields its URL once it judges flows."""
    defaults = {"start_cicflowmeter": "false", "demo": False, "flow_archive_gb": 0, "log_dir": folder}
    with serving(create_app(load_settings(**(defaults | settings)))) as client:
        wait_until(lambda: client.get("/ready").status_code == 200)
        yield str(client.base_url).rstrip("/")


@pytest.fixture(scope="session")
def api_url(champion_state: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """URL of a service that sends nothing to anybody."""
    with service(tmp_path_factory.mktemp("logs"), state_dir=champion_state) as url:
        yield url


@pytest.fixture
def publishing_url(champion_state: Path, queues: Queues, topic: str, tmp_path: Path) -> Iterator[str]:
    """URL of a service that publishes attacks and benign flows to `topic`."""
    publishing = {
        "aws_region": REGION,
        "aws_access_key": KEY[0],
        "aws_secret_key": KEY[1],
        "aws_endpoint_url_sns": queues.url,
        "aws_sns_predictions_topic": topic,
        "publish_benign": True,
    }
    registry = {"state_dir": tmp_path / "var", "mlflow_tracking_uri": embedded_uri(champion_state)}
    with service(tmp_path / "logs", **registry, **publishing) as url:
        yield url


@pytest.fixture
def topic(queues: Queues) -> str:
    """A topic of its own."""
    return queues.topic(f"predictions-{uuid.uuid4().hex}")


@pytest.fixture
def labelled() -> pd.DataFrame:
    """Ten flows of 79 columns: 5 benign, 3 of Hulk, 2 of a port scan."""
    labels = ["Benign"] * 5 + ["DoS Hulk"] * 3 + ["PortScan"] * 2
    identity = {"dst_port": 80, "protocol": 6, "timestamp": "21/02/2018 10:15:06"}
    rows = [identity | typical_flow(LABELS[label], COMMON_NAMES) | {"label": label} for label in labels]
    return pd.DataFrame(rows)
