"""Why a model cannot judge captured flows."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

from detection.scorer import Scorer


@dataclass(frozen=True, slots=True)
class Refusal:
    """A model cannot judge captured flows.

    Attributes:
        reason: what does not fit.
        message: the same for a person, naming the model, and the dialects or the features.
    """

    reason: Literal["dialect", "features"]
    message: str


def refusal(
    scorer: Scorer, dialect: str, feature_names: tuple[str, ...], *, also_scored: Collection[str] = ()
) -> Refusal | None:
    """Return why flows of this dialect and these features get no verdict of a model, None when they do.

    Args:
        scorer: the model.
        dialect: that measured the flows.
        feature_names: that it measured.
        also_scored: dialects whose flows are scored although the model was trained on another's.
    """
    model = f"model {scorer.model_name} version {scorer.model_version}"
    if dialect != scorer.record.dialect and dialect not in also_scored:
        reads = f"reads dialect {scorer.record.dialect}, the sensor measures {dialect}"
        return Refusal("dialect", f"{model} {reads}")
    if missing := scorer.missing(feature_names):
        reads = f"reads features the sensor does not measure: {', '.join(missing)}"
        return Refusal("features", f"{model} {reads}")
    return None
