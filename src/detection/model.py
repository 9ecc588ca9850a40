"""What can score: compiled arrays, CatBoost's applier, or an estimator as it was pickled."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray


class Model(Protocol):
    """A loaded model; its methods may be called from several threads."""

    @property
    def features(self) -> int:
        """F, how many features a row has."""

    @property
    def classes(self) -> int:
        """C, how many classes the model knows."""

    @property
    def takes_nan(self) -> bool:
        """Whether rows may hold NaN; they never hold infinities."""

    def probabilities(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return n x C class probabilities of n x F preprocessed rows.

        Raises:
            ValueError: the rows do not have F columns.
        """


def check_width(rows: NDArray[np.float64], features: int) -> None:
    """Check that rows are n x F.

    Raises:
        ValueError: they are not.
    """
    if rows.ndim != 2 or rows.shape[1] != features:
        raise ValueError(f"rows: must be n x {features}, are {' x '.join(str(size) for size in rows.shape)}")
