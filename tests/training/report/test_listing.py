from __future__ import annotations

import numpy as np

from training.capture_set import Capture, Entry
from training.report.listing import Listed, listed, listing_section
from training.report.tradeoff import Scored


def capture(file: str, kind: str, source: str, about: str = "", beyond: str = "") -> Capture:
    entry = Entry(file=file, kind=kind, label="as labelled", source=source)  # type: ignore[arg-type]
    return Capture(entry, np.zeros((2, 1)), np.zeros(2, np.int32), about, beyond)


CAPTURES = (
    capture("calm-a", "benign", "a"),
    capture("calm-b", "benign", "b"),
    capture("scan", "attack", "a", "A scan."),
    capture("guess", "attack", "b"),
    capture("theft", "attack", "b", "A cookie.", "One request like any."),
)
P = ((0.1, 0.2), (0.1, 0.2), (0.9, 0.9), (0.9, 0.1), (0.1, 0.1))
SCORED = tuple(Scored(each.entry, np.array(p)) for each, p in zip(CAPTURES, P, strict=True))


def test_captures_of_attacks_are_listed_the_least_found_first() -> None:
    found = listed(CAPTURES, SCORED)
    assert [(each.file, each.flagged, each.found) for each in found] == [
        ("theft", 0, False),
        ("guess", 1, True),
        ("scan", 2, True),
    ]
    assert [each.about for each in found] == ["A cookie.", "as labelled", "A scan."]


def test_what_flows_cannot_show_is_told_apart_with_the_reason() -> None:
    _, counted, shown, _, beyond = listing_section(listed(CAPTURES, SCORED))
    assert "the 2 captures of kinds that flows can show, 2 have half" in " ".join(counted.split())
    assert "| scan | A scan. | 2 | 100.0% |" in shown
    assert "theft" not in shown
    assert "| theft | A cookie. | 2 | 0.0% | One request like any. |" in beyond


def test_without_captures_nothing_is_said() -> None:
    assert listing_section(()) == []
    one = Listed("scan", "a", "A scan.", 2, 1, "")
    assert len(listing_section([one])) == 3
