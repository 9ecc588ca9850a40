"""The recipe of a model: what is fitted, how it is measured, what its package holds."""

from __future__ import annotations

import logging
import platform
import shutil
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from context.features import CONTEXT_NAMES
from detection.decision import enough
from detection.package import load_package, write_package
from detection.preprocess import clean
from detection.record import SIZES, BenignQuantiles, InsufficientRule, ModelRecord, Preprocessing
from flows.labels import BY_CODE
from flows.schema import schema_id
from training.compiling import compiled
from training.dataset import LabelledFlows
from training.estimators import DEFAULT, ESTIMATORS, SEED, Kind, binary, fit, predict_proba
from training.evaluation import Evaluation, evaluate
from training.flavour import save_flavour
from training.golden import golden_rows

PREPROCESSING: Final = Preprocessing(nan=0.0, infinity=0.0, minimum=0.0, maximum=1e18)
WITH_CONTEXT: Final = Preprocessing(nan=None, infinity=0.0, minimum=-1.0, maximum=1e18)
"""Context that is not known stays NaN, and what hosts sent and received is a ratio from -1 to 1."""

INSUFFICIENT: Final = InsufficientRule(max_packets=1, max_duration_us=0)
BENIGN_SHARE: Final = 0.002
"""The share of benign flows that a model may flag."""

TRAIN_SHARE: Final = 0.7
GOLDEN_ROWS: Final = 256
FEWEST_UNLIKE: Final = 100
"""So many flows of one packet or of no duration teach a model to judge them."""

logger = logging.getLogger(__name__)


def preprocessing(names: Collection[str]) -> Preprocessing:
    """Return what becomes of values that models of these features cannot read."""
    return PREPROCESSING if set(CONTEXT_NAMES).isdisjoint(names) else WITH_CONTEXT


@dataclass(frozen=True, slots=True)
class Recipe:
    """What is fitted.

    Attributes:
        kind: the estimator.
        params: its parameters, where they are not the default.
        seed: of all that is random.
        binary: all attacks are one class.
    """

    kind: Kind = ESTIMATORS[DEFAULT]
    params: Mapping[str, Any] = field(default_factory=dict)
    seed: int = SEED
    binary: bool = False

    def codes(self, codes: NDArray[np.int32]) -> NDArray[np.int32]:
        """Return the classes of n flows that the model tells apart."""
        return binary(codes) if self.binary else self.kind.codes(codes)

    @property
    def description(self) -> str:
        """The recipe in a line, as the model's record has it."""
        title = self.kind.title[0].upper() + self.kind.title[1:]
        return f"{title}, on flow features" + (", attacks as one class" if self.binary else "")


DEFAULT_RECIPE: Final = Recipe()


def fitted(flows: LabelledFlows, rows: NDArray[np.bool_], recipe: Recipe = DEFAULT_RECIPE) -> Any:
    """Return an estimator fitted on the chosen ones of n flows.

    Raises:
        ConvergenceWarning: a regression did not converge.
        ValueError: it cannot be fitted on these flows.
    """
    return fit(
        recipe.kind,
        clean(flows.features[rows], preprocessing(flows.names)),
        recipe.codes(flows.codes[rows]),
        flows.names,
        seed=recipe.seed,
        params=recipe.params,
        activity=flows.made[rows],
    )


def makers(seed: int = SEED) -> str:
    """Return names and versions of what makes a model."""
    return f"Python {platform.python_version()}, scikit-learn {version('scikit-learn')}, seed {seed}"


def insufficient_rule(flows: LabelledFlows) -> InsufficientRule | None:
    """Return the rule that no flow of one packet or of no duration is judged, None where flows teach them."""
    if not set(SIZES) <= set(flows.names):
        return None
    sizes = np.array([flows.names.index(name) for name in SIZES])
    unlike = ~enough(flows.features, sizes, INSUFFICIENT)
    return INSUFFICIENT if unlike.sum() < FEWEST_UNLIKE else None


def draft_record(flows: LabelledFlows, pipeline: Any, recipe: Recipe = DEFAULT_RECIPE) -> ModelRecord:
    """Return the record of a model whose threshold is not chosen yet."""
    classes = tuple(int(code) for code in pipeline.classes_)
    benign = clean(flows.features[flows.codes == 0], preprocessing(flows.names))
    return ModelRecord(
        record_format=1,
        description=recipe.description,
        features=flows.names,
        schema_id=schema_id(flows.names),
        dialect=flows.dialect,
        classes=classes,
        class_names=tuple(BY_CODE[code].name for code in classes),
        preprocessing=preprocessing(flows.names),
        threshold=1.0,
        insufficient=insufficient_rule(flows),
        benign_quantiles=BenignQuantiles.of(benign),
        estimator=recipe.kind.name,
    )


def evaluated(
    flows: LabelledFlows,
    train: NDArray[np.bool_],
    threshold: float,
    recipe: Recipe = DEFAULT_RECIPE,
    pipeline: Any = None,
) -> Evaluation:
    """Return the figures of an estimator fitted on some of n flows, on the others.

    Args:
        flows: all n.
        train: which are for fitting.
        threshold: the operating threshold.
        recipe: what is fitted.
        pipeline: it, if it was fitted on those flows already.
    """
    pipeline = fitted(flows, train, recipe) if pipeline is None else pipeline
    features = clean(flows.features[~train], preprocessing(flows.names))
    evaluation = evaluate(
        predict_proba(pipeline, features, flows.names),
        recipe.codes(flows.codes[~train]),
        tuple(int(code) for code in pipeline.classes_),
        threshold=threshold,
        train_rows=int(train.sum()),
    )
    logger.info("macro F1 %.4f on %d rows", evaluation.macro_f1, evaluation.test_rows)
    return evaluation


def write_model(pipeline: Any, flows: LabelledFlows, record: ModelRecord, card: str, out: Path) -> None:
    """Write a fitted pipeline as a package, in place of what is there, and check it as serving does."""
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    save_flavour(pipeline, out, flows.names)
    rows = golden_rows(flows.features, flows.codes, GOLDEN_ROWS, SEED)
    write_package(
        out,
        compiled(pipeline),
        record,
        golden_rows=rows,
        golden_probabilities=predict_proba(pipeline, clean(rows, preprocessing(flows.names)), flows.names),
        card=card,
    )
    load_package(out)
