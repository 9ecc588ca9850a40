"""Attacks of tools that a model was not shown, among benign flows of runs that it was not shown.

What makes flows (`LabelledFlows.activity`) is dealt to a few groups, and so are the runs of benign flows.
Each group is judged by a model that was fitted on all others, at a threshold that the benign flows of the
others give, each seen by the model that was not fitted on it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import floor
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from flows.labels import BY_CODE
from training.dataset import UNKNOWN_ACTIVITY, LabelledFlows, joined
from training.estimators import Kind
from training.intervals import Interval, percentiles, wilson
from training.report.split_study import fitted

GROUPS: Final = 4
ALLOWED: Final = 0.0005
DRAWS: Final = 1000
SEED: Final = 42

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Part:
    """What is flagged of the flows that one thing made.

    Attributes:
        name: of what made them.
        label: their commonest class.
        group: which group it is of.
    """

    name: str
    label: str
    group: int
    flows: int
    flagged: int
    interval: Interval


@dataclass(frozen=True, slots=True)
class Unseen:
    """What is found of attacks unlike all that was learned.

    Attributes:
        groups: how many there are.
        allowed: the share of benign flows that thresholds may flag.
        parts: the attacks, the least found first.
        attacks, mean: the share of attack flows flagged, of all and as the mean over parts.
        mean_interval: of parts drawn anew.
        benign_flows, benign_flagged: of all groups together.
    """

    groups: int
    allowed: float
    parts: tuple[Part, ...]
    attacks: float
    attacks_interval: Interval
    mean: float
    mean_interval: Interval
    benign_flows: int
    benign_flagged: int
    benign_interval: Interval


def can_tell(flows: LabelledFlows) -> bool:
    """Whether enough things made the attacks, and enough runs have benign flows, for groups of them."""
    attack = (flows.codes != 0) & (flows.activity != UNKNOWN_ACTIVITY)
    made, runs = np.unique(flows.activity[attack]), np.unique(flows.source[flows.codes == 0])
    return min(len(made), len(runs)) >= GROUPS


def unseen(
    flows: LabelledFlows,
    beside: LabelledFlows,
    kind: Kind,
    *,
    params: Mapping[str, Any],
    told: Callable[[str], None] = lambda _: None,
) -> Unseen:
    """Return what is flagged of attacks of groups that were left out.

    Args:
        flows: those with activities, of several runs (`source`); every one is judged once.
        beside: flows of another set, from which all models learn.
        kind, params: what is fitted.
        told: told what is done next.

    Raises:
        ValueError: there are too few activities or runs.
    """
    if not can_tell(flows):
        raise ValueError(f"fewer than {GROUPS} activities with attacks, or runs with benign flows")
    attack = flows.codes != 0
    group = np.where(attack, _dealt(flows.activity, attack), _dealt(flows.source, ~attack))
    p_attack = np.zeros(len(flows))
    for number in range(GROUPS):
        told(f"{kind.name}: unseen tools, group {number + 1} of {GROUPS}")
        found = fitted(joined([beside, flows.take(group != number)]), kind, params=params)
        p_attack[group == number] = found.p_attack(flows.features[group == number])
    passed = np.array([_highest_passed(p_attack[~attack & (group != each)]) for each in range(GROUPS)])
    return _found(flows, attack, group, p_attack > passed[group])


def _dealt(of: NDArray[np.int32], rows: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return the group of each of n flows: what made most of the rows is dealt first."""
    names, counts = np.unique(of[rows], return_counts=True)
    group = np.zeros(int(of.max()) + 2, np.int64)
    group[names[np.argsort(-counts, kind="stable")]] = np.arange(len(names)) % GROUPS
    return group[of]


def _highest_passed(scores: Floats) -> float:
    return float(np.sort(scores)[len(scores) - 1 - floor(ALLOWED * len(scores))])


def _found(
    flows: LabelledFlows, attack: NDArray[np.bool_], group: NDArray[np.int64], flagged: NDArray[np.bool_]
) -> Unseen:
    parts = [
        _part(flows, attack & (flows.activity == each), group, flagged)
        for each in np.unique(flows.activity[attack]).tolist()
    ]
    shares = np.array([part.flagged / part.flows for part in parts])
    drawn = np.random.default_rng(SEED).integers(0, len(parts), (DRAWS, len(parts)))
    sizes, hits = (np.array([getattr(part, name) for part in parts]) for name in ("flows", "flagged"))
    benign, alarms = int((~attack).sum()), int((flagged & ~attack).sum())
    return Unseen(
        groups=GROUPS,
        allowed=ALLOWED,
        parts=tuple(sorted(parts, key=lambda part: part.flagged / part.flows)),
        attacks=float(flagged[attack].mean()),
        attacks_interval=percentiles(hits[drawn].sum(axis=1) / sizes[drawn].sum(axis=1)),
        mean=float(shares.mean()),
        mean_interval=percentiles(shares[drawn].mean(axis=1)),
        benign_flows=benign,
        benign_flagged=alarms,
        benign_interval=wilson(alarms, benign),
    )


def _part(
    flows: LabelledFlows, rows: NDArray[np.bool_], group: NDArray[np.int64], flagged: NDArray[np.bool_]
) -> Part:
    which, n, hits = int(flows.activity[rows][0]), int(rows.sum()), int(flagged[rows].sum())
    codes, counts = np.unique(flows.codes[rows], return_counts=True)
    return Part(
        name=flows.activities[which] if which != UNKNOWN_ACTIVITY else "unknown",
        label=BY_CODE[int(codes[counts.argmax()])].name,
        group=int(group[rows][0]),
        flows=n,
        flagged=hits,
        interval=wilson(hits, n),
    )
