"""Trains the starter model: python -m training.starter --data FLOWS --captures FOLDER --out FOLDER."""

from __future__ import annotations

import logging
import platform
import shutil
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from numpy.typing import NDArray
from sklearn.pipeline import Pipeline

from detection.compile_sklearn import compile_pipeline
from detection.package import load_package, write_package
from detection.preprocess import clean
from detection.record import BenignQuantiles, InsufficientRule, ModelRecord, Preprocessing
from detection.scorer import Scorer
from flows.labels import BY_CODE
from flows.schema import schema_id
from training.captures import figures, left_out_share, operating_threshold, score_captures
from training.card import Findings, render
from training.dataset import LabelledFlows, read_labelled
from training.estimator import SEED, fit, predict_proba, stacked
from training.evaluation import Evaluation, evaluate
from training.flavour import save_flavour
from training.golden import golden_rows
from training.splits import stratified, time_ordered

PREPROCESSING = Preprocessing(nan=0.0, infinity=0.0, minimum=0.0, maximum=1e18)
INSUFFICIENT = InsufficientRule(max_packets=1, max_duration_us=0)
BENIGN_SHARE = 0.002
TRAIN_SHARE = 0.7
GOLDEN_ROWS = 256
DESCRIPTION = (
    "A random forest and a logistic regression stacked by a logistic regression, on scaled flow features"
)

logger = logging.getLogger(__name__)


def main(
    data: Annotated[Path, typer.Option(help="Labelled flows, Parquet, dialect improved.")],
    captures: Annotated[Path, typer.Option(help="Folder with captures in benign/ and attack/.")],
    out: Annotated[Path, typer.Option(help="The package; what is there is replaced.")],
) -> None:
    """Train, measure and write the starter model's package."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    flows = read_labelled(data)
    logger.info("%d flows, %d repeated rows dropped", len(flows), flows.repeated)
    pipeline = _fitted(flows, np.ones(len(flows), np.bool_))
    findings = _measure(flows, pipeline, captures)
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    save_flavour(pipeline, out, flows.names)
    rows = golden_rows(flows.features, flows.codes, GOLDEN_ROWS, SEED)
    write_package(
        out,
        compile_pipeline(pipeline),
        findings.record,
        golden_rows=rows,
        golden_probabilities=predict_proba(pipeline, clean(rows, PREPROCESSING), flows.names),
        card=render(findings),
    )
    load_package(out)
    logger.info("%s: threshold %.6f, %s", out, findings.record.threshold, findings.attacks)


def _fitted(flows: LabelledFlows, rows: NDArray[np.bool_]) -> Pipeline:
    return fit(stacked(), clean(flows.features[rows], PREPROCESSING), flows.codes[rows], flows.names)


def _measure(flows: LabelledFlows, pipeline: Pipeline, captures: Path) -> Findings:
    draft = _record(flows, pipeline)
    scorer = Scorer(compile_pipeline(pipeline), draft)
    benign = score_captures(captures / "benign", scorer)
    attacks = score_captures(captures / "attack", scorer)
    threshold = operating_threshold(benign, BENIGN_SHARE)
    logger.info("threshold %.6f", threshold)
    splits = {
        "time-ordered split": _evaluated(flows, time_ordered(flows.codes, TRAIN_SHARE), threshold),
        "random split": _evaluated(flows, stratified(flows.codes, TRAIN_SHARE, SEED), threshold),
    }
    on_benign, on_attacks = figures(benign, threshold), figures(attacks, threshold)
    measured = {
        **{
            f"{split}/{name}": value
            for split, found in splits.items()
            for name, value in found.metrics().items()
        },
        **{f"benign captures/{name}": value for name, value in on_benign.metrics().items()},
        **{f"attack captures/{name}": value for name, value in on_attacks.metrics().items()},
    }
    return Findings(
        data=flows,
        record=draft.model_copy(update={"threshold": threshold, "figures": measured}),
        makers=f"Python {platform.python_version()}, scikit-learn {version('scikit-learn')}, seed {SEED}",
        iterations=_iterations(pipeline),
        splits=splits,
        benign=on_benign,
        attacks=on_attacks,
        attack_captures=attacks,
        allowed_share=BENIGN_SHARE,
        left_out_share=left_out_share(benign, BENIGN_SHARE),
    )


def _record(flows: LabelledFlows, pipeline: Pipeline) -> ModelRecord:
    """Return the record of a model whose threshold is not chosen yet."""
    classes = tuple(int(code) for code in pipeline.classes_)
    benign = clean(flows.features[flows.codes == 0], PREPROCESSING)
    return ModelRecord(
        record_format=1,
        description=DESCRIPTION,
        features=flows.names,
        schema_id=schema_id(flows.names),
        dialect=flows.dialect,
        classes=classes,
        class_names=tuple(BY_CODE[code].name for code in classes),
        preprocessing=PREPROCESSING,
        threshold=1.0,
        insufficient=INSUFFICIENT,
        benign_quantiles=BenignQuantiles.of(benign),
    )


def _evaluated(flows: LabelledFlows, train: NDArray[np.bool_], threshold: float) -> Evaluation:
    pipeline = _fitted(flows, train)
    features, codes = clean(flows.features[~train], PREPROCESSING), flows.codes[~train]
    evaluation = evaluate(
        predict_proba(pipeline, features, flows.names),
        codes,
        tuple(int(code) for code in pipeline.classes_),
        threshold=threshold,
        train_rows=int(train.sum()),
    )
    logger.info("macro F1 %.4f on %d rows", evaluation.macro_f1, evaluation.test_rows)
    return evaluation


def _iterations(pipeline: Pipeline) -> dict[str, int]:
    stack = pipeline[-1]
    regressions = {"base": stack.named_estimators_["lr"], "final": stack.final_estimator_}
    return {name: int(model.n_iter_.max()) for name, model in regressions.items()}


if __name__ == "__main__":
    typer.run(main)
