"""Fitted forest stacks of a wanted size, always the same: the models that benchmarks measure and serve."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import joblib
import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import RandomForestClassifier, StackingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from detection.compile_sklearn import compile_pipeline
from detection.package import write_package
from detection.preprocess import clean
from detection.record import BenignQuantiles, InsufficientRule, ModelRecord, Preprocessing
from flows.labels import BY_CODE
from flows.schema import BY_NAME, COMMON_NAMES, schema_id
from training.flavour import save_flavour

DIRECTORY = Path(__file__).resolve().parent.parent / "var" / "bench"
VERSION = hashlib.sha256(Path(__file__).read_bytes()).hexdigest()[:8]

CLASSES = (0, 5, 6, 7, 8, 9, 16, 17)
PREPROCESSING = Preprocessing(nan=0.0, infinity=0.0, minimum=0.0, maximum=1e18)
SEED = 1
TRAINING_ROWS = 24_000
# Without rows that nothing but chance explains, trees end before they have 4,000 nodes.
MISLABELLED = 0.15
GOLDEN_ROWS = 256


@dataclass(frozen=True)
class Stack:
    """A fitted scaler, forest and logistic regressions under a logistic regression.

    Attributes:
        trees: of the forest.
        nodes_per_tree: on average.
    """

    pipeline: Pipeline
    trees: int
    nodes_per_tree: float


def made_up_rows(count: int, seed: int) -> tuple[NDArray[np.float64], NDArray[np.int32]]:
    """Return log-normal features whose levels depend on the class, and the codes, some of them wrong."""
    levels = np.exp(np.random.default_rng(SEED).normal(3.0, 1.5, (len(CLASSES), len(COMMON_NAMES))))
    random = np.random.default_rng(seed)
    column = random.integers(len(CLASSES), size=count)
    rows = levels[column] * np.exp(random.normal(0.0, 2.0, (count, len(COMMON_NAMES))))
    counting = [BY_NAME[name].kind == "int" for name in COMMON_NAMES]
    rows[:, counting] = np.floor(rows[:, counting])
    wrong = random.random(count) < MISLABELLED
    column[wrong] = random.integers(len(CLASSES), size=int(wrong.sum()))
    return rows, np.array(CLASSES, np.int32)[column]


def make_stack(*, trees: int = 100, nodes: int = 500) -> Stack:
    """Return a stack whose trees have about `nodes` nodes each, fitted on the first call."""
    path = DIRECTORY / f"stack-{trees}-{nodes}-{VERSION}.joblib"
    if not path.exists():
        DIRECTORY.mkdir(parents=True, exist_ok=True)
        joblib.dump(_fitted(trees, nodes), path)
    pipeline: Pipeline = joblib.load(path)
    forest = pipeline[-1].named_estimators_["rf"]
    counts = [tree.tree_.node_count for tree in forest.estimators_]
    return Stack(pipeline, trees, float(np.mean(counts)))


def _fitted(trees: int, nodes: int) -> Pipeline:
    rows, codes = made_up_rows(TRAINING_ROWS, SEED)
    scaler = StandardScaler().fit(rows)
    scaled = scaler.transform(rows)
    forest = RandomForestClassifier(trees, max_leaf_nodes=(nodes + 1) // 2, random_state=SEED, n_jobs=-1)
    bases = [
        ("rf", forest.fit(scaled, codes)),
        ("lr", LogisticRegression(max_iter=2000).fit(scaled, codes)),
    ]
    # A forest asked to use all cores takes longer for few rows.
    forest.n_jobs = 1
    # The final regression sees the training rows again: fine for speed, which is all that is measured.
    stack = StackingClassifier(bases, LogisticRegression(max_iter=2000), cv="prefit").fit(scaled, codes)
    return Pipeline([("scaler", scaler), ("stack", stack)])


def stack_record(stack: Stack) -> ModelRecord:
    """Return what a stack's package says of it."""
    return ModelRecord(
        record_format=1,
        description=f"A benchmark's forest stack, {stack.nodes_per_tree:.0f} nodes a tree",
        features=COMMON_NAMES,
        schema_id=schema_id(COMMON_NAMES),
        dialect="improved",
        classes=CLASSES,
        class_names=tuple(BY_CODE[code].name for code in CLASSES),
        preprocessing=PREPROCESSING,
        threshold=0.5,
        insufficient=InsufficientRule(max_packets=1, max_duration_us=0),
        benign_quantiles=BenignQuantiles(levels=(0.0, 1.0), values=((0.0, 1e9),) * len(COMMON_NAMES)),
        figures={},
    )


def write_stack(stack: Stack, directory: Path) -> None:
    """Write a stack as a model package that MLflow can serve, too."""
    save_flavour(stack.pipeline, directory, COMMON_NAMES)
    golden, _ = made_up_rows(GOLDEN_ROWS, SEED + 1)
    record = stack_record(stack)
    write_package(
        directory,
        compile_pipeline(stack.pipeline),
        record,
        golden_rows=golden,
        golden_probabilities=stack.pipeline.predict_proba(clean(golden, record.preprocessing)),
        card="# A benchmark's forest stack\n",
    )
