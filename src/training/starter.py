"""Trains the starter model: python -m training.starter --data FLOWS --captures FOLDER --out FOLDER."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from sklearn.pipeline import Pipeline

from detection.compile_sklearn import compile_pipeline
from detection.scorer import Scorer
from training.captures import figures, left_out_share, operating_threshold, score_captures
from training.card import Findings, render
from training.dataset import LabelledFlows
from training.estimators import SEED
from training.recipe import (
    BENIGN_SHARE,
    TRAIN_SHARE,
    draft_record,
    evaluated,
    fitted,
    iterations,
    makers,
    write_model,
)
from training.sources.read import read_training_data
from training.splits import stratified, time_ordered

logger = logging.getLogger(__name__)


def main(
    data: Annotated[Path, typer.Option(help="Labelled flows, Parquet, dialect improved.")],
    captures: Annotated[Path, typer.Option(help="Folder with captures in benign/ and attack/.")],
    out: Annotated[Path, typer.Option(help="The package; what is there is replaced.")],
) -> None:
    """Train, measure and write the starter model's package."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    flows = read_training_data([data])
    logger.info("%d flows, dropped: %s", len(flows), dict(flows.dropped))
    pipeline = fitted(flows, np.ones(len(flows), np.bool_))
    findings = _measure(flows, pipeline, captures)
    write_model(pipeline, flows, findings.record, render(findings), out)
    logger.info("%s: threshold %.6f, %s", out, findings.record.threshold, findings.attacks)


def _measure(flows: LabelledFlows, pipeline: Pipeline, captures: Path) -> Findings:
    draft = draft_record(flows, pipeline)
    scorer = Scorer(compile_pipeline(pipeline), draft)
    benign = score_captures(captures / "benign", scorer)
    attacks = score_captures(captures / "attack", scorer)
    threshold = operating_threshold(benign, BENIGN_SHARE)
    logger.info("threshold %.6f", threshold)
    splits = {
        "time-ordered split": evaluated(flows, time_ordered(flows.codes, TRAIN_SHARE), threshold),
        "random split": evaluated(flows, stratified(flows.codes, TRAIN_SHARE, SEED), threshold),
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
        makers=makers(),
        iterations=iterations(pipeline),
        splits=splits,
        benign=on_benign,
        attacks=on_attacks,
        attack_captures=attacks,
        allowed_share=BENIGN_SHARE,
        left_out_share=left_out_share(benign, BENIGN_SHARE),
    )


if __name__ == "__main__":
    typer.run(main)
