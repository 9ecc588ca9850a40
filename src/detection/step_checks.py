"""What every step of a compiled model is checked for: its arrays' shapes, kinds and values."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def check_shapes(step: Any, **shapes: tuple[int, ...]) -> None:
    """Check a step's arrays against its `dtypes`.

    Raises:
        ValueError: an array has another shape or type; names it.
    """
    for field, dtype in zip(fields(step), step.dtypes, strict=True):
        array: NDArray[Any] = getattr(step, field.name)
        if array.shape != shapes[field.name] or array.dtype != np.dtype(dtype):
            raise ValueError(
                f"{field.name}: is {array.dtype} {array.shape}, not {np.dtype(dtype)} {shapes[field.name]}"
            )


def check_finite(step: Any, *names: str) -> None:
    """Check that arrays hold finite numbers.

    Raises:
        ValueError: one does not; names it.
    """
    for name in names:
        if not np.isfinite(getattr(step, name)).all():
            raise ValueError(f"{name}: holds values that are not finite")
