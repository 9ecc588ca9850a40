from __future__ import annotations

import io
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from detection.compiled import CompiledModel
from detection.explain import Explainer
from detection.imputation import Fill, Missing
from detection.kernel import BLOCK_ROWS
from detection.layer_kernels import ACTIVATIONS, IDENTITY, RELU, SHARES
from detection.layers import MOST_STORED, Affine, Asinh, Dense, Distance, Log, Neighbours
from detection.scorer import Scorer
from helpers.models import make_record, typical_table

COLUMNS = np.arange(3)


def dense(activation: int = SHARES, outputs: int = 2) -> Dense:
    weights = np.random.default_rng(0).normal(size=(3, outputs))
    return Dense(COLUMNS, weights, np.full(outputs, 0.5), np.array([activation]))


def neighbours(rows: Any = ((0.0, 4.0, 8.0, 8.0),) * 3, k: int = 2, uniform: bool = False) -> Neighbours:
    stored = np.array(rows, np.float64)
    classes = np.arange(stored.shape[1]) % 2
    return Neighbours(COLUMNS, stored, classes, np.array([k]), np.array([uniform]), np.arange(2))


def test_nearer_rows_weigh_more_and_of_equal_ones_the_earlier_is_taken() -> None:
    model = CompiledModel(3, (neighbours(),))
    answers = model.probabilities(np.array([[1.0] * 3, [4.0] * 3, [8.0] * 3, [7.0] * 3]))
    np.testing.assert_allclose(answers, [[0.75, 0.25], [0, 1], [0.5, 0.5], [0.5, 0.5]], atol=1e-15)
    one = CompiledModel(3, (neighbours(k=1, uniform=True),))
    assert one.probabilities(np.full((1, 3), 9.0)).tolist() == [[1.0, 0.0]]


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_a_row_scores_the_same_in_any_company(activation: int) -> None:
    rows = np.random.default_rng(1).lognormal(size=(BLOCK_ROWS + 9, 3))
    steps = (
        Log(COLUMNS),
        replace(dense(activation, 5), columns=COLUMNS + 3),
        replace(dense(), columns=COLUMNS + 6),
    )
    model = CompiledModel(3, steps)
    together = model.probabilities(rows)
    alone = np.vstack([model.probabilities(row[None]) for row in rows[-20:]])
    assert (together[-20:] == alone).all()
    assert np.abs(together.sum(axis=1) - 1.0).max() < 1e-12


def test_columns_keep_nan_but_layers_take_none() -> None:
    stretched = Affine(COLUMNS, np.ones(3), np.zeros(3))
    assert not CompiledModel(3, (stretched, replace(dense(), columns=COLUMNS + 3))).takes_nan
    assert not CompiledModel(3, (neighbours(),)).takes_nan


def imputed(read: int = 3) -> tuple[Any, ...]:
    fill = (Asinh(COLUMNS), Fill(COLUMNS + 3, np.arange(3.0)), Missing(np.array([3, 5])))
    return *fill, Dense(np.arange(read, read + 5), np.eye(5), np.zeros(5), np.array([IDENTITY]))


def test_a_value_is_put_in_the_place_of_nan_and_what_tells_so_beside_it() -> None:
    model = CompiledModel(3, imputed(6))
    rows = np.array([[np.nan, -1.0, 0.0], [2.0, np.nan, -np.nan], [-1e18, 1e18, 1.0]])
    known = np.arcsinh(rows)
    expected = [[0, known[0, 1], 0, 1, 0], [known[1, 0], 1, 2, 0, 1], [*known[2], 0, 0]]
    np.testing.assert_allclose(model.probabilities(rows), expected, atol=1e-14)


def test_what_reads_filled_columns_only_takes_nan() -> None:
    assert CompiledModel(3, imputed(6)).takes_nan
    assert not CompiledModel(3, imputed(5)).takes_nan


