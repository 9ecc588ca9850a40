"""Fitted forest stacks of a wanted size, the same every time, kept beside the benchmarks' captures."""

from __future__ import annotations

import hashlib
from pathlib import Path

import joblib
import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import RandomForestClassifier, StackingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from flows.schema import COMMON_NAMES

SEED = 1
CODES = (0, 5, 6, 7, 8, 9, 16, 17)
ROWS = 24_000
MISLABELLED = 0.15


def made_up_flows(rows: int, seed: int) -> tuple[NDArray[np.float64], NDArray[np.int32]]:
    """Return log-normal features whose levels depend on the class, and the codes, some of them wrong."""
    levels = np.exp(np.random.default_rng(SEED).normal(3.0, 1.5, (len(CODES), len(COMMON_NAMES))))
    random = np.random.default_rng(seed)
    column = random.integers(len(CODES), size=rows)
    features = levels[column] * np.exp(random.normal(0.0, 2.0, (rows, len(COMMON_NAMES))))
    wrong = random.random(rows) < MISLABELLED
    column[wrong] = random.integers(len(CODES), size=int(wrong.sum()))
    return features, np.array(CODES, np.int32)[column]


def forest_stack(directory: Path, trees: int, nodes: int) -> Pipeline:
    """Return a fitted scaler and stack of forest and regression, made on the first call.

    Args:
        directory: where it is kept.
        trees: of the forest.
        nodes: of every tree, about.
    """
    version = hashlib.sha256(Path(__file__).read_bytes()).hexdigest()[:8]
    path = directory / f"stack-{trees}-{nodes}-{version}.joblib"
    if not path.exists():
        directory.mkdir(parents=True, exist_ok=True)
        joblib.dump(_fitted(trees, nodes), path)
    pipeline: Pipeline = joblib.load(path)
    return pipeline


def _fitted(trees: int, nodes: int) -> Pipeline:
    rows, codes = made_up_flows(ROWS, SEED)
    scaler = StandardScaler().fit(rows)
    scaled = scaler.transform(rows)
    forest = RandomForestClassifier(trees, max_leaf_nodes=nodes // 2, random_state=SEED, n_jobs=1)
    bases = [
        ("rf", forest.fit(scaled, codes)),
        ("lr", LogisticRegression(max_iter=2000).fit(scaled, codes)),
    ]
    # The final regression sees the training rows again: fine for speed, which is all that is measured.
    stack = StackingClassifier(bases, LogisticRegression(max_iter=2000), cv="prefit").fit(scaled, codes)
    return Pipeline([("scaler", scaler), ("stack", stack)])
