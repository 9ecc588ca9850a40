from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from helpers.labelled import labelled_flows
from training.dataset import LabelledFlows
from training.estimators import kind_named
from training.report.unseen import GROUPS, can_tell, unseen

MADE = 8
FOREST = kind_named("random-forest")


def lab(rows: int = 640) -> LabelledFlows:
    """Flows of MADE activities of either side, in as many runs."""
    flows = labelled_flows(rows)
    numbers = (np.arange(rows) // 3 % MADE).astype(np.int32)
    return replace(
        flows,
        activity=np.where(flows.codes != 0, numbers, MADE).astype(np.int32),
        activities=(*(f"tool {number}" for number in range(MADE)), "people"),
        source=numbers,
        sources=tuple(f"run {number}" for number in range(MADE)),
    )


def test_attacks_like_those_that_were_learned_are_found_among_benign_flows_that_were_not() -> None:
    told: list[str] = []
    flows = lab()
    found = unseen(flows, labelled_flows(90, seed=3), FOREST, params={"trees": 20}, told=told.append)
    assert len(told) == GROUPS
    assert found.attacks > 0.8
    assert found.attacks_interval.low <= found.attacks <= found.attacks_interval.high
    assert {part.name for part in found.parts} == {f"tool {number}" for number in range(MADE)}
    assert sum(part.flows for part in found.parts) == int((flows.codes != 0).sum())
    assert found.benign_flows == int((flows.codes == 0).sum())
    assert len({part.group for part in found.parts}) == GROUPS
    shares = [part.flagged / part.flows for part in found.parts]
    assert shares == sorted(shares)


def test_a_kind_of_attack_that_nothing_like_it_teaches_is_not_found() -> None:
    flows = lab()
    features = flows.features.copy()
    hidden = flows.activity == 0
    # These look like benign flows in everything: whoever was not shown them has nothing to go by.
    features[hidden] = flows.features[flows.codes == 0][: hidden.sum()]
    found = unseen(
        replace(flows, features=features), labelled_flows(90, seed=3), FOREST, params={"trees": 20}
    )
    worst = found.parts[0]
    assert (worst.name, worst.flagged) == ("tool 0", 0)


def test_a_set_without_activities_cannot_tell() -> None:
    assert not can_tell(labelled_flows())
    with pytest.raises(ValueError, match=f"fewer than {GROUPS} activities"):
        unseen(labelled_flows(), labelled_flows(), FOREST, params={"trees": 20})
