from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from detection.registry import Registry
from helpers.models import make_package, make_record
from helpers.registry import make_registry
from inference_server.cli import app


@pytest.fixture
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Registry:
    """A registry of two versions, the first of which is the champion."""
    state = make_registry(tmp_path / "state", tmp_path / "scratch")
    monkeypatch.setenv("STATE_DIR", str(state))
    registry = Registry(tracking_uri=None, state_dir=state, register_starter=False)
    registry.register(make_package(tmp_path / "second", make_record(threshold=0.25)), "ml-ids")
    return registry


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, arguments, terminal_width=200)


def test_promote_and_rollback_say_what_serves(registry: Registry) -> None:
    result = run("promote", "2")
    assert result.exit_code == 0, result.output
    assert "models:/ml-ids/2 is @champion, instead of version 1" in result.stdout
    assert "within 30 s (MODEL_POLL_SECONDS)" in result.stdout
    assert run("promote", "ml-ids/2").stdout.startswith("models:/ml-ids/2 is @champion already")
    assert "models:/ml-ids/1 is @champion, instead of version 2" in run("rollback").stdout
    assert run("promote", "ml-ids/2", "--alias", "challenger").exit_code == 0
    found = registry.alias("ml-ids", "challenger")
    assert found
    assert found.number == "2"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("promote", "7"), "has no models:/ml-ids/7: its versions are 1, 2"),
        (("promote", "other/1"), "has no model 'other' (it has: ml-ids)"),
        (("promote", "one"), "'one' names no version: write VERSION, NAME/VERSION or NAME@ALIAS"),
        (("rollback",), "models:/ml-ids@champion: no earlier version is remembered"),
    ],
)
def test_what_cannot_be_done_is_one_line_and_exit_code_1(
    registry: Registry, arguments: tuple[str, ...], message: str
) -> None:
    result = run(*arguments)
    assert result.exit_code == 1
    assert message in result.stderr
    assert result.stderr.count("\n") == 1
