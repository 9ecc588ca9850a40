"""How figures are written: short, grouped, with their unit."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Final

NOTHING: Final = "\N{EN DASH}"
PREFIXES: Final = ("", "k", "M", "G", "T", "P")


def count(value: float) -> str:
    """Return a whole number with its thousands apart."""
    return f"{value:,.0f}"


def rate(value: float) -> str:
    """Return a rate a second, with a decimal where it is small."""
    if 0 < value < 0.05:
        return "<0.1"
    return f"{value:.1f}" if 0 < value < 10 else count(value)


def size(value: float) -> str:
    """Return bytes in the prefix that leaves at most three digits before the point."""
    step = 0 if value < 1000 else min(int(math.log10(value) / 3), len(PREFIXES) - 1)
    scaled = value / 1000**step
    return (
        f"{scaled:.0f} {PREFIXES[step]}B" if step == 0 or scaled >= 100 else f"{scaled:.1f} {PREFIXES[step]}B"
    )


def duration(seconds: float) -> str:
    """Return a span of time in its largest two units."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    units = ((86_400, "d"), (3600, "h"), (60, "min"), (1, "s"))
    for place, (length, name) in enumerate(units):
        if seconds >= length:
            whole, rest = divmod(int(seconds), length)
            smaller = units[place + 1 : place + 2]
            more = rest // smaller[0][0] if smaller else 0
            return f"{whole} {name} {more} {smaller[0][1]}" if more else f"{whole} {name}"
    return "0 s"


def percent(share: float | None) -> str:
    """Return a share of one as a percentage."""
    if share is None or math.isnan(share):
        return NOTHING
    return f"{share:.1%}"


FILTERS: Final[dict[str, Callable[[Any], str]]] = {
    "count": count,
    "rate": rate,
    "size": size,
    "duration": duration,
    "percent": percent,
}
