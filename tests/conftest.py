from __future__ import annotations

from pathlib import Path

import pytest

SHARED = Path(__file__).parents[2] / "shared"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what needs the third-party data where it is not there, and say so."""
    if SHARED.is_dir():
        return
    skip = pytest.mark.skip(reason="needs the third-party data of ../shared, which is not there")
    for item in items:
        if item.get_closest_marker("needs_shared"):
            item.add_marker(skip)
