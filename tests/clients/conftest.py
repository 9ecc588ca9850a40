from __future__ import annotations

from collections.abc import Iterator

import pytest

from helpers.queues import Queues, queue_server


@pytest.fixture(scope="session")
def queues(pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Queues]:
    """SNS and SQS, shared; every test makes its own queues."""
    with queue_server(pytestconfig, tmp_path_factory.mktemp("queues")) as running:
        yield running
