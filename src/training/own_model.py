"""The default model, fitted on a base set and on the operator's own benign traffic."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from math import floor
from pathlib import Path

import numpy as np

from detection.calibration import lowest_threshold
from detection.compile_sklearn import compile_pipeline
from detection.record import ModelRecord
from detection.scorer import Scorer
from training.baseline import Baseline, joined
from training.card_parts import class_counts, split_section, what_it_is
from training.cleaning import DUPLICATE
from training.dataset import LabelledFlows
from training.evaluation import Evaluation
from training.markdown import bullets, paragraph
from training.recipe import BENIGN_SHARE, TRAIN_SHARE, draft_record, evaluated, fitted, makers, write_model
from training.splits import time_ordered

SPLIT = "time-ordered split"
logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class OwnModel:
    """What was found.

    Attributes:
        record: the record of the model.
        evaluation: of another model of the same make on the later flows of the base set.
        held: how many flows of the baseline were held out.
        flagged: the share of them that the model flags at its threshold.
        champion_flagged: the share of them that the model that serves flags at its own; None without one.
    """

    record: ModelRecord
    evaluation: Evaluation
    held: int
    flagged: float
    champion_flagged: float | None


def train_own_model(base: LabelledFlows, baseline: Baseline, champion: Scorer | None, out: Path) -> OwnModel:
    """Fit, find the threshold on the baseline's later flows, evaluate, and write the package.

    Args:
        base: labelled flows, attacks among them.
        baseline: the operator's own benign flows, of the same dialect.
        champion: the model that serves, for comparison.
        out: the package; what is there is replaced.

    Raises:
        OSError: the package cannot be written.
        ValueError: dialects differ, the base set has no benign flow or no attack, or no threshold flags as
            few flows of the baseline as wanted.
    """
    _check(base, baseline)
    flows = joined(base, baseline)
    pipeline = fitted(flows, np.ones(len(flows), np.bool_))
    scorer = Scorer(compile_pipeline(pipeline), draft_record(flows, pipeline))
    scores = scorer.score(baseline.held).p_attack
    threshold = lowest_threshold(scores, floor(BENIGN_SHARE * len(scores)))
    logger.info("threshold %.6f", threshold)
    train = np.concatenate([time_ordered(base.codes, TRAIN_SHARE), np.ones(len(baseline.train), np.bool_)])
    evaluation = evaluated(flows, train, threshold)
    flagged = float((scores >= threshold).mean())
    figures = {f"{SPLIT}/{name}": value for name, value in evaluation.metrics().items()}
    record = scorer.record.model_copy(
        update={"threshold": threshold, "figures": figures | {"baseline/benign flagged": flagged}}
    )
    comparable = champion is not None and not champion.missing(baseline.held.feature_names)
    own = OwnModel(
        record=record,
        evaluation=evaluation,
        held=len(baseline.held),
        flagged=flagged,
        champion_flagged=(
            float(champion.score(baseline.held).is_attack.mean()) if champion and comparable else None
        ),
    )
    write_model(pipeline, flows, record, _card(own, base, baseline), out)
    return own


def _check(base: LabelledFlows, baseline: Baseline) -> None:
    if baseline.held.dialect != base.dialect:
        raise ValueError(
            f"the baseline was measured in dialect {baseline.held.dialect}, the base set in {base.dialect}: "
            "measure both alike"
        )
    if not (base.codes == 0).any() or not (base.codes != 0).any():
        raise ValueError("the base set needs benign flows and attacks")


def _card(own: OwnModel, base: LabelledFlows, baseline: Baseline) -> str:
    repeated = base.dropped.get(DUPLICATE, 0)
    parts = [
        "# Model card: a model with a baseline of its own",
        paragraph(
            f"""{own.record.description}. `ml-ids train` made the model and wrote this card from what it
            measured: {makers()}."""
        ),
        what_it_is(own.record),
        "## Operating threshold",
        paragraph(
            f"""The threshold is the lowest of six digits that flags at most {BENIGN_SHARE:.1%} of the
            {own.held:,} latest flows of the baseline, which the model was not fitted on: it flags
            {own.flagged:.3%} of them."""
            + (
                ""
                if own.champion_flagged is None
                else f" The model that served before flags {own.champion_flagged:.3%} at its own threshold."
            )
        ),
        "## Limits",
        bullets(
            [
                "The baseline is taken to be benign: attacks in it taught the model to pass such attacks by.",
                """What it finds on other networks, and of attacks that the base set does not have, was not
                measured.""",
            ]
        ),
        "## Data",
        paragraph(
            f"""The base set: {base.rows_read:,} flows, of which {repeated:,} repeat an earlier one in all
            {len(base.names)} features and the class and were dropped. The baseline: {baseline.flows:,}
            flows of the operator's own traffic, {baseline.insufficient:,} of them insufficient;
            {len(baseline.train):,} were taken for training, as benign."""
        ),
        class_counts(base.codes),
        *split_section(f"{SPLIT} of the base set", own.evaluation),
    ]
    return "\n\n".join(parts) + "\n"
