from __future__ import annotations

from collections.abc import Iterator

import pytest

from helpers.queues import Queues, queue_server


@pytest.fixture(scope="session")
def queues(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Queues]:
    """SNS and SQS, shared by all tests."""
    with queue_server(request.config, tmp_path_factory.mktemp("ministack")) as running:
        yield running
