"""Units: converting what other meters measure, and noticing what was not converted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from flows.dialects import PYTHON
from flows.schema import BY_NAME
from flows.table import FlowTable

FAR: Final = 1e3
"""How far two measures of one thing may be apart; units differ by 10^6, meters by less than 10."""


def to_schema_units(features: NDArray[np.float64], names: Sequence[str], dialect: str) -> None:
    """Convert an n x F matrix from a dialect's units to the schema's, in place.

    PyPI cicflowmeter gives in seconds what the schema has in microseconds. Features that are not of the
    schema stay as they are.
    """
    if dialect == PYTHON:
        features[:, [name in BY_NAME and BY_NAME[name].seconds_in_python for name in names]] *= 1e6


def unit_warnings(table: FlowTable) -> list[str]:
    """Say where durations, inter-arrival times and rates contradict each other by orders of magnitude."""
    packets = _column(table, "tot_fwd_pkts") + _column(table, "tot_bwd_pkts")
    octets = _column(table, "totlen_fwd_pkts") + _column(table, "totlen_bwd_pkts")
    duration = _column(table, "flow_duration")
    with np.errstate(all="ignore"):
        factors = {
            "flow_pkts_s": _factor(_column(table, "flow_pkts_s") * duration / 1e6, packets),
            "flow_byts_s": _factor(_column(table, "flow_byts_s") * duration / 1e6, octets),
            "flow_iat_mean": _factor(duration, _column(table, "flow_iat_mean") * (packets - 1)),
        }
    far = {name: factor > FAR for name, factor in factors.items()}
    found = [name for name, rows in far.items() if rows.any()]
    if not found:
        return []
    apart = float(factors[found[0]][far[found[0]]][0])
    rows = int(np.logical_or.reduce([far[name] for name in found]).sum())
    return [
        f"flow_duration contradicts {' and '.join(found)} by a factor of {apart:.0e} "
        f"in {rows} of {len(table)} flows: {_fix(table.dialect)}"
    ]


def _factor(one: NDArray[np.float64], other: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return how many times the larger is the smaller, 1 where they cannot be compared."""
    comparable = np.isfinite(one) & np.isfinite(other) & (one > 0) & (other > 0)
    return np.where(comparable, np.maximum(one / other, other / one), 1.0)


def _column(table: FlowTable, name: str) -> NDArray[np.float64]:
    return table.column(name) if name in table.feature_names else np.full(len(table), np.nan)


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
