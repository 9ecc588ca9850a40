from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from helpers.engine import Engine, engine

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def docker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """A Docker engine."""
    with engine(tmp_path_factory.mktemp("engine")) as running:
        yield running


@pytest.fixture(scope="session")
def image(docker: Engine) -> str:
    """The sensor's image, built as the Dockerfile says."""
    return docker.build(ROOT, "ml-ids")
