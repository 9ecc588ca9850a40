"""Units: converting what other meters measure, and noticing what was not converted."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from flows.dialects import PYTHON
from flows.schema import BY_NAME
from flows.table import FlowTable

FAR: Final = 1e3
"""How far two measures of one thing may be apart; units differ by 10^6, meters by less than 10."""


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
    factors = _factors(table)
    far = factors > FAR
    if not far.any():
        return []
    found = np.flatnonzero(far.any(axis=1))
    apart = float(factors[found[0]][far[found[0]]][0])
    rows = int(far.any(axis=0).sum())
    return [
        f"flow_duration contradicts {' and '.join(_CONTRADICTED[at] for at in found)} by a factor of "
        f"{apart:.0e} in {rows} of {len(table)} flows: {_fix(table.dialect)}"
    ]


def _factors(table: FlowTable) -> NDArray[np.float64]:
    """Return 3 x n: how many times each measure is another of the same thing, 1 where neither is known."""
    forward, backward, sent, received, duration, packet_rate, byte_rate, gap = _measures(table)
    packets = forward + backward
    with np.errstate(all="ignore"):
        ones = np.stack((packet_rate * duration / 1e6, byte_rate * duration / 1e6, duration))
        others = np.stack((packets, sent + received, gap * (packets - 1)))
        comparable = np.isfinite(ones) & np.isfinite(others) & (ones > 0) & (others > 0)
        return np.where(comparable, np.maximum(ones / others, others / ones), 1.0)


def _measures(table: FlowTable) -> NDArray[np.float64]:
    """Return 8 x n: what is compared, NaN where the table has it not."""
    where = _positions(table.feature_names)
    measures: NDArray[np.float64] = table.features.T[where]
    measures[where < 0] = np.nan
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
