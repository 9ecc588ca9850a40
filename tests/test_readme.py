"""What README.md shows is true: its console lines are run, its Troubleshooting messages are provoked."""

from __future__ import annotations

import json
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from capture.interfaces import may_capture
from capture.status import FrameCounters
from detection.drift import ENOUGH_FLOWS, SHIFTED_PSI, DriftStatus
from helpers.models import make_scorer
from helpers.server import serving, wait_until
from helpers.status import INTERFACE, make_status
from inference_server.live_capture import CaptureStatus
from inference_server.main import create_app
from inference_server.settings import Settings, load_settings
from inference_server.telemetry.health import degraded_reasons, health_body

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text()
SHOWN_AT = "http://127.0.0.1:8000"
BIN = Path(sys.executable).parent
ANYTHING = "..."
FLOW = (ROOT / "data" / "demo" / "flow.json").read_bytes()


def console_lines() -> list[tuple[str, str]]:
    """Return the commands of ```console blocks, each with the output shown below it."""
    lines: list[tuple[str, str]] = []
    for block in re.findall(r"```console\n(.*?)```", README, re.DOTALL):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, output = part.partition("\n")
            lines.append((command, output.strip()))
    return lines


def troubles() -> list[str]:
    """Return the messages of the Troubleshooting section, blanks folded."""
    section = README.split("## Troubleshooting")[1].split("\n## ")[0]
    bold = re.findall(r"\*\*(.+?)\*\*", section, re.DOTALL)
    return [" ".join(message.replace("`", "").split()) for message in bold]


def matches(shown: str, actual: str) -> bool:
    pattern = ".*".join(re.escape(part) for part in shown.split(ANYTHING))
    return re.search(pattern, actual, re.DOTALL) is not None


def settings(directory: Path, **overrides: object) -> Settings:
    chosen: dict[str, object] = {"start_cicflowmeter": "false", "demo": False} | overrides
    return load_settings(state_dir=directory / "var", log_dir=directory / "logs", **chosen)


@contextmanager
def running(directory: Path, **overrides: object) -> Iterator[httpx.Client]:
    with serving(create_app(settings(directory, **overrides))) as client:
        yield client


def refused(client: httpx.Client) -> str:
    """Return the detail of the 503 that POST /predict answers."""
    answer = client.post("/predict", content=FLOW)
    assert answer.status_code == 503
    return str(answer.json()["detail"])


def test_there_are_lines_to_run() -> None:
    assert sum("curl" in command for command, _ in console_lines()) >= 4


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    with running(tmp_path_factory.mktemp("service")) as client:
        wait_until(lambda: client.get("/ready").status_code == 200)
        yield client


