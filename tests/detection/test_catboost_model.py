from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from detection.catboost_model import CatBoostModel
from helpers.models import fitted_catboost, made_up_flows


@pytest.mark.parametrize("classes", [(0, 5), (0, 5, 17)])
def test_answers_are_those_of_the_fitted_classifier(tmp_path: Path, classes: tuple[int, ...]) -> None:
    fitted = fitted_catboost(classes=classes, features=6)
    CatBoostModel(fitted).save(tmp_path / "model.cbm")
    model = CatBoostModel.from_bytes((tmp_path / "model.cbm").read_bytes())
    assert (model.features, model.classes) == (6, len(classes))
    rows, _ = made_up_flows(50, features=6, classes=classes, seed=3)
    rows[0, 0] = np.nan
    np.testing.assert_array_equal(model.probabilities(rows), fitted.predict_proba(rows))
    np.testing.assert_array_equal(model.probabilities(rows[:1]), fitted.predict_proba(rows[:1]))
    assert model.probabilities(rows[:0]).shape == (0, len(classes))


def test_names_what_is_no_such_model() -> None:
    pytest.importorskip("catboost", reason="CatBoost, an extra, is not installed")
    with pytest.raises(ValueError, match=r"not a CatBoost model: \S"):
        CatBoostModel.from_bytes(b"something else")
    with pytest.raises(ValueError, match=r"rows: must be n x 6, are 2 x 5"):
        CatBoostModel(fitted_catboost(features=6)).probabilities(np.ones((2, 5)))


def test_refuses_what_is_no_classifier_of_numbers(tmp_path: Path) -> None:
    catboost = pytest.importorskip("catboost", reason="CatBoost, an extra, is not installed")
    options = {"iterations": 2, "verbose": False, "allow_writing_files": False}
    rows = [["tcp", 1.0], ["udp", 2.0], ["tcp", 3.0], ["udp", 4.0]]
    texts = catboost.CatBoostClassifier(cat_features=[0], **options).fit(rows, [0, 1, 0, 1])
    with pytest.raises(ValueError, match=r"features that are not numbers: 0"):
        CatBoostModel(texts)
    catboost.CatBoostRegressor(**options).fit([[1.0], [2.0]], [0.5, 1.5]).save_model(tmp_path / "line.cbm")
    with pytest.raises(ValueError, match=r"is no classifier"):
        CatBoostModel.from_bytes((tmp_path / "line.cbm").read_bytes())


def test_says_how_to_install_catboost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "catboost", None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'ml-ids\[catboost\]'"):
        CatBoostModel.from_bytes(b"")
