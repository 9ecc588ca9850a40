from __future__ import annotations

from collections.abc import Iterator

import pytest

from helpers.moto import moto_server


@pytest.fixture(scope="session")
def amazon(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of an Amazon of this machine."""
    with moto_server(request.config, tmp_path_factory.mktemp("moto")) as url:
        yield url
