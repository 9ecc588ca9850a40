from __future__ import annotations

import io
from dataclasses import fields, replace

import numpy as np
import pytest

from detection.compile_sklearn import compile_pipeline
from detection.compiled import BLOCK_ROWS, CompiledModel
from helpers.models import fitted_pipeline, made_up_flows


@pytest.fixture(scope="module")
def model() -> CompiledModel:
    return compile_pipeline(fitted_pipeline())


@pytest.mark.parametrize("rows", [0, 1, BLOCK_ROWS - 1, BLOCK_ROWS, BLOCK_ROWS + 1, 3 * BLOCK_ROWS + 7])
def test_a_row_scores_the_same_in_any_company(model: CompiledModel, rows: int) -> None:
    features, _ = made_up_flows(rows, seed=3)
    together = model.probabilities(features)
    alone = [model.probabilities(features[at : at + 1])[0] for at in range(rows)]
    assert together.shape == (rows, 3)
    assert (together == np.array(alone).reshape(rows, 3)).all()
    assert np.allclose(together.sum(axis=1), 1.0)


def test_takes_rows_in_any_layout(model: CompiledModel) -> None:
    features, _ = made_up_flows(50)
    assert (model.probabilities(np.asfortranarray(features)) == model.probabilities(features)).all()


def test_says_which_shape_it_wants(model: CompiledModel) -> None:
    with pytest.raises(ValueError, match="rows: must be n x 76, are 2 x 75"):
        model.probabilities(np.zeros((2, 75)))
    with pytest.raises(ValueError, match="rows: must be n x 76, are 76"):
        model.probabilities(np.zeros(76))


def saved(model: CompiledModel) -> bytes:
    file = io.BytesIO()
    model.save(file)
    return file.getvalue()


def test_survives_its_file(model: CompiledModel) -> None:
    loaded = CompiledModel.load(io.BytesIO(saved(model)))
    for field in fields(CompiledModel):
        assert (getattr(loaded, field.name) == getattr(model, field.name)).all()
    assert saved(loaded) == saved(model)


def bent(model: CompiledModel, at: int, **values: int) -> CompiledModel:
    nodes = model.nodes.copy()
    for name, value in values.items():
        nodes[name][at] = value
    return replace(model, nodes=nodes)


def test_refuses_arrays_that_lead_outside(model: CompiledModel) -> None:
    inner = int(np.flatnonzero(model.nodes["feature"] >= 0)[0])
    leaf = int(np.flatnonzero(model.nodes["feature"] < 0)[0])
    last = len(model.nodes) - 1
    broken = {
        "nodes: a node": [
            bent(model, inner, next=inner),
            bent(model, inner, next=len(model.nodes)),
            bent(model, inner, feature=model.features),
            bent(model, inner, feature=-2),
            bent(model, leaf, next=len(model.leaves)),
            bent(model, leaf, next=-1),
            bent(model, last, feature=0),
        ],
        "roots: a tree": [
            replace(model, roots=np.array([len(model.nodes)])),
            replace(model, roots=np.array([-1])),
            replace(model, roots=np.empty(0, np.int64)),
        ],
        "linear_bias: is float64": [replace(model, linear_bias=np.zeros(4))],
        "linear_weights: is float32": [
            replace(model, linear_weights=model.linear_weights.astype(np.float32))
        ],
        "final_weights: is float64": [replace(model, final_weights=model.final_weights[:-1])],
        "scale: holds values that are not finite": [replace(model, scale=model.scale * np.nan)],
    }
    for complaint, models in broken.items():
        for made in models:
            with pytest.raises(ValueError, match=complaint):
                CompiledModel.load(io.BytesIO(saved(made)))


def test_names_arrays_that_are_missing() -> None:
    file = io.BytesIO()
    np.savez(file, mean=np.zeros(3))
    file.seek(0)
    with pytest.raises(ValueError, match="no array scale, nodes, roots"):
        CompiledModel.load(file)


def test_unpickles_nothing(model: CompiledModel) -> None:
    file = io.BytesIO()
    arrays = {field.name: getattr(model, field.name) for field in fields(model)}
    np.savez(file, **(arrays | {"mean": np.array([{}], dtype=object)}))
    file.seek(0)
    with pytest.raises(ValueError, match="allow_pickle"):
        CompiledModel.load(file)
