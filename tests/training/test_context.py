"""Models that read host context: NaN stays where it is not known, and what serves answers alike."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from detection.package import load_package
from detection.preprocess import clean
from flows.schema import COMMON_NAMES
from flows.table import FlowTable
from helpers.context_models import flows_with_context, make_context_package
from training.dataset import LabelledFlows
from training.estimators import ESTIMATORS, TAKES_NAN, kind_named, predict_proba
from training.recipe import PREPROCESSING, Recipe, fitted, preprocessing
from training.train import train_model

SMALL: dict[str, dict[str, int]] = {
    "stacked": {"trees": 5, "folds": 2},
    "stacked-five": {"trees": 5, "epochs": 5, "folds": 2},
    "random-forest": {"trees": 5},
    "extra-trees": {"trees": 5},
    "gradient-boosting": {"rounds": 2},
    "catboost": {"iterations": 5},
    "decision-tree": {},
    "gated": {"gates": 2, "rounds": 5, "trees": 5},
    "linear-svm": {},
    "knn": {},
    "mlp": {"epochs": 5},
    "isolation-forest": {"trees": 5},
    "autoencoder": {"epochs": 5},
}


@pytest.fixture(scope="module")
def flows() -> LabelledFlows:
    return flows_with_context()


def test_every_kind_that_reads_nan_is_tried() -> None:
    assert set(SMALL) == set(TAKES_NAN)


@pytest.mark.parametrize("name", [name for name in TAKES_NAN if name != "catboost"])
def test_the_package_answers_as_what_was_fitted(name: str, flows: LabelledFlows, tmp_path: Path) -> None:
    recipe = Recipe(ESTIMATORS[name], SMALL[name])
    trained = train_model(flows, tmp_path / "package", recipe=recipe)
    assert trained.record.preprocessing.nan is None
    assert trained.record.features == flows.names
    scorer = load_package(tmp_path / "package")
    whole = fitted(flows, np.ones(len(flows), np.bool_), recipe)
    expected = predict_proba(whole, clean(flows.features, trained.record.preprocessing), flows.names)
    np.testing.assert_allclose(scorer.probabilities(flows.features), expected, atol=1e-12)
    verdicts = scorer.score(FlowTable.from_features(flows.features, flows.names, flows.dialect))
    assert np.isfinite(verdicts.p_attack[~verdicts.insufficient]).all()
    assert scorer.missing(flows.names[:-1]) == ()
    assert scorer.missing(flows.names[1:]) == (COMMON_NAMES[0],)
    assert scorer.record.context == set(flows.names[len(COMMON_NAMES) :])


@pytest.mark.parametrize("name", ["random-forest", "stacked"])
def test_context_that_flows_do_not_tell_is_nan_to_the_model(
    name: str, flows: LabelledFlows, tmp_path: Path
) -> None:
    scorer = load_package(make_context_package(tmp_path, name))
    unknown = flows.features.copy()
    unknown[:, len(COMMON_NAMES) :] = np.nan
    expected = scorer.score(FlowTable.from_features(unknown, flows.names, flows.dialect))
    bare = FlowTable.from_features(unknown[:, : len(COMMON_NAMES)], COMMON_NAMES, flows.dialect)
    found = scorer.score(bare)
    np.testing.assert_array_equal(found.p_attack, expected.p_attack)
    explained = [(why, p) for why, p in zip(scorer.explain(bare), found.p_attack, strict=True) if why]
    assert len(explained) == (~found.insufficient).sum() > 0
    for why, p_attack in explained:
        total = why.base + why.rest + sum(each.contribution for each in why.contributions)
        assert total == pytest.approx(p_attack)


def test_what_cannot_read_nan_is_told_so(flows: LabelledFlows) -> None:
    with pytest.raises(ValueError, match=r"cnn cannot read what is not known \(NaN\): stacked, "):
        fitted(flows, np.ones(len(flows), np.bool_), Recipe(kind_named("cnn")))


def test_shares_of_bytes_keep_their_sign_and_models_without_context_are_as_before() -> None:
    rules = preprocessing(("flow_duration", "src_asymmetry_2s"))
    assert clean(np.array([-1.0, -0.5, np.nan]), rules)[:2].tolist() == [-1.0, -0.5]
    assert np.isnan(clean(np.array([np.nan]), rules)).all()
    assert preprocessing(("flow_duration",)) == PREPROCESSING
