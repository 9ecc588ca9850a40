"""Attacks found against false alarms on captures, no source having a say in the threshold it is judged at."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import floor
from typing import Final

import numpy as np
from numpy.typing import NDArray

from detection.decision import enough
from detection.record import SIZES, InsufficientRule
from training.capture_set import Capture, Entry
from training.intervals import Interval, percentiles

ALLOWED: Final = (
    *(0.0005, 0.001, 0.002, 0.005, 0.01, 0.016, 0.02, 0.03),
    *(0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.5),
)
"""The shares of benign flows that thresholds may flag, of the sources that choose them."""
HEADLINES: Final = (0.002, 0.01)
FOUND: Final = 0.5
"""An attack capture counts as found when so many of its flows are flagged."""
DRAWS: Final = 1000
SEED: Final = 42
UNJUDGED: Final = -1.0
"""Stands for the score of a flow that the model does not judge: no threshold reaches it."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Scored:
    """A capture and its n flows' p_attack, UNJUDGED where the model does not judge."""

    entry: Entry
    p_attack: Floats


@dataclass(frozen=True, slots=True)
class Share:
    """A share with the interval of drawing sources anew, and captures within them."""

    value: float
    interval: Interval


@dataclass(frozen=True, slots=True)
class Point:
    """What is flagged at one point of the trade-off.

    Attributes:
        allowed: the share of benign flows that thresholds may flag where they are chosen; None for the
            label itself, the most probable class.
        attack_captures, benign_captures: how many there are.
        mean_share: the mean over attack captures of the share of their flows that is flagged.
        attack_share: of all flows in attack captures.
        found: attack captures with at least FOUND of their flows flagged.
        touched: attack captures with a flagged flow.
        benign_mean_share: the mean over benign captures.
        benign_share: of all flows in benign captures, each source judged by the others' threshold.
        alarmed: benign captures with a flagged flow.
    """

    allowed: float | None
    attack_captures: int
    benign_captures: int
    mean_share: Share
    attack_share: Share
    found: int
    touched: int
    benign_mean_share: Share
    benign_share: Share
    alarmed: int


def scored(
    captures: Sequence[Capture],
    names: Sequence[str],
    p_attack: Callable[[Floats], Floats],
    rule: InsufficientRule | None = None,
) -> tuple[Scored, ...]:
    """Return captures with what a model says of their flows.

    Args:
        captures: with raw features.
        names: the features' names.
        p_attack: n x F raw features to n.
        rule: which flows the model does not judge, None when it judges all.
    """
    sizes = np.array([list(names).index(name) for name in SIZES], np.int64)
    return tuple(
        Scored(
            capture.entry,
            np.where(enough(capture.features, sizes, rule), p_attack(capture.features), UNJUDGED),
        )
        for capture in captures
    )


def tradeoff(captures: Sequence[Scored], allowed: Sequence[float] = ALLOWED) -> tuple[Point, ...]:
    """Return the trade-off's points.

    Raises:
        ValueError: there is no attack or no benign capture, or benign ones are all of one source.
    """
    _check(captures)
    return tuple(_point(share, flagged(captures, share), captures) for share in allowed)


def point_of_label(captures: Sequence[Scored], is_attack: Callable[[Scored], NDArray[np.bool_]]) -> Point:
    """Return the point of a decision that needs no threshold."""
    return _point(None, [is_attack(capture) for capture in captures], captures)


def flagged(captures: Sequence[Scored], share: float) -> list[NDArray[np.bool_]]:
    """Return which flows of each capture are flagged at the threshold that the other sources give.

    That is the lowest one at which at most `share` of the benign flows of the other sources are.
    """
    benign = [capture for capture in captures if capture.entry.kind == "benign"]
    passed = {
        source: highest_passed([each.p_attack for each in benign if each.entry.source != source], share)
        for source in {capture.entry.source for capture in captures}
    }
    return [capture.p_attack > passed[capture.entry.source] for capture in captures]


def highest_passed(benign: Sequence[Floats], share: float) -> float:
    """Return the score above which at most `share` of the benign flows lie."""
    scores = np.sort(np.concatenate(benign))
    allowed = min(floor(share * len(scores)), len(scores) - 1)
    return max(float(scores[len(scores) - 1 - allowed]), 0.0)


def _check(captures: Sequence[Scored]) -> None:
    kinds = {capture.entry.kind for capture in captures}
    if kinds != {"attack", "benign"}:
        raise ValueError("the captures must have attack and benign ones among them")
    if len({capture.entry.source for capture in captures if capture.entry.kind == "benign"}) < 2:
        raise ValueError(
            "benign captures of at least two sources are needed: none has a say in its own threshold"
        )


def _point(allowed: float | None, flags: list[NDArray[np.bool_]], captures: Sequence[Scored]) -> Point:
    sides = {kind: _Side(flags, captures, kind) for kind in ("attack", "benign")}
    attack, benign = sides["attack"], sides["benign"]
    return Point(
        allowed=allowed,
        attack_captures=len(attack.flows),
        benign_captures=len(benign.flows),
        mean_share=attack.mean_share(),
        attack_share=attack.share(),
        found=int((attack.hits >= FOUND * attack.flows).sum()),
        touched=int((attack.hits > 0).sum()),
        benign_mean_share=benign.mean_share(),
        benign_share=benign.share(),
        alarmed=int((benign.hits > 0).sum()),
    )


class _Side:
    """Captures of one kind: flows and flagged flows of each, and which captures 1,000 draws take."""

    def __init__(self, flags: list[NDArray[np.bool_]], captures: Sequence[Scored], kind: str) -> None:
        chosen = [at for at, capture in enumerate(captures) if capture.entry.kind == kind]
        self.flows = np.array([len(flags[at]) for at in chosen])
        self.hits = np.array([int(flags[at].sum()) for at in chosen])
        self._drawn = drawn_captures([captures[at].entry.source for at in chosen])

    def share(self) -> Share:
        drawn = (self._drawn @ self.hits) / (self._drawn @ self.flows)
        return Share(float(self.hits.sum() / self.flows.sum()), percentiles(drawn))

    def mean_share(self) -> Share:
        shares = self.hits / self.flows
        drawn = (self._drawn @ shares) / self._drawn.sum(axis=1)
        return Share(float(shares.mean()), percentiles(drawn))


def drawn_captures(sources: Sequence[str], *, draws: int = DRAWS, seed: int = SEED) -> NDArray[np.int64]:
    """Return how often each draw (draws x n) takes each of n captures: sources, then captures within them."""
    random = np.random.default_rng(seed)
    groups = [np.flatnonzero(np.array(sources) == source) for source in sorted(set(sources))]
    counts = np.zeros((draws, len(sources)), np.int64)
    for row in counts:
        for number in random.integers(0, len(groups), len(groups)).tolist():
            np.add.at(row, random.choice(groups[number], len(groups[number])), 1)
    return counts
