"""A model that reads host context, served: to requests, and live in place of one that reads none."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer
from mlflow import MlflowClient
from typer.testing import CliRunner

from context.features import CONTEXT_NAMES
from detection.mlflow_client import embedded_uri, open_client
from detection.package import load_package
from detection.registration import register_package
from flows.archive import read_archive
from flows.schema import COMMON_NAMES
from flows.table import FlowTable
from helpers.command import BIN, running
from helpers.context_models import make_context_package
from helpers.models import make_package, typical_flow
from helpers.namespace import Namespace, network_namespace, require_tools
from helpers.packets import connection, pcap, tcp, udp, write_capture
from helpers.server import wait_until
from inference_server.cli.score import score

Registry = MlflowClient
GET = "import sys, urllib.request; sys.stdout.write(urllib.request.urlopen(sys.argv[1]).read().decode())"
SETTLE_SECONDS = 1.0


@pytest.fixture
def estimator() -> str:
    """What the model is that reads context."""
    return "random-forest"


@pytest.fixture
def registry(tmp_path: Path, estimator: str) -> Registry:
    """Below tmp_path/var: version 1 reads no context and is champion, version 2 does."""
    state = tmp_path / "var"
    client = open_client(embedded_uri(state))
    artifacts = (state / "mlartifacts").as_uri()
    packages = (make_package(tmp_path / "plain"), make_context_package(tmp_path / "context", estimator))
    for package, alias in zip(packages, ("champion", None), strict=True):
        register_package(client, package, "ml-ids", alias=alias, artifacts=artifacts)
    return client


@pytest.mark.parametrize("estimator", ["random-forest", "stacked"])
def test_a_request_need_not_tell_context(
    registry: Registry, tmp_path: Path, serve: Callable[..., Any]
) -> None:
    registry.set_registered_model_alias("ml-ids", "champion", "2")
    bare = typical_flow(0)
    known = bare | {CONTEXT_NAMES[0]: 3.0}
    with serve(state_dir=tmp_path / "var") as client:
        answer = client.post("/predict", json=[bare, known], params={"explain": "true"})
        assert answer.status_code == 200, answer.text
        assert client.post("/invocations", json={"dataframe_records": [bare]}).status_code == 200
        lacking = client.post("/predict", json=dict.fromkeys(COMMON_NAMES[1:], 1.0))
        assert (lacking.status_code, lacking.json()["missing"]) == (422, [COMMON_NAMES[0]])
    scorer = load_package(tmp_path / "context" / "package")
    rows = np.full((2, len(scorer.record.features)), np.nan)
    rows[:, : len(COMMON_NAMES)] = list(bare.values())
    rows[1, len(COMMON_NAMES)] = 3.0
    expected = scorer.score(FlowTable.from_features(rows, scorer.record.features, "improved"))
    assert answer.json()["probability"] == expected.p_attack.tolist()
    seen = [verdict["features"][CONTEXT_NAMES[0]] for verdict in answer.json()["verdicts"]]
    assert seen == ["NaN", 3.0]


@pytest.fixture
def namespace() -> Iterator[Namespace]:
    require_tools("tcpdump", "tcpreplay")
    with network_namespace() as made:
        made.run("ip", "link", "set", "lo", "up")
        yield made


def send(namespace: Namespace, capture: Path) -> None:
    namespace.run("tcpreplay", "-q", "-i", namespace.sender, "-t", str(capture))


@contextmanager
def recorded(namespace: Namespace, path: Path) -> Iterator[None]:
    """Let tcpdump listen beside the service."""
    recorder = subprocess.Popen(
        namespace.command("tcpdump", "-U", "-i", namespace.sensor, "-w", str(path)),
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert recorder.stderr is not None
        assert "listening on" in recorder.stderr.readline()
        yield
        time.sleep(SETTLE_SECONDS)
    finally:
        recorder.terminate()
        recorder.communicate(timeout=30)


@contextmanager
def sensor(namespace: Namespace, folder: Path) -> Iterator[Callable[[str], bool]]:
    """Run the service in the namespace; the function given says whether it captures and serves a version."""
    command = namespace.command(str(BIN / "ml-ids"), "serve", "--host", "127.0.0.1", "--port", "0")
    command[0] = str(shutil.which("ip"))
    environment = {"CIC_INTERFACE": namespace.sensor, "DEMO": "0"}
    environment |= {"MODEL_POLL_SECONDS": "1", "LOG_NEGATIVE_PREDICTIONS": "true"}
    with running(command, folder, **environment) as service:

        def serves(version: str) -> bool:
            health = json.loads(namespace.run(sys.executable, "-c", GET, f"{service.url}/health").stdout)
            captures = [each["running"] for each in health["capture"]["interfaces"]]
            return captures == [True] and (health["model"] or {}).get("version") == version

        yield serves
        service.stop(signal.SIGTERM)


def told(*paths: Path) -> dict[tuple[Any, ...], dict[str, Any]]:
    """The verdict objects of files by their flows, once these have ended."""
    lines = [json.loads(line) for path in paths for line in path.read_text().splitlines()]
    lines = [line for line in lines if not line["provisional"]]
    names = ("src_ip", "src_port", "dst_port", "protocol", "start")
    found = {tuple(line[name] for name in names): line for line in lines}
    assert len(found) == len(lines)
    return found


@pytest.mark.needs_netns
def test_a_wire_gives_the_context_and_verdicts_of_its_recording_once_the_champion_reads_context(
    namespace: Namespace, registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = write_capture(tmp_path / "before.pcap", pcap([udp(0, src=("10.7.7.7", 53))]))
    packets = [packet for at in range(20) for packet in connection(at * 10_000, port=41_000 + at)]
    packets += [tcp(at * 100, "S", src=("10.9.9.9", 50_000), dst=("10.0.0.2", at)) for at in range(1, 200)]
    burst = write_capture(tmp_path / "burst.pcap", pcap(packets))
    recording = tmp_path / "recorded.pcap"
    with sensor(namespace, tmp_path) as serves:
        wait_until(lambda: serves("1"))
        send(namespace, before)
        registry.set_registered_model_alias("ml-ids", "champion", "2")
        wait_until(lambda: serves("2"))
        time.sleep(SETTLE_SECONDS)
        with recorded(namespace, recording):
            send(namespace, burst)
            time.sleep(SETTLE_SECONDS)
            send(namespace, burst)

    monkeypatch.setenv("STATE_DIR", str(tmp_path / "var"))
    app = typer.Typer()
    app.command()(score)
    assert CliRunner().invoke(app, [str(recording), "-o", str(tmp_path / "file.jsonl")]).exit_code == 0
    of_file = told(tmp_path / "file.jsonl")
    of_wire = told(*(tmp_path / "logs").glob("*_predictions.log"))
    [older] = [key for key in of_wire if key[0] == "10.7.7.7"]
    context = of_wire.pop(older)["features"]
    assert {context.get(name) for name in CONTEXT_NAMES} == {"NaN"}
    assert of_wire.keys() == of_file.keys()
    assert len(of_file) > 220
    for key, expected in of_file.items():
        for name in ("features", "label", "p_attack", "model"):
            assert of_wire[key][name] == expected[name], (key, name)
    assert max(each["features"]["src_flows_60s"] for each in of_file.values()) > 190

    archived = [table.take(~table.provisional) for table in read_archive(tmp_path / "var" / "flows")]
    assert sum(map(len, archived)) == len(of_file) + 1
    assert all(set(CONTEXT_NAMES) <= set(table.feature_names) for table in archived)
