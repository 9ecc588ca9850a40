from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
from pathlib import Path

import httpx
import pytest
from typer.testing import CliRunner

from helpers.certificates import make_pair
from helpers.command import running
from helpers.models import typical_flow
from helpers.server import wait_until
from inference_server.cli import app

# A second or two; on a machine that does much else, more.
STOP_SECONDS = 20
NO_CAPTURE = {"START_CICFLOWMETER": "false", "DEMO": "0"}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_serves_until_a_signal(tmp_path: Path, champion_state: Path, number: signal.Signals) -> None:
    environment = NO_CAPTURE | {"STATE_DIR": str(champion_state)}
    with running(["ml-ids", "serve", "--port", "0"], tmp_path, **environment) as service:
        wait_until(service.ready)
        assert service.stop(number) < STOP_SECONDS
        output = service.output.read_text()
    assert service.process.returncode == 0
    assert "Traceback" not in output
    assert f"tail -F {tmp_path}/logs/positive_predictions.log" in output
    assert "make mlflow-ui" in output
    assert output.count(": stopped") == 1


def test_a_second_signal_does_not_break_the_stop_off(tmp_path: Path, champion_state: Path) -> None:
    environment = NO_CAPTURE | {"STATE_DIR": str(champion_state)}
    with running(["ml-ids", "serve", "--port", "0"], tmp_path, **environment) as service:
        wait_until(service.ready)
        service.process.send_signal(signal.SIGINT)
        assert service.stop() < STOP_SECONDS
    assert service.process.returncode == 0
    assert "Traceback" not in service.output.read_text()


def test_stops_in_time_while_the_model_is_being_loaded(tmp_path: Path) -> None:
    with running(["ml-ids", "serve", "--port", "0"], tmp_path, **NO_CAPTURE) as service:
        assert service.stop() < STOP_SECONDS
    assert service.process.returncode == 0


def test_demo_flows_reach_the_logs(tmp_path: Path, champion_state: Path) -> None:
    environment = NO_CAPTURE | {
        "STATE_DIR": str(champion_state),
        "DEMO": "1",
        "LOG_NEGATIVE_PREDICTIONS": "true",
    }
    with running(["ml-ids", "serve", "--port", "0"], tmp_path, **environment) as service:
        wait_until(lambda: "demo capture replayed" in service.output.read_text())
        assert service.stop() < STOP_SECONDS
    (flows,) = re.findall(r"demo capture replayed: (\d+) flows", service.output.read_text())
    texts = [path.read_text() for path in (tmp_path / "logs").glob("*_predictions.log*")]
    lines = [line for text in texts for line in text.splitlines()]
    assert len(lines) == int(flows) > 0
    assert all('"sensor":"demo"' in line and '"source":"demo"' in line for line in lines)


def test_the_first_start_shows_attacks(tmp_path: Path) -> None:
    with running(["ml-ids", "serve", "--port", "0"], tmp_path, **NO_CAPTURE | {"DEMO": "1"}) as service:
        wait_until(service.ready)
        positives = tmp_path / "logs" / "positive_predictions.log"
        wait_until(lambda: positives.exists() and positives.read_text().count("\n") > 100)
        service.stop()
    lines = [json.loads(line) for line in positives.read_text().splitlines()]
    assert {line["sensor"] for line in lines} == {"demo"}
    assert {"Portscan", "DoS Hulk", "SSH-Patator"} <= {line["label"] for line in lines}
    assert "registered the starter model as ml-ids version 1, @champion" in service.output.read_text()


def test_a_restart_without_the_registry_serves_the_cached_model(tmp_path: Path, champion_state: Path) -> None:
    database = tmp_path / "own.db"
    shutil.copy(champion_state / "mlflow.db", database)
    registry = f"sqlite:///{database}"
    environment = NO_CAPTURE | {"MLFLOW_TRACKING_URI": registry}
    with running(["ml-ids", "serve", "--port", "0"], tmp_path, **environment) as service:
        wait_until(service.ready)
        wait_until((tmp_path / "var" / "model-cache" / "current.json").exists)
    database.write_text("no database, but text")
    with running(["ml-ids", "serve", "--port", "0"], tmp_path, **environment) as service:
        wait_until(service.ready)
        answer = httpx.post(f"{service.url}/predict", json=typical_flow(5), timeout=60).json()
        assert (answer["prediction"], answer["model"]) == ([5], {"name": "ml-ids", "version": "1"})
        wait_until(lambda: "cannot be used" in httpx.get(f"{service.url}/health").text)
        health = httpx.get(f"{service.url}/health").json()
    (reason,) = health["reasons"]
    assert health["status"] == "degraded"
    assert reason.startswith(f"registry {registry} cannot be used (")
    assert reason.endswith("; serving version 1 from the cache")


