"""cstub/ml-ids on CSE-CIC-IDS2018: attack against benign, random rows 80/10/10, seed 42, 68 features."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import joblib
import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline

from detection.catboost_model import import_catboost
from flows.schema import COMMON_NAMES
from training.dataset import LabelledFlows
from training.estimators import Kind, binary
from training.makes import JOBS
from training.published.protocol import (
    SEED,
    Reproduction,
    Result,
    Told,
    attack_score,
    average_precision,
    parted,
)
from training.report.split_study import fitted
from training.sources.read import ReadOptions, read_training_data

ZERO_VARIANCE: Final = (
    *("bwd_blk_rate_avg", "bwd_byts_b_avg", "bwd_pkts_b_avg", "bwd_psh_flags", "bwd_urg_flags"),
    *("fwd_blk_rate_avg", "fwd_byts_b_avg", "fwd_pkts_b_avg"),
)
NAMES: Final = tuple(name for name in COMMON_NAMES if name not in ZERO_VARIANCE)
KEPT_NEGATIVE: Final = ("init_fwd_win_byts", "init_bwd_win_byts")
PUBLISHED: Final = {"random forest": 0.98102, "CatBoost": 0.98266}
PRECISION, RECALL = 0.964, 0.957


def reproduce(
    locations: Sequence[str], kind: Kind, *, nrows: int | None = None, rounds: int = 1900, told: Told
) -> Reproduction:
    """Return the published average precision beside ours.

    Args:
        locations: the ten days.
        kind: ours.
        nrows: only so many rows a file.
        rounds: of CatBoost.
        told: told what is done next.

    Raises:
        OSError, ValueError: the data cannot be read or are too few.
    """
    told("reading")
    options = ReadOptions(names=NAMES, nrows=nrows, keep_duplicates=True)
    flows = read_training_data(locations, options=options)
    train, validate, tested = parted(flows.codes, 0.1, 0.1)
    results: list[Result] = []
    for name, estimator in _published(flows, train, rounds):
        told(name)
        features = as_published(flows)
        estimator.fit(features[train], flows.codes[train] != 0)
        score = attack_score(estimator, features[validate])
        truth = flows.codes[validate] != 0
        results.append(
            Result(
                "validation rows", name, "average precision", PUBLISHED[name], average_precision(truth, score)
            )
        )
        if name == "CatBoost":
            results += _at_even_odds(flows.codes[tested] != 0, attack_score(estimator, features[tested]))
    told(kind.name)
    two = LabelledFlows.of(flows.features, flows.names, binary(flows.codes), flows.dialect)
    ours = fitted(two.take(train), kind)
    for on, rows, published in (
        ("validation rows", validate, PUBLISHED["CatBoost"]),
        ("test rows", tested, None),
    ):
        score = ours.p_attack(two.features[rows])
        found = average_precision(two.codes[rows] != 0, score)
        results.append(Result(on, f"ours: {kind.name}", "average precision", published, found))
    return Reproduction(
        "cstub/ml-ids, CSE-CIC-IDS2018",
        len(flows),
        tuple(results),
        (
            "random rows of bursty flows, near twins on both sides: they say little of another network",
            "beside ours stands the published CatBoost's",
        ),
    )


def as_published(flows: LabelledFlows) -> NDArray[np.float64]:
    """Return the features as published: no infinity, and no negative value but for windows; NaN instead."""
    features = flows.features.copy()
    features[np.isinf(features)] = np.nan
    kept = np.array([name in KEPT_NEGATIVE for name in flows.names])
    features[(features < 0) & ~kept] = np.nan
    return features


def _published(flows: LabelledFlows, train: NDArray[np.int64], rounds: int) -> list[tuple[str, Any]]:
    forest = RandomForestClassifier(
        80,
        criterion="entropy",
        max_depth=32,
        max_features="sqrt",
        min_samples_leaf=3,
        min_samples_split=4,
        class_weight="balanced",
        random_state=SEED,
        n_jobs=JOBS,
    )
    found = [("random forest", forest)]
    attacks = int((flows.codes[train] != 0).sum())
    try:
        boosted = import_catboost().CatBoostClassifier(
            iterations=rounds,
            depth=10,
            l2_leaf_reg=4.813919374945952,
            border_count=254,
            random_strength=5,
            class_weights=[1, (len(train) - attacks) / max(attacks, 1)],
            random_seed=SEED,
            thread_count=joblib.cpu_count(),
            allow_writing_files=False,
            verbose=False,
        )
        found.append(("CatBoost", boosted))
    except ModuleNotFoundError:
        pass  # an extra; the table goes without it
    return [
        (
            name,
            Pipeline(
                [("impute", SimpleImputer(strategy="median", keep_empty_features=True)), ("model", model)]
            ),
        )
        for name, model in found
    ]


def _at_even_odds(truth: NDArray[np.bool_], score: NDArray[np.float64]) -> list[Result]:
    called = score >= 0.5
    hits = int((called & truth).sum())
    return [
        Result("test rows", "CatBoost", "precision", PRECISION, hits / max(int(called.sum()), 1)),
        Result("test rows", "CatBoost", "recall", RECALL, hits / max(int(truth.sum()), 1)),
    ]
