"""The one preprocessing, for training, evaluation and serving alike."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from detection.record import Preprocessing


def clean(features: NDArray[np.float64], rules: Preprocessing) -> NDArray[np.float64]:
    """Return a copy of raw features in which NaN, infinities and values out of range are replaced.

    It is finite unless the rules leave NaN to the model.

    Args:
        features: any shape, as the dialect measured them.
        rules: the model's own.
    """
    cleaned = np.minimum(np.maximum(features, rules.minimum), rules.maximum)
    # Both bounds pass NaN on, and turn infinities into the bounds.
    if rules.nan is not None:
        cleaned[np.isnan(features)] = rules.nan
    cleaned[np.isposinf(features)] = rules.infinity
    return cleaned
