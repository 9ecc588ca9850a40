"""Every `bash` block of API.md runs as it stands, with only the address changed."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from helpers.models import typical_flow
from helpers.server import serving, wait_until
from inference_server.main import create_app
from inference_server.settings import load_settings

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "src" / "inference_server" / "API.md").read_text()
SHOWN_AT = "http://127.0.0.1:8000"
BLOCKS = re.findall(r"^```bash\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory that looks like a checkout's; what blocks write stays there."""
    directory = tmp_path_factory.mktemp("checkout")
    (directory / "data").symlink_to(ROOT / "data")
    # An answer of 400 or more fails the block.
    (directory / ".curlrc").write_text("fail-with-body\nshow-error\n")
    return directory


@pytest.fixture(scope="module")
def service(champion_state: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A service that blocks may change; it has an alert to show."""
    state = tmp_path_factory.mktemp("var")
    shutil.copytree(champion_state, state, dirs_exist_ok=True)
    settings = load_settings(
        state_dir=state,
        log_dir=tmp_path_factory.mktemp("logs"),
        start_cicflowmeter="false",
        demo=False,
    )
    with serving(create_app(settings)) as client:
        wait_until(lambda: client.get("/ready").status_code == 200)
        client.post("/predict", json=typical_flow(5))
        wait_until(lambda: client.get("/api/alerts").json()["alerts"])
        yield client


@pytest.mark.parametrize("block", BLOCKS)
def test_block(service: httpx.Client, place: Path, block: str) -> None:
    script = block.replace(SHOWN_AT, str(service.base_url).rstrip("/"))
    assert script != block, f"{SHOWN_AT} is the address"
    ran = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=place,
        env=os.environ | {"CURL_HOME": str(place)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert ran.stdout.strip()


def test_every_group_of_routes_has_a_line() -> None:
    """A group is what its paths begin with: /health, /api/alerts."""
    groups = {"/".join(path.split("/")[:3]) for path in create_app().openapi()["paths"]} - {"/"}
    missing = [group for group in sorted(groups) if group not in "".join(BLOCKS)]
    assert missing == []
