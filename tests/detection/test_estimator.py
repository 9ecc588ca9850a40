from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from mlflow.models import infer_signature
from sklearn.linear_model import LinearRegression, LogisticRegression

from detection.estimator import Estimator, load_estimator
from helpers.models import fitted_catboost, fitted_pipeline, log_folder, made_up_flows

NAMES = ["Flow Duration", "src_bytes", "c"]


def frame(rows: int = 60) -> tuple[pd.DataFrame, np.ndarray]:
    flows, codes = made_up_flows(rows, features=3, classes=(0, 5))
    return pd.DataFrame(np.log(flows), columns=NAMES), np.where(codes == 0, "BENIGN", "DoS Hulk")


def test_a_loaded_estimator_answers_as_itself(tmp_path: Path) -> None:
    rows, labels = frame()
    fitted = LogisticRegression().fit(rows, labels)
    loaded = load_estimator(log_folder(fitted, tmp_path / "model"))
    assert (loaded.features, loaded.classes, loaded.flavour) == (3, 2, "sklearn")
    assert loaded.columns == tuple(NAMES)
    assert loaded.labels == ("BENIGN", "DoS Hulk")
    np.testing.assert_array_equal(loaded.probabilities(rows.to_numpy()), fitted.predict_proba(rows))
    assert loaded.probabilities(np.empty((0, 3))).shape == (0, 2)


def test_the_signature_names_the_columns_of_an_estimator_fitted_on_an_array(tmp_path: Path) -> None:
    rows, labels = frame()
    fitted = LogisticRegression().fit(rows.to_numpy(), labels)
    signed = log_folder(fitted, tmp_path / "signed", signature=infer_signature(rows))
    assert load_estimator(signed).columns == tuple(NAMES)
    unsigned = log_folder(fitted, tmp_path / "unsigned")
    assert load_estimator(unsigned).columns == ()
    assert load_estimator(unsigned).features == 3


def test_class_numbers_are_told_as_integers() -> None:
    rows, labels = frame()
    fitted = LogisticRegression().fit(rows, (labels == "DoS Hulk").astype(float))
    assert Estimator(fitted, "sklearn").labels == ("0", "1")


def test_catboost_models_in_both_forms(tmp_path: Path) -> None:
    fitted = fitted_catboost(features=4)
    import mlflow.catboost

    mlflow.catboost.save_model(fitted, str(tmp_path / "model"), pip_requirements=["catboost"])
    fitted.save_model(str(tmp_path / "model.cbm"))
    rows, _ = made_up_flows(20, features=4, seed=2)
    for path in (tmp_path / "model", tmp_path / "model.cbm"):
        loaded = load_estimator(path)
        assert (loaded.flavour, loaded.labels, loaded.columns) == ("catboost", ("0", "5", "17"), ())
        np.testing.assert_array_equal(loaded.probabilities(rows), fitted.predict_proba(rows))
    (tmp_path / "broken.cbm").write_bytes(b"no model")
    with pytest.raises(ValueError, match=r"broken.cbm: cannot be loaded"):
        load_estimator(tmp_path / "broken.cbm")


def test_names_what_it_cannot_use(tmp_path: Path) -> None:
    rows, _ = frame()
    with pytest.raises(ValueError, match=r"no MLflow model"):
        load_estimator(tmp_path)
    with pytest.raises(ValueError, match=r"LinearRegression gives no class probabilities"):
        load_estimator(log_folder(LinearRegression().fit(rows, np.ones(len(rows))), tmp_path / "line"))
    folder = log_folder(fitted_pipeline(features=4), tmp_path / "broken")
    (folder / "model.pkl").write_bytes(b"not a pickle")
    with pytest.raises(ValueError, match=r"broken: cannot be loaded: UnpicklingError"):
        load_estimator(folder)
    text = (folder / "MLmodel").read_text().replace("  sklearn:", "  spark:")
    (folder / "MLmodel").write_text(text)
    with pytest.raises(ValueError, match=r"flavours python_function, spark: only models logged with"):
        load_estimator(folder)


def test_what_was_said_while_loading_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows, labels = frame()
    monkeypatch.setattr("sklearn.base.__version__", "1.0")
    folder = log_folder(LogisticRegression().fit(rows, labels), tmp_path / "model")
    monkeypatch.undo()
    (told,) = load_estimator(folder).warnings
    assert "from version 1.0" in told
