from __future__ import annotations

import numpy as np
import optuna
import pytest

from flows.schema import COMMON_NAMES
from helpers.models import made_up_flows
from training.dataset import LabelledFlows
from training.estimators import ESTIMATORS
from training.recipe import Recipe
from training.search import Bounds, search


def flows(*, timed: bool) -> LabelledFlows:
    features, codes = made_up_flows(240)
    columns = {"start_us": np.arange(240, dtype=np.int64)} if timed else {}
    return LabelledFlows.of(features, COMMON_NAMES, codes, "improved", **columns)


@pytest.mark.parametrize("timed", [True, False])
def test_a_search_finds_better_parameters_and_the_same_again(timed: bool) -> None:
    poor = Recipe(ESTIMATORS["decision-tree"], {"depth": 1})
    found = search(flows(timed=timed), poor, Bounds(4))
    assert found["depth"] >= 4
    assert found == search(flows(timed=timed), poor, Bounds(4))
    assert set(found) == set(poor.kind.space)


def test_what_cannot_be_bettered_stays() -> None:
    assert search(flows(timed=True), Recipe(ESTIMATORS["knn"]), Bounds(1, seconds=0.0)) == {}
    assert search(flows(timed=True), Recipe(ESTIMATORS["knn"], {"neighbours": 1}), Bounds(1)) == {}


def test_novelty_is_searched_by_its_order_and_optuna_stays_as_it_was() -> None:
    before = optuna.logging.get_verbosity()
    found = search(flows(timed=True), Recipe(ESTIMATORS["isolation-forest"], {"trees": 2}), Bounds(2))
    assert set(found) in ({"trees", "samples"}, set())
    assert optuna.logging.get_verbosity() == before
