"""The one preprocessing, for training, evaluation and serving alike."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from detection.record import Preprocessing
from flows.jit import kernel

Floats = NDArray[np.float64]


def clean(features: Floats, rules: Preprocessing) -> Floats:
    """Return a copy of raw features: NaN, infinities and values out of range are replaced.

    It is finite, unless the rules keep NaN.

    Args:
        features: any shape, as the dialect measured them.
        rules: the model's own.
    """
    values = np.array(features, np.float64, order="C")
    nan = math.nan if rules.nan is None else rules.nan
    _clean(values.reshape(-1), nan, rules.infinity, rules.minimum, rules.maximum)
    return values


@kernel
def _clean(values: Floats, nan: float, infinity: float, minimum: float, maximum: float) -> None:
    for k in range(values.shape[0]):
        value = values[k]
        kept = minimum if value < minimum else value
        kept = maximum if kept > maximum else kept
        kept = infinity if value == np.inf else kept
        values[k] = nan if value != value else kept
