"""PyPI cicflowmeter's environment for tests: made once, kept in pytest's cache."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest

from capture.extractors.environment import Environment, make_environment
from helpers.tools import one_at_a_time


@cache
def _made(tools: Path, release: str | None) -> Environment | OSError:
    try:
        return make_environment(tools, release)
    except OSError as error:
        return error


def extractor_tools(config: pytest.Config, release: str | None = None) -> Path:
    """Return the directory of an environment; skips the test where it cannot be made."""
    assert config.cache is not None
    tools = config.cache.mkdir(f"ml-ids-tools-{release}")
    with one_at_a_time(tools):
        made = _made(tools, release)
    if isinstance(made, OSError):
        pytest.skip(str(made))
    return tools


def extractor_environment(config: pytest.Config, release: str | None = None) -> Environment:
    """Return an environment with a release; skips the test where it cannot be made."""
    return make_environment(extractor_tools(config, release), release)
