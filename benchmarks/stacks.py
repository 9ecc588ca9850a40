"""Forest stacks of a chosen size, fitted on made-up flows: the models that benchmarks serve."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import RandomForestClassifier, StackingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from detection.compile_sklearn import compile_pipeline
from detection.package import write_package
from detection.preprocess import clean
from detection.record import BenignQuantiles, ModelRecord, Preprocessing
from flows.labels import BY_CODE
from flows.schema import BY_NAME, COMMON_NAMES, schema_id
from training.flavour import save_flavour

CLASSES = (0, 5, 17)
PREPROCESSING = Preprocessing(nan=0.0, infinity=0.0, minimum=0.0, maximum=1e18)
TRAINING_ROWS = 10_000
GOLDEN_ROWS = 256


@dataclass(frozen=True)
class Stack:
    """A fitted scaler, forest and logistic regressions, and rows it was not fitted on."""

    pipeline: Pipeline
    rows: NDArray[np.float64]
    nodes_per_tree: float


def made_up_rows(count: int, seed: int) -> tuple[NDArray[np.float64], NDArray[np.int32]]:
    """Return log-normal features whose classes overlap, so that trees grow, and the class codes."""
    random = np.random.default_rng(seed)
    codes = random.choice(np.array(CLASSES, np.int32), count, p=(0.8, 0.1, 0.1))
    shift = np.where(codes == 0, 0.0, np.where(codes == CLASSES[1], 0.35, -0.35))
    rows = np.exp(6 + shift[:, None] + random.normal(0, 2.0, (count, len(COMMON_NAMES))))
    counting = [BY_NAME[name].kind == "int" for name in COMMON_NAMES]
    rows[:, counting] = np.floor(rows[:, counting])
    return rows, codes


def make_stack(*, trees: int = 100, nodes: int = 500, rows: int = 4096, seed: int = 0) -> Stack:
    """Fit a stack whose trees have about `nodes` nodes each."""
    features, codes = made_up_rows(TRAINING_ROWS, seed)
    forest = RandomForestClassifier(trees, max_leaf_nodes=(nodes + 1) // 2, random_state=seed, n_jobs=-1)
    stack = StackingClassifier(
        [("rf", forest), ("lr", LogisticRegression(max_iter=500))], LogisticRegression(max_iter=500), cv=2
    )
    pipeline = Pipeline([("scaler", StandardScaler()), ("stack", stack)]).fit(features, codes)
    fitted = pipeline[-1].named_estimators_["rf"]
    # A forest asked to use all cores takes longer for few rows.
    fitted.n_jobs = 1
    counts = [tree.tree_.node_count for tree in fitted.estimators_]
    return Stack(pipeline, made_up_rows(rows, seed + 1)[0], float(np.mean(counts)))


def write_stack(stack: Stack, directory: Path) -> None:
    """Write a stack as a model package that MLflow can serve, too."""
    record = ModelRecord(
        record_format=1,
        description=f"A benchmark's forest stack, {stack.nodes_per_tree:.0f} nodes a tree",
        features=COMMON_NAMES,
        schema_id=schema_id(COMMON_NAMES),
        dialect="improved",
        classes=CLASSES,
        class_names=tuple(BY_CODE[code].name for code in CLASSES),
        preprocessing=PREPROCESSING,
        threshold=0.5,
        insufficient=None,
        benign_quantiles=BenignQuantiles(levels=(0.0, 1.0), values=((0.0, 1e9),) * len(COMMON_NAMES)),
        figures={},
    )
    save_flavour(stack.pipeline, directory, COMMON_NAMES)
    golden = stack.rows[:GOLDEN_ROWS]
    write_package(
        directory,
        compile_pipeline(stack.pipeline),
        record,
        golden_rows=golden,
        golden_probabilities=stack.pipeline.predict_proba(clean(golden, record.preprocessing)),
        card="# A benchmark's forest stack\n",
    )
