"""A model on real captures: its operating threshold, and what it finds at it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePath

import numpy as np
from numpy.typing import NDArray

from detection.calibration import lowest_threshold
from detection.scorer import Scorer
from flows.table import FlowTable
from training.capture_set import Capture


@dataclass(frozen=True, slots=True)
class CaptureScores:
    """A capture as a model sees it.

    Attributes:
        name: the capture file's name.
        p_attack: float64, ascending; 1 - P(benign) of the flows that could be scored.
        insufficient: how many flows could not.
    """

    name: str
    p_attack: NDArray[np.float64]
    insufficient: int

    @property
    def flows(self) -> int:
        """All flows of the capture."""
        return len(self.p_attack) + self.insufficient

    def flagged(self, threshold: float) -> int:
        """How many flows are at or above a threshold."""
        return int(np.sum(self.p_attack >= threshold))


@dataclass(frozen=True, slots=True)
class CaptureFigures:
    """What is flagged in a group of captures at one threshold.

    Attributes:
        captures: how many captures have flows.
        flows, scored, flagged: how many flows there are, could be scored, and are flagged.
        mean_share: the mean over captures of the flagged share of all their flows.
        found: captures with at least one flagged flow.
    """

    captures: int
    flows: int
    scored: int
    flagged: int
    mean_share: float
    found: int

    @property
    def insufficient(self) -> int:
        """How many flows could not be scored."""
        return self.flows - self.scored

    @property
    def share(self) -> float:
        """The flagged share of all flows."""
        return self.flagged / self.flows if self.flows else 0.0

    @property
    def scored_share(self) -> float:
        """The flagged share of the flows that could be scored."""
        return self.flagged / self.scored if self.scored else 0.0

    def metrics(self) -> dict[str, float]:
        """Return the shares by name, as MLflow allows metrics to be named."""
        return {
            "flagged of all flows": self.share,
            "flagged of scored flows": self.scored_share,
            "mean flagged over captures": self.mean_share,
            "insufficient": self.insufficient / self.flows if self.flows else 0.0,
        }


def score_captures(captures: Sequence[Capture], scorer: Scorer) -> tuple[CaptureScores, ...]:
    """Score captures that were metered with the features and the dialect that the model reads."""
    return tuple(_scored(capture, scorer) for capture in captures)


def _scored(capture: Capture, scorer: Scorer) -> CaptureScores:
    record = scorer.record
    verdicts = scorer.score(FlowTable.from_features(capture.features, record.features, record.dialect))
    scored = np.sort(verdicts.p_attack[~verdicts.insufficient])
    return CaptureScores(PurePath(capture.entry.file).name, scored, int(verdicts.insufficient.sum()))


def operating_threshold(benign: Sequence[CaptureScores], share: float) -> float:
    """Return the lowest threshold of 6 digits that flags at most `share` of the scored benign flows.

    Raises:
        ValueError: no threshold up to 1 does.
    """
    scores = np.concatenate([capture.p_attack for capture in benign])
    return lowest_threshold(scores, math.floor(share * len(scores)))


def figures(captures: Sequence[CaptureScores], threshold: float) -> CaptureFigures:
    """Return what is flagged in captures at a threshold."""
    flagged = [capture.flagged(threshold) for capture in captures]
    shares = [count / capture.flows for count, capture in zip(flagged, captures, strict=True)]
    return CaptureFigures(
        captures=len(captures),
        flows=sum(capture.flows for capture in captures),
        scored=sum(len(capture.p_attack) for capture in captures),
        flagged=sum(flagged),
        mean_share=float(np.mean(shares)),
        found=sum(count > 0 for count in flagged),
    )
