from __future__ import annotations

import numpy as np
import pytest

from flows.kdd99 import FEATURES
from flows.kdd99_files import DIALECT
from helpers.flows import SHARED, needs_shared
from helpers.kdd99 import made_up_connections
from training.connections import connection_figures, read_connections_apart
from training.dataset import LabelledFlows


def connections(rows: int = 300) -> LabelledFlows:
    features, codes = made_up_connections(rows)
    return LabelledFlows.of(features, FEATURES, codes.astype(np.int32), DIALECT)


def test_every_kind_is_judged_by_the_rows_it_was_not_fitted_on() -> None:
    both = connections()
    found = dict(connection_figures(both.take(slice(0, 200)), both.take(slice(200, None))))
    assert list(found) == ["decision-tree", "linear-svm", "mlp", "stacked"]
    for evaluation in found.values():
        assert (evaluation.train_rows, evaluation.test_rows) == (200, 100)
        assert evaluation.accuracy > 0.9
        assert evaluation.macro_f1 > 0.9


def test_files_of_different_features_are_told() -> None:
    other = LabelledFlows.of(np.zeros((3, 1)), ("duration",), np.zeros(3, np.int32), DIALECT)
    with pytest.raises(ValueError, match="have different features"):
        next(connection_figures(connections(30), other))


@needs_shared
def test_the_test_file_keeps_every_row() -> None:
    folder = SHARED / "data" / "nsl-kdd"
    train, test = read_connections_apart(folder / "KDDTrain+_20Percent.txt.xz", folder / "KDDTest+.txt.xz")
    assert len(test) == 22_544
    assert train.names == FEATURES
    assert "time" not in train.names
    [(_, tree)] = connection_figures(train, test, ["decision-tree"])
    assert tree.test_rows == 22_544
    assert 0.6 < tree.accuracy < 0.9
    assert tree.macro_f1 < tree.accuracy
