from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from flows.schema import COMMON_NAMES
from helpers.models import made_up_flows
from training.compiling import compiled
from training.dataset import LabelledFlows
from training.deep import NO_FLOW, Recurrence, pasts, predicted_in_parts, sequences
from training.estimators import fit, kind_named, predict_proba
from training.recipe import Recipe, draft_record, fitted, write_model


def flows(rows: int = 240, hosts: int = 7) -> LabelledFlows:
    features, codes = made_up_flows(rows)
    pair = np.arange(rows, dtype=np.int64) % hosts
    return LabelledFlows.of(features, COMMON_NAMES, codes, "improved", pair=pair)


def test_a_past_is_the_last_flows_of_the_same_hosts() -> None:
    few = LabelledFlows.of(
        np.zeros((6, 1)), ("x",), np.zeros(6, np.int32), "improved", pair=np.array([3, -1, 3, 4, 3, -1])
    )
    assert pasts(few, 3).tolist() == [
        *([NO_FLOW, NO_FLOW, 0], [NO_FLOW, NO_FLOW, 1], [NO_FLOW, 0, 2]),
        *([NO_FLOW, NO_FLOW, 3], [0, 2, 4], [NO_FLOW, NO_FLOW, 5]),
    ]
    features = np.arange(6.0)[:, None]
    rows = sequences(features, pasts(few, 2))[:, :, 0]
    np.testing.assert_array_equal(rows[[0, 2]], [[np.nan, 0.0], [0.0, 2.0]])


def test_without_torch_it_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "torch", None)
    rows, codes = made_up_flows(30)
    with pytest.raises(ModuleNotFoundError, match="pip install torch"):
        fit(kind_named("cnn"), rows, codes, COMMON_NAMES)


def test_a_convolution_is_served_from_plain_arrays(tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="torch is not installed: pip install torch==2.13.0")
    given, recipe = flows(), Recipe(kind_named("cnn"), {"epochs": 20, "rate": 0.005, "batch": 32, "width": 8})
    one, other = (fitted(given, np.ones(len(given), np.bool_), recipe) for _ in range(2))
    theirs = predict_proba(one, given.features, given.names)
    assert (theirs == predict_proba(other, given.features, given.names)).all()
    assert np.mean(one.classes_[theirs.argmax(axis=1)] == given.codes) > 0.9
    assert np.abs(compiled(one).probabilities(given.features) - theirs).max() <= 1e-9
    write_model(one, given, draft_record(given, one, recipe), "# Card\n", tmp_path / "package")
    assert not (tmp_path / "package" / "model").exists()


def test_a_recurrence_learns_what_came_before() -> None:
    pytest.importorskip("torch", reason="torch is not installed: pip install torch==2.13.0")
    given = flows(600)
    # A flow is of the class of the flow before it: by itself it says nothing.
    past = pasts(given, 2)
    codes = np.where(past[:, 0] == NO_FLOW, 0, given.codes[past[:, 0]]).astype(np.int32)
    features = given.features[:, :4]
    model = Recurrence(1, width=8, epochs=40, rate=0.01).fit(sequences(features, past), codes)
    answers = np.concatenate([*predicted_in_parts(model, features, past)])
    assert np.mean(model.classes_[answers.argmax(axis=1)] == codes) > 0.8
