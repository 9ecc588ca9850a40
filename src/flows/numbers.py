"""Numbers as JSON and its users write them."""

from __future__ import annotations

import math
from typing import Final

_SYMBOLS: Final = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


def number(value: object) -> float | None:
    """Return a number, or one of the texts NaN, Infinity and -Infinity, as float; None for all else."""
    if type(value) is float:
        return value
    if isinstance(value, str):
        return _SYMBOLS.get(value)
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        try:
            return float(value)
        except OverflowError:
            return None
    return None


def same(first: object, second: object) -> bool:
    """Say whether two values of one feature are one value."""
    numbers = number(first), number(second)
    if numbers[0] is None or numbers[1] is None:
        return type(first) is type(second) and first == second
    return numbers[0] == numbers[1] or (math.isnan(numbers[0]) and math.isnan(numbers[1]))
