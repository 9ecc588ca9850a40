"""Flows that a model was most certain about, and wrong."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from detection.preprocess import clean
from training.dataset import LabelledFlows
from training.recipe import PREPROCESSING

PAIRS: Final = 12
EACH: Final = 3
FEATURES: Final = 3


@dataclass(frozen=True, slots=True)
class Sample:
    """A misclassified flow: which row of the set, how certain the model was, and what is odd about it.

    Attributes:
        row: its number in the set, in the order of start.
        p_given: the probability of the label that it was given.
        unlike: the features in which it is farthest from its class, in spans between the class's quartiles.
    """

    row: int
    p_given: float
    unlike: dict[str, float]


@dataclass(frozen=True, slots=True)
class Mistake:
    """Flows of one class that were given one other label."""

    code: int
    given: int
    rows: int
    of_class: int
    samples: tuple[Sample, ...]


def mistakes(
    flows: LabelledFlows,
    tested: NDArray[np.int64],
    probabilities: NDArray[np.float64],
    classes: tuple[int, ...],
) -> tuple[Mistake, ...]:
    """Return what was taken for what, most often first, with the flows the model was most certain about.

    Args:
        flows: the whole set.
        tested: numbers of the n test rows.
        probabilities: n x C.
        classes: the columns' codes.
    """
    given = np.array(classes, np.int32)[probabilities.argmax(axis=1)]
    certain = probabilities.max(axis=1)
    codes = flows.codes[tested]
    wrong = np.flatnonzero(given != codes)
    pairs, counts = np.unique(np.column_stack([codes[wrong], given[wrong]]), axis=0, return_counts=True)
    found = []
    for index in np.argsort(-counts, kind="stable")[:PAIRS].tolist():
        code, label = pairs[index].tolist()
        rows = wrong[(codes[wrong] == code) & (given[wrong] == label)]
        surest = rows[np.argsort(-certain[rows], kind="stable")[:EACH]]
        samples = tuple(
            Sample(int(tested[row]), float(certain[row]), _unlike(flows, int(tested[row]), code))
            for row in surest.tolist()
        )
        found.append(Mistake(code, label, int(counts[index]), int((codes == code).sum()), samples))
    return tuple(found)


def _unlike(flows: LabelledFlows, row: int, code: int) -> dict[str, float]:
    of_class = clean(flows.features[flows.codes == code], PREPROCESSING)
    low, middle, high = np.quantile(of_class, (0.25, 0.5, 0.75), axis=0)
    span = np.where(high > low, high - low, np.maximum(np.abs(middle), 1.0))
    distance = (clean(flows.features[row], PREPROCESSING) - middle) / span
    farthest = np.argsort(-np.abs(distance), kind="stable")[:FEATURES]
    return {flows.names[index]: float(distance[index]) for index in farthest.tolist()}
