from __future__ import annotations

from collections.abc import Iterator

import pytest

from helpers.engine import Engine, NoEngineError, engine


@pytest.fixture(scope="session")
def docker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """A Docker engine; skips the test where there is none."""
    try:
        with engine(tmp_path_factory.mktemp("engine")) as running:
            yield running
    except NoEngineError as reason:
        pytest.skip(str(reason))


@pytest.fixture(scope="session")
def image(docker: Engine) -> str:
    """The sensor's image, built as the Dockerfile says."""
    return docker.build("ml-ids", "Dockerfile", "ml-ids")
