"""Features that follow from others: what a file need not hold."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Columns = Mapping[str, Floats]
SECOND: Final = 1e6


def _share(part: Floats, whole: Floats, otherwise: float = 0.0) -> Floats:
    """Return part / whole, `otherwise` where there is no whole."""
    found: Floats = np.divide(part, whole, out=np.full(len(part), otherwise), where=whole != 0)
    return found


def _packets(found: Columns) -> Floats:
    return found["tot_fwd_pkts"] + found["tot_bwd_pkts"]


def _payload(found: Columns) -> Floats:
    return found["totlen_fwd_pkts"] + found["totlen_bwd_pkts"]


def _raw_rate(amount: Floats, found: Columns) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore"):
        rate: Floats = amount / (found["flow_duration"] / SECOND)
    return rate


def _rate(amount: Floats, found: Columns) -> Floats:
    return _share(amount, found["flow_duration"] / SECOND)


def _mean_gap(total: Floats, packets: Floats, otherwise: float = 0.0) -> Floats:
    return _share(total, np.maximum(packets - 1, 0), otherwise)


def _forward_mean(found: Columns) -> Floats:
    return _share(found["totlen_fwd_pkts"], found["tot_fwd_pkts"])


def _backward_mean(found: Columns) -> Floats:
    return _share(found["totlen_bwd_pkts"], found["tot_bwd_pkts"])


def _mean(found: Columns) -> Floats:
    return _share(_payload(found), _packets(found))


DERIVED: Final[Mapping[str, Callable[[Columns], Floats]]] = {
    "flow_byts_s": lambda found: _raw_rate(_payload(found), found),
    "flow_pkts_s": lambda found: _raw_rate(_packets(found), found),
    "fwd_pkts_s": lambda found: _rate(found["tot_fwd_pkts"], found),
    "bwd_pkts_s": lambda found: _rate(found["tot_bwd_pkts"], found),
    "flow_iat_mean": lambda found: _mean_gap(found["flow_duration"], _packets(found), np.nan),
    "fwd_iat_mean": lambda found: _mean_gap(found["fwd_iat_tot"], found["tot_fwd_pkts"]),
    "bwd_iat_mean": lambda found: _mean_gap(found["bwd_iat_tot"], found["tot_bwd_pkts"]),
    "fwd_pkt_len_mean": _forward_mean,
    "bwd_pkt_len_mean": _backward_mean,
    "fwd_seg_size_avg": _forward_mean,
    "bwd_seg_size_avg": _backward_mean,
    "pkt_len_mean": _mean,
    "pkt_size_avg": _mean,
}
"""Features of `improved` by their formulas over others, whole numbers all."""


def follows(name: str, found: Columns) -> bool:
    """Whether a feature's n values are those that its formula gives, as far as float32 tells."""
    if name not in DERIVED:
        return False
    try:
        expected = DERIVED[name](found)
    except KeyError:
        return False
    return bool(np.allclose(found[name], expected, rtol=_ROUNDING, atol=0, equal_nan=True))


_ROUNDING: Final = float(np.finfo(np.float32).eps) / 2
