from __future__ import annotations

import subprocess
import sys

import pytest
from typer.testing import CliRunner

from inference_server.cli import COMMANDS, app


def test_every_command_is_listed_with_what_it_does():
    result = CliRunner().invoke(app, [], env={"COLUMNS": "120"})
    listed = [line.strip("│ ").split("  ")[0] for line in result.output.splitlines() if line.startswith("│")]
    assert [name for name in listed if name in COMMANDS] == list(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_says_how_it_is_called(name):
    result = CliRunner().invoke(app, [name, "--help"])
    assert result.exit_code == 0, result.output
    assert f"Usage: ml-ids {name} " in result.output
    assert "--install-completion" not in result.output


def test_a_command_that_is_none_is_refused():
    result = CliRunner().invoke(app, ["metre"])
    assert result.exit_code == 2
    assert "No such command 'metre'" in result.output


def test_a_command_is_imported_without_the_others():
    script = "import sys; from inference_server.cli import meter; print(*sys.modules)"
    loaded = subprocess.check_output([sys.executable, "-c", script], text=True).split()
    assert "capture.files" in loaded
    assert not {"sqlalchemy", "fastapi", "mlflow", "inference_server.cli.serve"} & set(loaded)


@pytest.mark.parametrize("missing", ["pydantic_settings", "numba"])
def test_what_the_sensor_needs_is_named_where_only_the_clients_are(missing):
    code = f"import sys; sys.modules[{missing!r}] = None\nfrom inference_server.cli import app\napp()"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert ran.returncode == 1
    assert ran.stderr == f"error: {missing} is not installed: pip install 'ml-ids[sensor]'\n"
