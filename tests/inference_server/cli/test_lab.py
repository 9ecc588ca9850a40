from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from helpers.namespace import require_tools
from inference_server.cli import app
from lab import namespaces
from lab.scenario import own_scenarios

QUIET = """
name: quiet
description: one pings another
seconds: 60
hosts: {one: {}, two: {}}
activities: [{do: ping, by: one, to: two, seconds: 50, with: {count: 100}}]
"""


def test_scenarios_are_listed_with_what_happens() -> None:
    result = CliRunner().invoke(app, ["lab", "scenarios"], env={"COLUMNS": "200"})
    assert result.exit_code == 0, result.output
    for name in own_scenarios():
        assert name in result.output


def test_a_scenario_that_is_not_there_is_named_before_anything_runs(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["lab", "run", "web-scan", "tea-party", "--out", str(tmp_path / "out")])
    assert result.exit_code == 1
    assert "no scenario tea-party" in result.output
    assert not (tmp_path / "out").exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may")
def test_who_is_not_root_is_told(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["lab", "run", "web-scan", "--out", str(tmp_path)])
    assert result.exit_code == 1
    assert "run it as root" in result.output


def test_an_installation_without_the_lab_says_where_it_is(tmp_path: Path) -> None:
    program = (
        "import sys; sys.modules['lab.output'] = None; from inference_server.cli import app; "
        "app(['lab', 'run', 'web-scan'])"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=tmp_path)
    assert result.returncode == 1
    assert "in a checkout" in result.stderr


@pytest.mark.needs_netns
@pytest.mark.parametrize(("number", "left"), [(signal.SIGTERM, False), (signal.SIGKILL, True)])
def test_a_run_that_is_ended_leaves_nothing_for_long(
    tmp_path: Path, number: signal.Signals, left: bool
) -> None:
    require_tools("tcpdump", "ping", "ss")
    (tmp_path / "quiet.yaml").write_text(QUIET)
    program = "from inference_server.cli import app; app()"
    command = [sys.executable, "-c", program, "lab", "run", "quiet.yaml", "--out", "out"]
    with (tmp_path / "said").open("w") as said:
        running = subprocess.Popen(command, cwd=tmp_path, stdout=said, stderr=subprocess.STDOUT)
    try:
        capture = tmp_path / "out" / "quiet-1.pcap"
        deadline = time.monotonic() + 60
        while not capture.exists() and running.poll() is None and time.monotonic() < deadline:
            time.sleep(0.05)
        if "netns" in (tmp_path / "said").read_text():
            pytest.skip("network namespaces are not allowed here")
        assert capture.exists(), (tmp_path / "said").read_text()
        prefix = f"{namespaces.PREFIX}.{running.pid}."
        assert [name for name in os.listdir(namespaces.RUN) if name.startswith(prefix)]
        running.send_signal(number)
        running.wait(60)
    finally:
        running.kill()
    there = [name for name in os.listdir(namespaces.RUN) if name.startswith(prefix)]
    assert bool(there) == left
    assert set(there) <= set(namespaces.remove_leftovers())
    assert not [name for name in os.listdir(namespaces.RUN) if name.startswith(prefix)]
    assert not [name for name in os.listdir(tempfile.gettempdir()) if name.startswith(prefix)]
