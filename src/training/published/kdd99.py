"""lueasf/AttacksDetector on KDD99: accuracy on random rows, with the number of the row as a feature.

The published models read `time`, the row's number times 60 s. The rows are ordered by attack: it tells the
classes apart. Ours is measured with and without it, and on the sets' own test files, which nobody was fitted
on and which hold attacks that the training files do not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from sklearn.calibration import CalibratedClassifierCV
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import MinMaxScaler
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier

from training.connections import connection_figures, read_connections_apart
from training.dataset import LabelledFlows
from training.estimators import Kind
from training.evaluation import Evaluation
from training.published.protocol import SEED, Reproduction, Result, Told, files_named
from training.report.split_study import elsewhere, fitted
from training.sources.read import ReadOptions, read_training_data

FIRST_SECOND: Final = 1_617_656_527
SECONDS_A_ROW: Final = 60
TEST_SHARE: Final = 0.33
ON_TEST_FILES: Final = ("decision-tree", "linear-svm", "mlp")


def _tree(seed: int) -> Any:
    return Pipeline(
        [
            ("scaler", MinMaxScaler()),
            ("tree", DecisionTreeClassifier(criterion="entropy", max_depth=4, random_state=seed)),
        ]
    )


def _machine(seed: int) -> Any:
    machine = CalibratedClassifierCV(LinearSVC(dual=False, random_state=seed), cv=3, ensemble=False)
    return Pipeline([("scaler", MinMaxScaler()), ("svm", machine)])


def _network(seed: int) -> Any:
    network = MLPClassifier((30, 10), batch_size=64, max_iter=50, n_iter_no_change=5, random_state=seed)
    return Pipeline([("scaler", MinMaxScaler()), ("mlp", network)])


PUBLISHED: Final = (
    (Kind("tree of depth 4", "", _tree, converges=False), 0.99385),
    (Kind("linear SVM", "", _machine, converges=False), 0.99769),
    (Kind("network 30-10", "", _network, converges=False), 0.99934),
)


def reproduce(locations: Sequence[str], kind: Kind, *, nrows: int | None = None, told: Told) -> Reproduction:
    """Return the published accuracy beside ours, and figures on the test files that there are.

    Args:
        locations: folders with `kddcup.data_10_percent`, `corrected`, `KDDTrain+` and `KDDTest+`, as far as
            there are any, plain, .gz or .xz.
        kind: ours.
        nrows: only so many rows of each file.
        told: told what is done next.

    Raises:
        OSError, ValueError: the data cannot be read; or neither set is there.
    """
    results: list[Result] = []
    rows = 0
    train = files_named(locations, "kddcup.data")
    pairs = (
        ("KDD99 corrected", train, files_named(locations, "corrected")),
        ("NSL-KDD KDDTest+", files_named(locations, "kddtrain+"), files_named(locations, "kddtest+")),
    )
    if train is not None:
        told("reading")
        flows = read_training_data([train], options=ReadOptions(nrows=nrows, keep_duplicates=True))
        rows = len(flows)
        results += _random_rows(flows, kind, told)
    for name, known, other in pairs:
        if known is not None and other is not None:
            results += _test_file(name, known, other, kind, nrows, told)
    if not results:
        raise ValueError(
            f"{', '.join(locations)}: no kddcup.data_10_percent, and no KDDTrain+ with its KDDTest+"
        )
    return Reproduction(
        "lueasf/AttacksDetector, KDD99",
        rows,
        tuple(results),
        (
            "random rows: 67/33, seed 42, duplicates on both sides, as published",
            "test files: fitted on the training file without its duplicates, no `time`; macro F1 of the five "
            "classes",
        ),
    )


def with_time(flows: LabelledFlows) -> LabelledFlows:
    """Return the flows with the published `time`: the row's number in seconds."""
    time = FIRST_SECOND + SECONDS_A_ROW * np.arange(len(flows), dtype=np.float64)
    return replace(flows, features=np.column_stack([flows.features, time]), names=(*flows.names, "time"))


def _random_rows(flows: LabelledFlows, kind: Kind, told: Told) -> list[Result]:
    train, tested = train_test_split(np.arange(len(flows)), test_size=TEST_SHARE, random_state=SEED)
    results = []
    for on, each in (("random rows, with time", with_time(flows)), ("random rows, without time", flows)):
        for one, published in (*PUBLISHED, (kind, None)):
            told(f"{on}: {one.name}")
            found = _measured(each.take(train), each.take(tested), one)
            known = published if each is not flows else None
            name = one.name if published else f"ours: {one.name}"
            results.append(Result(on, name, "accuracy", known, found.accuracy))
            results.append(Result(on, name, "macro F1", None, found.macro_f1, found.macro_f1_interval))
    return results


def _test_file(on: str, known: Path, other: Path, kind: Kind, nrows: int | None, told: Told) -> list[Result]:
    train, test = read_connections_apart(known, other, nrows)
    results = []
    told(on)
    for name, found in connection_figures(train, test, tuple(dict.fromkeys((*ON_TEST_FILES, kind.name)))):
        told(f"{on}: {name} is done")
        results.append(Result(on, name, "accuracy", None, found.accuracy))
        results.append(Result(on, name, "macro F1", None, found.macro_f1, found.macro_f1_interval))
    return results


def _measured(train: LabelledFlows, test: LabelledFlows, kind: Kind) -> Evaluation:
    return elsewhere(fitted(train, kind), test, "", None, len(train)).evaluation
