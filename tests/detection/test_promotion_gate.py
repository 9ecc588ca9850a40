from __future__ import annotations

from pathlib import Path

import pytest

from detection.model_uri import ModelUri
from detection.promotion import promote
from detection.promotion_gate import (
    AGREED,
    Figures,
    Margins,
    NotPromotedError,
    check,
    compare,
    figures_of,
    keep_figures,
)
from detection.registry import Registry
from helpers.models import FIGURES, make_package, make_record
from helpers.registry import make_registry

MARGINS = Margins(macro_f1=0.01, recall=0.01, false_positives=0.001, captures=0.05)
RATE = "time-ordered split/false positive rate"
CAPTURES = "captures/at 1 percent attack flows"


def figures(number: int, **changes: float) -> Figures:
    named = {agreed.name: 0.5 for agreed in AGREED if agreed.needed}
    return Figures(f"models:/ml-ids/{number}", named | changes, "these flows")


@pytest.mark.parametrize(
    ("name", "value", "worse"),
    [
        ("random split/macro f1", 0.491, False),
        ("random split/macro f1", 0.489, True),
        ("grouped split/macro f1", 0.489, True),
        ("time-ordered split/macro f1", 0.489, True),
        ("time-ordered split/attack recall", 0.489, True),
        (RATE, 0.5009, False),
        (RATE, 0.502, True),
        (RATE, 0.0, False),
    ],
)
def test_a_version_may_be_worse_by_the_margin_and_no_more(name: str, value: float, worse: bool) -> None:
    challenger = figures(2, **{name: value})
    found = {each.name: each.verdict for each in compare(challenger, figures(1), MARGINS)}
    assert found.pop(name) == ("worse" if worse else "not worse")
    assert set(found.values()) == {"not worse"}
    if worse:
        with pytest.raises(
            NotPromotedError, match=r"models:/ml-ids/2 is worse than models:/ml-ids/1"
        ) as refused:
            check(challenger, figures(1), MARGINS)
        assert name in str(refused.value)
        assert len(refused.value.comparisons) == len(found) + 1
    else:
        check(challenger, figures(1), MARGINS)


def test_captures_count_where_both_were_measured_on_some() -> None:
    one, other = figures(2, **{CAPTURES: 0.1}), figures(1, **{CAPTURES: 0.9})
    with pytest.raises(NotPromotedError, match=f"{CAPTURES} 0.1000 instead of 0.9000"):
        check(one, other, MARGINS)
    check(one, figures(1), MARGINS)


def test_what_has_no_figures_is_refused_with_the_command_that_makes_them() -> None:
    nothing = Figures("models:/ml-ids/2", {}, "these flows")
    with pytest.raises(NotPromotedError, match=r"ml-ids evaluate --all --data FLOWS --model 2") as refused:
        check(nothing, figures(1), MARGINS)
    assert {each.verdict for each in refused.value.comparisons} == {"not measured"}
    with pytest.raises(NotPromotedError, match=r"models:/ml-ids/2 has no figures .* --model 2"):
        check(figures(3), nothing, MARGINS)


def test_figures_of_other_flows_are_not_compared() -> None:
    other = Figures("models:/ml-ids/1", figures(1).values, "other flows")
    with pytest.raises(NotPromotedError, match="were measured on different flows"):
        check(figures(2), other, MARGINS)


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    """A registry of a champion, a version that is worse, and one without figures."""
    state = make_registry(tmp_path / "state", tmp_path / "scratch")
    registry = Registry(tracking_uri=None, state_dir=state, register_starter=False)
    worse = make_record().model_copy(update={"figures": FIGURES | {"random split/macro f1": 0.3}})
    bare = make_record().model_copy(update={"figures": {}, "measured_on": ""})
    for number, record in ((2, worse), (3, bare)):
        registry.register(make_package(tmp_path / str(number), record), "ml-ids")
    return registry


def champion(registry: Registry) -> str:
    found = registry.alias("ml-ids", "champion")
    assert found
    return found.number


def test_the_champions_place_is_kept_unless_forced(
    registry: Registry, caplog: pytest.LogCaptureFixture
) -> None:
    for number in ("2", "3"):
        with pytest.raises(NotPromotedError):
            promote(registry, ModelUri("ml-ids", "version", number), margins=MARGINS)
    assert champion(registry) == "1"
    promote(registry, ModelUri("ml-ids", "version", "2"), alias="challenger", margins=MARGINS)
    done = promote(registry, ModelUri("ml-ids", "version", "2"), margins=MARGINS, force=True)
    assert champion(registry) == "2"
    assert "random split/macro f1 0.3000 instead of 0.5000" in done.forced
    assert "models:/ml-ids/2 is promoted by force although" in caplog.text


def test_figures_that_are_kept_later_count(registry: Registry) -> None:
    with registry.client() as client:
        keep_figures(client, "ml-ids", "3", FIGURES, "made-up flows")
        assert figures_of(client, "ml-ids", "3").values == FIGURES
    done = promote(registry, ModelUri("ml-ids", "version", "3"), margins=MARGINS)
    assert (champion(registry), done.forced) == ("3", "")
    assert {each.verdict for each in done.comparisons} == {"not worse"}
