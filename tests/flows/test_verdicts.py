from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from flows.explanations import Explanation
from flows.verdicts import concat_verdicts
from helpers.flows import flow_table, verdicts_for


def test_labels_say_what_was_decided():
    insufficient = np.array([False, False, True])
    verdicts = verdicts_for(flow_table(3), [5, 0, 0], insufficient=insufficient)
    assert [verdicts.label(row) for row in range(3)] == ["DoS Hulk", "benign", "insufficient"]
    assert verdicts.is_attack.tolist() == [True, False, False]


def test_rows_are_taken_with_all_their_values():
    verdicts = verdicts_for(flow_table(4), [0, 5, 7, 0], p_attack=np.array([0.1, 0.2, 0.3, 0.4]))
    taken = verdicts.take(np.array([2, 0]))
    assert len(taken) == 2
    assert taken.code.tolist() == [7, 0]
    assert taken.p_attack.tolist() == [0.3, 0.1]
    assert (taken.threshold, taken.model_version) == (verdicts.threshold, verdicts.model_version)


@pytest.mark.parametrize(
    "rows",
    [np.array([2, 0]), np.array([True, False, True]), slice(1, None)],
    ids=["indices", "mask", "slice"],
)
def test_explanations_stay_with_their_rows(rows):
    explanations = (Explanation(0.1, 0.9, (), 0.8), None, Explanation(0.1, 0.7, (), 0.6))
    taken = verdicts_for(flow_table(3), explanations=explanations).take(rows)
    assert taken.explanations == tuple(explanations[row] for row in np.arange(3)[rows].tolist())
    assert verdicts_for(flow_table(3)).take(rows).explanations is None


def test_joined_parts_are_the_whole() -> None:
    verdicts = verdicts_for(flow_table(5), [0, 5, 17, 5, 0], explanations=(None,) * 5)
    joined = concat_verdicts(
        [verdicts.take(slice(2)), verdicts.take(slice(2, 2)), verdicts.take(slice(2, 5))]
    )
    for name in ("code", "p_attack", "p_label", "insufficient"):
        assert (getattr(joined, name) == getattr(verdicts, name)).all()
    assert joined.explanations == verdicts.explanations
    assert concat_verdicts([verdicts]) is verdicts


@pytest.mark.parametrize("others", [{"model_version": "8"}, {"threshold": 0.6}])
def test_answers_of_two_models_are_not_joined(others: dict[str, Any]) -> None:
    table = flow_table(1)
    with pytest.raises(ValueError, match="different models"):
        concat_verdicts([verdicts_for(table), verdicts_for(table, **others)])


def test_no_verdicts_are_not_joined() -> None:
    with pytest.raises(ValueError, match="no verdicts"):
        concat_verdicts([])
