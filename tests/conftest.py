from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from helpers.queues import Queues

# A machine that does other things besides makes an example slow, not wrong.
settings.register_profile("ml-ids", deadline=None)
settings.load_profile("ml-ids")

SHARED = Path(__file__).parents[2] / "shared"


@pytest.fixture(scope="session")
def queues(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Queues]:
    """SNS and SQS as a process of their own, shared by all tests."""
    from helpers.queues import queue_server

    with queue_server(request.config, tmp_path_factory.mktemp("ministack")) as running:
        yield running


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what needs the third-party data where it is not there, and say so."""
    if SHARED.is_dir():
        return
    skip = pytest.mark.skip(reason="needs the third-party data of ../shared, which is not there")
    for item in items:
        if item.get_closest_marker("needs_shared"):
            item.add_marker(skip)
