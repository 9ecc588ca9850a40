"""What the clients need, and what they do without."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import orjson
import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
NEEDED = {*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["clients"]}
ONLY_SENSOR = {"numba", "llvmlite", "mlflow", "mlflow-skinny", "fastapi", "scikit-learn", "sqlalchemy"}
OF_CONDA = {"tables": "pytables"}
COMMANDS = ("ml_ids_rest_client", "ml_ids_attack_consumer")


def test_no_compiler_and_no_registry_is_imported() -> None:
    code = (
        "import clients.rest_client.command, clients.attack_consumer.command, sys\n"
        "sys.exit(', '.join({'numba', 'llvmlite', 'mlflow', 'sklearn', 'fastapi'} & sys.modules.keys()) or 0)"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (ran.returncode, ran.stderr) == (0, "")


def test_conda_installs_the_same() -> None:
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    assert environment["name"] == "ml-ids-api-client"
    *packages, pip = environment["dependencies"]
    named = {re.split(r"[<>=]", package)[0] for package in packages} - {"python", "pip"}
    assert named == {OF_CONDA.get(name, name) for name in NEEDED}
    assert pip == {"pip": ["-e .[clients]"]}


@pytest.mark.slow
def test_the_extra_installs_both_commands_and_no_sensor(tmp_path: Path, api_url: str) -> None:
    pins = re.findall(r"^([a-z0-9-]+)(?:\[.*\])?(==[^\\\n]*)", (ROOT / "requirements.txt").read_text(), re.M)
    (tmp_path / "pins.txt").write_text("".join(f"{name}{rest.strip()}\n" for name, rest in pins))
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "venv"], check=True)
    binaries = tmp_path / "venv" / "bin"
    pip = [binaries / "python", "-m", "pip", "--disable-pip-version-check"]
    constrained = [
        "install",
        "--quiet",
        "--constraint",
        tmp_path / "pins.txt",
        "--editable",
        f"{ROOT}[clients]",
    ]
    made = subprocess.run([*pip, *constrained], capture_output=True, text=True)
    if made.returncode:
        pytest.skip(f"the environment cannot be made: {made.stderr.strip().splitlines()[-1]}")
    listed = subprocess.run([*pip, "list", "--format", "json"], check=True, capture_output=True)
    assert {package["name"].lower() for package in orjson.loads(listed.stdout)} & ONLY_SENSOR == set()
    for command in COMMANDS:
        subprocess.run([binaries / command, "--help"], check=True, capture_output=True, env={"PATH": ""})
    sensor = subprocess.run([binaries / "ml-ids"], capture_output=True, text=True, env={"PATH": ""})
    assert sensor.stderr.endswith("is not installed: pip install 'ml-ids[sensor]'\n")
    ran = subprocess.run(
        [binaries / COMMANDS[0], "--dataset-uri", ROOT / "data/demo/test.h5", "--api-url", api_url, "--all"],
        env={"PATH": "", "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert ran.returncode == 0, ran.stderr
    assert "Accuracy: " in ran.stdout