@pytest.mark.parametrize(("command", "shown"), console_lines())
def test_console_line(service: httpx.Client, command: str, shown: str) -> None:
    line = command.replace(SHOWN_AT, str(service.base_url).rstrip("/")).replace(".venv/bin/", f"{BIN}/")
    ran = subprocess.run(
        ["bash", "-c", line], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert ran.returncode == 0, ran.stderr
    assert matches(shown, ran.stdout), ran.stdout


def no_permission(directory: Path) -> str:
    code = (
        "import logging; logging.basicConfig(format='%(message)s')\n"
        "from inference_server.live_capture import LiveCapture\n"
        "from inference_server.settings import Settings\n"
        "LiveCapture(Settings(), lambda table: 0).start()"
    )
    drop = ["setpriv", "--bounding-set=-net_raw", "--inh-caps=-net_raw"] if may_capture() else []
    if drop and not shutil.which("setpriv"):
        pytest.skip("setpriv is needed to give up the permission to capture")
    ran = subprocess.run(
        [*drop, sys.executable, "-c", code], cwd=directory, capture_output=True, text=True, check=True
    )
    return ran.stderr


def unknown_interface(directory: Path) -> str:
    if not may_capture():
        pytest.skip("needs the permission to capture")
    with running(directory, start_cicflowmeter="true", cic_interface="eth7") as client:
        wait_until(lambda: "CIC_INTERFACE" in client.get("/health").text)
        return "\n".join(client.get("/health").json()["reasons"])


def wrong_filter(directory: Path) -> str:
    if not may_capture():
        pytest.skip("needs the permission to capture")
    chosen = {"start_cicflowmeter": "true", "cic_interface": "lo", "capture_filter": "tcp prot 80"}
    with running(directory, **chosen) as client:
        wait_until(lambda: "CAPTURE_FILTER" in client.get("/health").text)
        wait_until(lambda: client.post("/predict", content=FLOW).status_code == 200)
        return "\n".join(client.get("/health").json()["reasons"])


def oversized(directory: Path) -> str:
    interface = replace(INTERFACE, frames=FrameCounters(frames=20, oversized=12))
    status = make_status(None, capture=CaptureStatus(True, None, (interface,)))
    return "\n".join(degraded_reasons(status, 300))


def still_loading(directory: Path) -> str:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        registry = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with running(directory, mlflow_tracking_uri=registry) as client:
            return refused(client)


def empty_registry(directory: Path) -> str:
    with running(directory, mlflow_tracking_uri=f"sqlite:///{directory}/own.db") as client:
        wait_until(lambda: "REGISTER_STARTER" in refused(client))
        return refused(client)


def dead_registry(directory: Path) -> str:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        registry = f"http://127.0.0.1:{closed.getsockname()[1]}"
    with running(directory, mlflow_tracking_uri=registry) as client:
        wait_until(lambda: "being loaded" not in refused(client))
        return refused(client)


def open_to_all(directory: Path) -> str:
    with pytest.raises(ValueError, match="HOST") as refusal:
        settings(directory, host="0.0.0.0")
    return str(refusal.value)


def degraded(directory: Path) -> str:
    with running(directory, mlflow_tracking_uri=f"sqlite:///{directory}/own.db") as client:
        return f"/health says {client.get('/health').json()['status']}"


def drifting(directory: Path) -> str:
    status = make_status(make_scorer(), drift=DriftStatus(ENOUGH_FLOWS, {"flow_duration": 2 * SHIFTED_PSI}))
    return f"/health says {health_body(status, 300)['status']}"


PROVOKED: dict[str, Callable[[Path], str]] = {
    "no live capture": no_permission,
    "CIC_INTERFACE": unknown_interface,
    "CAPTURE_FILTER": wrong_filter,
    "capture on eth0": oversized,
    "Model not available: the model is being loaded": still_loading,
    "Model not available: registry sqlite": empty_registry,
    "Model not available: registry http": dead_registry,
    "HOST=0.0.0.0": open_to_all,
    "/health says degraded": degraded,
    "/health says drift": drifting,
}


@pytest.mark.parametrize("shown", troubles())
def test_troubleshooting_message(tmp_path: Path, shown: str) -> None:
    [provoke] = [provoke for start, provoke in PROVOKED.items() if shown.startswith(start)]
    actual = " ".join(provoke(tmp_path).split())
    assert matches(shown, actual), actual


@pytest.mark.slow
def test_the_pictures_are_those_that_the_script_takes(tmp_path: Path) -> None:
    if not shutil.which("chromium"):
        pytest.skip("needs chromium (apt-get install chromium)")
    script = ROOT / "scripts" / "make_screenshots.py"
    subprocess.run([sys.executable, script, tmp_path, "--no-traffic"], check=True, timeout=300)
    shown = {ROOT / name for name in re.findall(r"docs/images/\S+\.png", README)}
    taken = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert {path.name for path in shown} == set(taken)
    for path in shown:
        # The size is in the header: of a laptop's window, or a phone's.
        assert path.read_bytes()[:24] == taken[path.name][:24]


def test_the_tour_s_address_leads_to_the_dashboard(service: httpx.Client) -> None:
    [path] = re.findall(rf"<{re.escape(SHOWN_AT)}(/\w+)> shows", README)
    answer = service.get(path, follow_redirects=True)
    assert answer.status_code == 200
    assert "<title>Alerts" in answer.text


def test_every_trouble_is_in_the_readme() -> None:
    assert len(troubles()) == len(PROVOKED)


def test_the_keys_of_a_log_line_are_the_schema_s() -> None:
    [shown] = re.findall(r"jq -c '\[(.*)\]'", README)
    schema = json.loads((ROOT / "docs" / "verdict.schema.json").read_text())
    assert {key.strip().removeprefix(".") for key in shown.split(",")} <= set(schema["properties"])


def test_the_starters_figures_are_those_of_its_card() -> None:
    card = (ROOT / "models" / "starter" / "card.md").read_text()
    benign, attack = (
        float(re.findall(rf"^\| {kind} \|.* ([\d.]+)% \| [\d.]+% \|$", card, re.MULTILINE)[0])
        for kind in ("benign", "attack")
    )
    [found] = re.findall(r"(\d+ of \d+)\s+captures have a flagged flow", card)
    text = " ".join(README.split())
    assert f"flags {benign:.2f}% of the benign flows and {attack:.0f}% of the attack flows" in text
    assert f"something in only {found} attack captures" in text


def test_the_logs_it_names_are_the_logs_there_are(tmp_path: Path) -> None:
    with running(tmp_path, log_negative_predictions=True) as client:
        wait_until(lambda: client.get("/ready").status_code == 200)
        wait_until(lambda: client.post("/predict", content=FLOW).status_code == 200)
        log = tmp_path / "logs" / "positive_predictions.log"
        wait_until(log.exists)
        named = set(re.findall(r"`(\w+\.log|alerts\.json)`", README))
        files = {Path(file["name"]).name for file in client.get("/health").json()["sink"]["files"]}
    assert files == named
    assert time.time() - log.stat().st_mtime < 60
