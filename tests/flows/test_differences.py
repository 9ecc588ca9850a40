from __future__ import annotations

import pytest

from flows.dialects import DIALECTS, GENERATIONS, PYTHON
from flows.differences import DIFFERENCES, differences_of, differing
from flows.schema import BY_NAME


def test_every_difference_is_of_known_features_and_dialects():
    for difference in DIFFERENCES:
        assert set(difference.features) <= set(BY_NAME)
        assert set(difference.dialects) <= set(DIALECTS) - {"improved", PYTHON}
        assert difference.features
        assert difference.text


def test_a_feature_s_differences():
    (found,) = differences_of("down_up_ratio")
    assert found.dialects == ("cic-2017", "cic-2018", "cic-v4")
    assert differences_of("flow_duration") == ()
    with pytest.raises(KeyError, match="no_such"):
        differences_of("no_such")


def test_improved_is_the_formula_itself():
    assert differing("improved") == frozenset()
    assert "down_up_ratio" in differing("cic-v4")


def test_every_metered_dialect_is_described():
    assert set(GENERATIONS) == set(DIALECTS) - {PYTHON}