def test_survives_its_file() -> None:
    steps = (
        Log(COLUMNS),
        Affine(COLUMNS + 3, np.ones(3), np.zeros(3)),
        Asinh(COLUMNS),
        Fill(COLUMNS + 6, np.ones(3)),
        Missing(COLUMNS + 9),
        replace(neighbours(), columns=COLUMNS + 12),
    )
    model, file = CompiledModel(3, steps), io.BytesIO()
    model.save(file)
    loaded = CompiledModel.load(io.BytesIO(file.getvalue()))
    rows = np.random.default_rng(1).lognormal(size=(20, 3))
    assert (loaded.probabilities(rows) == model.probabilities(rows)).all()


@pytest.mark.parametrize(
    ("steps", "complaint"),
    [
        ((replace(dense(), activation=np.array([99])),), "activation: 99 is none of 0 to 7"),
        ((replace(dense(), bias=np.full(2, np.nan)),), "bias: holds values that are not finite"),
        ((replace(dense(), weights=np.zeros((2, 2))),), "weights: is float64"),
        ((replace(dense(), columns=COLUMNS + 1),), "columns: must lie within 0 and 2"),
        ((Affine(COLUMNS, np.zeros(2), np.zeros(3)),), "factor: is float64"),
        ((Log(COLUMNS[None]),), "columns: is int64"),
        ((Asinh(COLUMNS[None]),), "columns: is int64"),
        ((Fill(COLUMNS, np.ones(2)),), "fill: is float64"),
        ((Fill(COLUMNS, np.full(3, np.nan)),), "fill: holds values that are not finite"),
        ((Missing(COLUMNS[None]),), "columns: is int64"),
        ((Missing(COLUMNS),), "the last one must answer the probabilities"),
        ((Distance(COLUMNS),), "columns: 3 are no two halves"),
        ((replace(neighbours(), classes=np.array([0, 1, 2, 0])),), "classes: must lie within 0 and 1"),
        ((neighbours(k=5),), "neighbours: 5 of 4 rows cannot be the nearest"),
        ((neighbours(k=0),), "neighbours: 0 of 4 rows"),
        ((neighbours(np.zeros((3, MOST_STORED + 1))),), "rows: 100,001 are more than 100,000"),
        ((Log(COLUMNS),), "the last one must answer the probabilities"),
        ((Distance(np.array([0, 1])),), "the last one must answer the probabilities"),
    ],
)
def test_refuses_arrays_that_do_not_fit(steps: Any, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        CompiledModel(3, steps)


def test_what_compares_with_stored_flows_is_not_explained() -> None:
    columns = np.arange(76)
    stored = np.zeros((76, 2)) + np.array([100.0, 100_000.0])
    step = Neighbours(columns, stored, np.array([0, 1]), np.array([1]), np.array([True]), np.arange(2))
    model = CompiledModel(76, (step,))
    scorer = Scorer(model, make_record(classes=(0, 5)))
    assert scorer.unexplained == "compares with stored flows"
    assert scorer.score(typical_table([0, 5])).code.tolist() == [0, 5]
    assert scorer.explain(typical_table([0, 5])) == (None, None)
    scorer.warm_up()
    with pytest.raises(TypeError, match="a neighbours step cannot be explained"):
        Explainer(model, np.zeros(76)).explain(np.zeros(76))


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_every_activation_is_explained_completely(activation: int) -> None:
    steps = (
        Log(COLUMNS),
        replace(dense(RELU, 3), columns=COLUMNS + 3),
        Distance(np.array([3, 4, 5, 6, 7, 8])),
        replace(dense(activation, 2), columns=np.array([6, 8, 9])),
        Dense(np.array([10, 11]), np.eye(2), np.zeros(2), np.array([IDENTITY])),
    )
    model = CompiledModel(3, steps)
    explainer = Explainer(model, np.full(3, 2.0))
    for row in np.random.default_rng(2).lognormal(size=(20, 3)):
        base, moved = explainer.explain(row)
        assert np.abs(base + moved.sum(axis=0) - model.probabilities(row[None])[0]).max() < 1e-9
