from __future__ import annotations

from typing import Any

import pytest

from inference_server.dashboard.model_page import FEATURES_SHOWN, PARTS
from inference_server.dashboard.panels import rendered

EVIL = "<img src=x onerror=alert(1)>"
MODEL: dict[str, Any] = {
    "follows": "models:/ml-ids@champion",
    "name": "ml-ids",
    "version": "3",
    "dialect": "improved",
    "features": ["flow_duration"],
    "classes": [{"code": 0, "label": "Benign", "family": "benign"}],
    "record_threshold": 0.5,
    "threshold": 0.9,
    "threshold_source": "setting",
    "source": "registry",
    "problems": [EVIL],
    "measured": [
        {
            "on": "own captures",
            "figures": {"macro f1": 0.9},
            "classes": [{"label": "Portscan", "n": 7, "recall": 0.5}],
            "confusion": {"Portscan": {"Portscan": 3, EVIL: 4}},
        }
    ],
    "drift": {
        "drifting": True,
        "flows": 900,
        "flows_needed": 500,
        "share": 0.4,
        "limit": 0.2,
        "shifted_from": 0.25,
        "psi": {f"feature_{place}": 1.0 / (place + 1) for place in range(20)},
    },
    "challenger": {
        "version": "4",
        "compared": {
            "flows": 100,
            "disagreements": [{"champion": "benign", "challenger": EVIL, "flows": 2}],
        },
    },
    "judged": {"Portscan": {"Benign": 2, "Portscan": 5}},
}


@pytest.mark.parametrize("part", PARTS)
def test_what_the_registry_holds_is_escaped(part: str) -> None:
    made = rendered(part, model=MODEL, shown=FEATURES_SHOWN)
    assert made.strip()
    assert "<img" not in made


@pytest.mark.parametrize("part", PARTS)
def test_a_model_of_which_little_is_known_is_shown(part: str) -> None:
    bare = MODEL | {"measured": [], "drift": None, "challenger": None, "judged": {}, "problems": []}
    assert "Traceback" not in rendered(part, model=bare, shown=FEATURES_SHOWN)


def test_a_confusion_marks_what_is_right_and_what_is_wrong() -> None:
    made = rendered("judged", model=MODEL, shown=FEATURES_SHOWN)
    assert 'class="num right" style="--share: 71%">5<' in made
    assert 'class="num wrong" style="--share: 29%">2<' in made


def test_features_that_shifted_are_red_and_the_rest_is_counted() -> None:
    made = rendered("drift", model=MODEL, shown=FEATURES_SHOWN)
    assert made.count("num bad") == 3
    assert "8 more features below 0.08" in made
