"""Units: converting what other meters measure, and noticing what was not converted."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from math import inf
from typing import Final

import numpy as np
from numpy.typing import NDArray

from flows.dialects import PYTHON
from flows.schema import BY_NAME
from flows.table import FlowTable

FAR: Final = 1e3
"""How far two measures of one thing may be apart; units differ by 10^6, meters by less than 10."""
FEW_ROWS: Final = 32
"""Up to here rows are faster one by one than as arrays."""


_CONTRADICTED: Final = ("flow_pkts_s", "flow_byts_s", "flow_iat_mean")
_COMPARED: Final = (
    *("tot_fwd_pkts", "tot_bwd_pkts", "totlen_fwd_pkts", "totlen_bwd_pkts", "flow_duration"),
    *_CONTRADICTED,
)


def to_schema_units(features: NDArray[np.float64], names: Sequence[str], dialect: str) -> None:
    """Convert an n x F matrix from a dialect's units to the schema's, in place.

    PyPI cicflowmeter gives in seconds what the schema has in microseconds. Features that are not of the
    schema stay as they are.
    """
    if dialect == PYTHON:
        features[:, [name in BY_NAME and BY_NAME[name].seconds_in_python for name in names]] *= 1e6


def unit_warnings(table: FlowTable) -> list[str]:
    """Say where durations, inter-arrival times and rates contradict each other by orders of magnitude."""
    measures = _measures(table)
    apart, rows = (_apart if len(table) <= FEW_ROWS else _many_apart)(measures)
    if not apart:
        return []
    named = [name for name in _CONTRADICTED if name in apart]
    return [
        f"flow_duration contradicts {' and '.join(named)} by a factor of {apart[named[0]]:.0e} "
        f"in {rows} of {len(table)} flows: {_fix(table.dialect)}"
    ]


def _apart(measures: NDArray[np.float64]) -> tuple[dict[str, float], int]:
    """Return what is contradicted, how many times in the first such row, and in how many rows any is."""
    apart: dict[str, float] = {}
    rows = 0
    for row in measures.tolist():
        if far := _contradicted(*row):
            rows += 1
            for name, factor in far.items():
                apart.setdefault(name, factor)
    return apart, rows


def _many_apart(measures: NDArray[np.float64]) -> tuple[dict[str, float], int]:
    """Return the same."""
    forward, backward, sent, received, duration, packet_rate, byte_rate, gap = measures.T
    apart: dict[str, float] = {}
    found = np.zeros(len(measures), np.bool_)
    with np.errstate(all="ignore"):
        packets, seconds = forward + backward, duration / 1e6
        pairs = (
            (packet_rate * seconds, packets),
            (byte_rate * seconds, sent + received),
            (duration, gap * (packets - 1)),
        )
        for name, (one, other) in zip(_CONTRADICTED, pairs, strict=True):
            known = (one > 0) & (one < inf) & (other > 0) & (other < inf)
            far = known & ~((other / FAR <= one) & (one <= other * FAR))
            if far.any():
                first = int(far.argmax())
                apart[name] = float(max(one[first] / other[first], other[first] / one[first]))
                found |= far
    return apart, int(found.sum())


def _contradicted(
    forward: float,
    backward: float,
    sent: float,
    received: float,
    duration: float,
    packet_rate: float,
    byte_rate: float,
    gap: float,
) -> dict[str, float]:
    """Return what flow_duration contradicts, and how many times; measures that are not known are NaN."""
    packets = forward + backward
    seconds = duration / 1e6
    pairs = (
        (packet_rate * seconds, packets),
        (byte_rate * seconds, sent + received),
        (duration, gap * (packets - 1)),
    )
    return {
        name: max(one / other, other / one)
        for name, (one, other) in zip(_CONTRADICTED, pairs, strict=True)
        # Comparisons with NaN are false.
        if 0 < one < inf and 0 < other < inf and not other / FAR <= one <= other * FAR
    }


def _measures(table: FlowTable) -> NDArray[np.float64]:
    """Return n rows of the 8 measures that are compared, NaN where the table has them not."""
    where = _positions(table.feature_names)
    measures: NDArray[np.float64] = table.features[:, where]
    measures[:, where < 0] = np.nan
    return measures


@lru_cache(maxsize=64)
def _positions(names: tuple[str, ...]) -> NDArray[np.intp]:
    return np.array([names.index(name) if name in names else -1 for name in _COMPARED], np.intp)


def _fix(dialect: str) -> str:
    if dialect == PYTHON:
        return (
            f"dialect {PYTHON} has its times in seconds; if these are microseconds already, "
            "leave the dialect out (X-Flow-Dialect)"
        )
    return (
        "times must be in microseconds; if PyPI cicflowmeter measured these flows, "
        f"say so (X-Flow-Dialect: {PYTHON})"
    )
