"""The self-test's captures, what becomes of them, and the command."""

from __future__ import annotations

from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from capture.rules import LiveRules
from detection.scorer import Scorer
from flows.labels import BY_CODE
from helpers.models import make_scorer
from helpers.registry import make_registry
from inference_server.champion import champion_for_commands
from inference_server.cli import self_test as command
from inference_server.live_capture import live_rules
from inference_server.self_test.cases import CAPTURES, CASES, Case
from inference_server.self_test.run import answer
from inference_server.settings import load_settings

app = typer.Typer(pretty_exceptions_enable=False)
app.command()(command.self_test)
UNSEEN = frozenset(
    {
        *("attack", "backdoor", "exploit", "fuzzing", "generic", "infiltration", "novelty"),
        *("privilege-escalation", "worm"),
    }
)
"""Families that the lab does not make: no kind of traffic, not to be told from flows, or not safe."""


@pytest.fixture(scope="module")
def scorer() -> Scorer:
    return make_scorer()


def by_name(name: str) -> Case:
    return next(case for case in CASES if case.name == name)


def test_there_is_a_small_capture_of_every_family_and_no_other() -> None:
    families = {label.family for label in BY_CODE.values()} - UNSEEN
    assert {case.family for case in CASES} == families
    assert sorted(path.name for path in CAPTURES.iterdir()) == sorted(case.capture.name for case in CASES)
    sizes = [case.capture.stat().st_size for case in CASES]
    assert max(sizes) < 200_000
    assert sum(sizes) < 1_000_000


def test_a_model_that_calls_everything_an_attack_gives_an_alert_for_everything(scorer: Scorer) -> None:
    everything = scorer.with_threshold(1e-12)
    for name in ("syn-scan", "beacon", "office"):
        given = answer(by_name(name), everything, LiveRules(), 300)
        assert given.flagged == given.flows - given.insufficient > 0
        assert given.fired
        assert given.right == (name != "office")
        assert sum(given.alerts.values()) <= given.flagged


def test_a_model_that_calls_nothing_an_attack_gives_none(scorer: Scorer) -> None:
    nothing = scorer.with_threshold(1.0)
    for name in ("syn-scan", "office"):
        given = answer(by_name(name), nothing, LiveRules(), 300)
        assert (given.flagged, given.alerts) == (0, {})
        assert given.right == (name == "office")


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("MLFLOW_TRACKING_URI", "MLFLOW_MODEL_NAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("STATE_DIR", str(make_registry(tmp_path / "state", tmp_path / "scratch")))


@pytest.mark.usefixtures("served")
def test_the_command_counts_what_fired_and_fails_unless_all_is_right(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = load_settings()
    model = champion_for_commands(settings)
    answers = [answer(case, model, live_rules(settings), settings.alert_window_seconds) for case in CASES]
    fired = sum(each.fired for each in answers if not each.case.benign)
    false = sum(sum(each.alerts.values()) for each in answers if each.case.benign)
    right = tuple(each.case for each in answers if each.right)
    wrong = tuple(each.case for each in answers if not each.right)

    result = CliRunner().invoke(app, [], env={"COLUMNS": "160"})
    assert result.exit_code == (1 if wrong else 0), result.output
    assert f"{fired}/{len(CASES) - 1} detections fired, {false} false alerts" in result.output

    monkeypatch.setattr(command, "CASES", right)
    assert CliRunner().invoke(app, []).exit_code == 0
    monkeypatch.setattr(command, "CASES", wrong)
    assert CliRunner().invoke(app, []).exit_code == (1 if wrong else 0)