def test_plain_uvicorn_serves_the_same(tmp_path: Path, champion_state: Path) -> None:
    environment = NO_CAPTURE | {"STATE_DIR": str(champion_state)}
    with running(["uvicorn", "inference_server.main:app", "--port", "0"], tmp_path, **environment) as service:
        wait_until(service.ready)
        assert service.stop() < STOP_SECONDS
    assert "started: interface none, dialect improved" in service.output.read_text()


def test_the_curl_script_posts_a_complete_flow(tmp_path: Path, champion_state: Path) -> None:
    script = Path(__file__).parents[2] / "curl_predict_full.sh"
    environment = NO_CAPTURE | {"STATE_DIR": str(champion_state), "API_KEYS": "hush"}
    with running(["ml-ids", "serve", "--port", "0"], tmp_path, **environment) as service:
        wait_until(service.ready)
        command = [script, service.url]
        allowed = subprocess.run(
            command, env=os.environ | {"API_KEY": "hush"}, capture_output=True, text=True
        )
        refused = subprocess.run(command, capture_output=True, text=True, check=False)
    assert allowed.returncode == 0, allowed.stderr
    assert '"prediction":[' in allowed.stdout
    assert '"warnings":[]' in allowed.stdout
    assert refused.returncode != 0
    assert "API key missing" in refused.stdout


def test_flags_win_over_the_environment_and_are_checked() -> None:
    result = CliRunner().invoke(app, ["serve", "--host", "0.0.0.0"], env={"HOST": "127.0.0.1"})
    assert result.exit_code == 1
    assert "HOST=0.0.0.0" in result.stderr
    result = CliRunner().invoke(app, ["serve", "--port", "99999"])
    assert result.exit_code == 1
    assert "PORT=99999" in result.stderr


def test_a_port_in_use_is_said_before_anything_starts(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        logs = tmp_path / "logs"
        result = CliRunner().invoke(app, ["serve", "--port", str(port)], env={"LOG_DIR": str(logs)})
    assert result.exit_code == 1
    assert result.stderr == (
        f"error: PORT={port}: another program listens on 127.0.0.1 port {port}; "
        "stop it, or set PORT to another\n"
    )
    assert not logs.exists()


@pytest.mark.parametrize("host", ["192.0.2.1", "host.invalid"])
def test_an_address_of_no_one_is_said(host: str) -> None:
    arguments = ["serve", "--port", "0", "--host", host]
    result = CliRunner().invoke(app, arguments, env={"ALLOW_UNAUTHENTICATED": "true"})
    assert result.exit_code == 1
    assert result.stderr.startswith(f"error: HOST={host}: ")
    assert result.stderr.endswith("; set HOST to an address of this machine\n")


@pytest.mark.parametrize("host", ["localhost", "::1"])
def test_serves_at_the_address_it_prints(tmp_path: Path, champion_state: Path, host: str) -> None:
    environment = NO_CAPTURE | {"STATE_DIR": str(champion_state), "HOST": host, "PORT": "0"}
    with running(["ml-ids", "serve"], tmp_path, **environment) as service:
        wait_until(service.ready)
    assert not service.url.endswith(":0")


def test_serves_https_with_a_certificate(tmp_path: Path, champion_state: Path) -> None:
    pair = make_pair(tmp_path)
    tls = {"TLS_CERT_FILE": str(pair.certificate), "TLS_KEY_FILE": str(pair.key)}
    environment = NO_CAPTURE | tls | {"STATE_DIR": str(champion_state), "API_KEYS": "siem:read:hush"}
    with running(["ml-ids", "serve", "--port", "0"], tmp_path, **environment) as service:
        assert service.url.startswith("https://")
        trusting = ssl.create_default_context(cafile=str(pair.certificate))
        with httpx.Client(base_url=service.url, verify=trusting, timeout=60) as client:
            answer = client.get("/", headers={"X-Request-Id": "over-tls"})
        assert answer.json() == {"message": "Inference server is running."}
        assert answer.headers["strict-transport-security"] == "max-age=31536000"
        assert "server" not in answer.headers
        with pytest.raises(httpx.HTTPError):
            httpx.get(service.url.replace("https", "http"))
        assert service.stop() < STOP_SECONDS
    assert '"request_id":"over-tls"' in (tmp_path / "logs" / "access.log").read_text()


def test_a_certificate_that_cannot_be_used_is_said_before_anything_starts(tmp_path: Path) -> None:
    pair, other = make_pair(tmp_path), make_pair(tmp_path, "other")
    tls = {"TLS_CERT_FILE": str(pair.certificate), "TLS_KEY_FILE": str(other.key)}
    for command in (["serve", "--port", "0"], ["check-config"]):
        result = CliRunner().invoke(app, command, env=tls)
        assert result.exit_code == 1
        assert result.stderr == (
            f"error: TLS_KEY_FILE={other.key} is not the key of TLS_CERT_FILE={pair.certificate}: "
            "name a pair\n"
        )
