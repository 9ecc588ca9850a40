from __future__ import annotations

import subprocess
import sys

import pytest


@pytest.mark.parametrize("missing", ["pydantic_settings", "numba"])
def test_what_the_sensor_needs_is_named_where_only_the_clients_are(missing: str) -> None:
    code = f"import sys; sys.modules[{missing!r}] = None\nfrom inference_server.launch import main\nmain()"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert ran.returncode == 1
    assert ran.stderr == f"error: {missing} is not installed: pip install 'ml-ids[sensor]'\n"


def test_elsewhere_it_is_the_command() -> None:
    code = "from inference_server.launch import main\nmain()"
    ran = subprocess.run([sys.executable, "-c", code, "--help"], capture_output=True, text=True)
    assert ran.returncode == 0
    assert "serve" in ran.stdout
