"""Schemathesis asks a real server what its document allows, and what it does not."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import httpx
import pytest

SCHEMATHESIS = Path(sys.executable).parent / "schemathesis"
CONFIG = Path(__file__).with_name("schemathesis.toml")
LEFT_OUT = (
    # That a body is an object of numbers does not make it a flow that the model in service can judge.
    "positive_data_acceptance",
    # Bodies and parameters of predecessors' clients are read although the document does not mention them.
    "negative_data_rejection",
)


@pytest.fixture(scope="module")
def service(serve: Callable[..., AbstractContextManager[httpx.Client]]) -> Iterator[httpx.Client]:
    """A service with keys at every route that may ask for one, and little to wait for."""
    with serve(api_keys="tester:admin:hush", metrics_public=False, uploads_waiting=2) as client:
        yield client


@pytest.mark.parametrize("examples", [3, pytest.param(100, marks=pytest.mark.slow)])
def test_every_answer_is_as_the_document_says(service: httpx.Client, tmp_path: Path, examples: int) -> None:
    command = [
        *(SCHEMATHESIS, "--config-file", CONFIG, "run", f"{str(service.base_url).rstrip('/')}/openapi.json"),
        *("--header", "X-API-Key: hush", "--checks", "all", "--exclude-checks", ",".join(LEFT_OUT)),
        *("--phases", "examples,coverage,fuzzing,stateful", "--max-examples", str(examples), "--seed", "1"),
        *(
            "--request-timeout",
            "60",
            "--suppress-health-check",
            "all",
            "--continue-on-failure",
            "--warnings",
            "off",
            "--no-color",
        ),
    ]
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=1800, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
