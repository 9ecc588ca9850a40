"""The card of a model that `ml-ids train` made."""

from __future__ import annotations

from typing import TYPE_CHECKING

from training.baseline import Baseline
from training.card_parts import class_counts, split_section, what_it_is
from training.dataset import LabelledFlows
from training.markdown import bullets, paragraph
from training.recipe import BENIGN_SHARE, makers

if TYPE_CHECKING:
    from training.train import Trained


def card(trained: Trained, base: LabelledFlows, baseline: Baseline | None) -> str:
    """Return the card's text."""
    params = ", ".join(f"{name} {value}" for name, value in trained.recipe.params.items())
    parts = [
        "# Model card: " + trained.recipe.kind.title,
        paragraph(
            f"""{trained.record.description}. `ml-ids train --estimator {trained.recipe.kind.name}` made the
            model and wrote this card from what it measured: {makers(trained.recipe.seed)}; parameters:
            {params or "the default ones"}."""
        ),
        what_it_is(trained.record),
        "## Operating threshold",
        paragraph(_threshold(trained, baseline)),
        "## Limits",
        bullets(_limits(trained, baseline)),
        "## Data",
        paragraph(_data(base, baseline)),
        class_counts(base.codes),
        *split_section(f"{trained.split} of the base set", trained.evaluation),
    ]
    return "\n\n".join(parts) + "\n"


def _threshold(trained: Trained, baseline: Baseline | None) -> str:
    whose = (
        f"{trained.held:,} benign flows that the {trained.split} held out, as another model of the same make "
        "sees them"
        if baseline is None
        else f"{trained.held:,} latest flows of the baseline, which the model was not fitted on"
    )
    if trained.flagged > BENIGN_SHARE:
        return (
            f"No threshold flags at most {BENIGN_SHARE:.1%} of the {whose}: the model is sure that more are "
            f"attacks. At the threshold, 1, {trained.flagged:.3%} of them are flagged."
        )
    text = (
        f"The threshold is the lowest of six digits that flags at most {BENIGN_SHARE:.1%} of the {whose}: "
        f"{trained.flagged:.3%} of them are flagged."
    )
    if trained.champion_flagged is not None:
        text += f" The model that served before flags {trained.champion_flagged:.3%} at its own threshold."
    return text


def _limits(trained: Trained, baseline: Baseline | None) -> list[str]:
    limits = [
        """What it finds on other networks, and of attacks that the base set does not have, was not
        measured."""
    ]
    if baseline is not None:
        limits.insert(
            0, "The baseline is taken to be benign: attacks in it taught the model to pass such attacks by."
        )
    if trained.recipe.kind.novelty:
        limits.append(
            """It was fitted on benign flows only and tells no attacks apart; what it gives as a probability
            is an order of how unlike benign flows are, not a chance."""
        )
    if trained.recipe.kind.most_rows is not None:
        limits.append(
            f"""It compares each flow with up to {trained.recipe.kind.most_rows:,} stored ones: some thousand
            flows a second, without explanations."""
        )
    return limits


def _data(base: LabelledFlows, baseline: Baseline | None) -> str:
    dropped = ", ".join(f"{count:,} {reason}" for reason, count in base.dropped.items()) or "none"
    text = f"The base set: {base.rows_read:,} rows read, of which were dropped: {dropped}."
    if baseline is not None:
        text += (
            f" The baseline: {baseline.flows:,} flows of the operator's own traffic, "
            f"{baseline.insufficient:,} of them insufficient; {len(baseline.train):,} were taken for "
            "training, as benign."
        )
    return text
