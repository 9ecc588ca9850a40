"""Where a dialect's features depart from the schema's formulas, as data.

The formulas are those of the dialect `improved`. What changes a flow itself, such as where it ends, is in
`flows.dialects`: it changes every feature of the flow and none by itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final, Literal

from flows.schema import BY_NAME, COMMON_NAMES

Evidence = Literal["rows", "data"]
"""How it is known: rows of the original tool for the same packets (docs/parity.md), or rows that
the authors of a data set published."""


@dataclass(frozen=True, slots=True)
class Difference:
    """What dialects make of some features instead of their formula.

    Attributes:
        dialects: which do so.
        features: canonical names.
        text: the formula there, or what is added to it.
        evidence: how it is known.
    """

    dialects: tuple[str, ...]
    features: tuple[str, ...]
    text: str
    evidence: Evidence = "rows"


_2017: Final = ("cic-2017",)
_2018: Final = ("cic-2017", "cic-2018")
_V4: Final = ("cic-v4",)
_ORIGINAL: Final = ("cic-2017", "cic-2018", "cic-v4")
_2024: Final = ("improved-2024",)


def _named(*parts: str) -> tuple[str, ...]:
    return tuple(name for name in COMMON_NAMES if any(part in name for part in parts))


def _flags() -> Iterator[Difference]:
    columns = ("fin", "syn", "rst", "psh", "ack", "urg", "cwe", "ece")
    held = ("RST", "PSH", "ECE", "SYN", "ACK", "FIN", "URG", "CWR")
    for column, flag in zip(columns, held, strict=True):
        name = "cwe_flag_count" if column == "cwe" else f"{column}_flag_cnt"
        yield Difference(
            _2018, (name,), f"1 when the first packet has {flag}, else 0: the columns are mixed up"
        )
    for name, flag in (("fwd_psh_flags", "PSH"), ("fwd_urg_flags", "URG")):
        yield Difference(_ORIGINAL, (name,), f"1 when the first packet has {flag}, else 0")
    yield Difference(_ORIGINAL, ("bwd_psh_flags", "bwd_urg_flags"), "always 0")


def _bulks_and_subflows() -> Iterator[Difference]:
    fwd, bwd = _named("fwd_byts_b", "fwd_pkts_b", "fwd_blk"), _named("bwd_byts_b", "bwd_pkts_b", "bwd_blk")
    yield Difference(_2018, fwd + bwd, "always 0")
    yield Difference(_V4, fwd, "always 0: every packet is taken for a backward one")
    yield Difference(_V4, bwd, "over the packets of both directions")
    yield Difference(_2024, fwd + bwd, "not truncated")
    subflow = _named("subflow_")
    yield Difference(_2018, subflow, "the flow's total: every flow is one subflow")
    yield Difference(_V4, subflow, "total // gaps between packets over 1 s, 0 without one")
    yield Difference(_2024, subflow, "total / gaps between packets over 1 s, 0 without one")


def _lengths_and_headers() -> Iterator[Difference]:
    padded = _named("totlen_", "pkt_len_", "pkt_size_avg", "seg_size_avg", "flow_byts_s", "act_data")
    yield Difference(
        _2017,
        (*padded, "subflow_fwd_byts", "subflow_bwd_byts"),
        "payload goes to the end of the frame: Ethernet padding counts",
        "data",
    )
    twice = ("pkt_len_mean", "pkt_len_std", "pkt_len_var")
    yield Difference(_ORIGINAL, twice, "the first packet's length counts twice")
    yield Difference(_ORIGINAL, ("pkt_size_avg",), "the first packet's length counts twice, the packet once")
    yield Difference(
        _2017,
        ("fwd_header_len", "bwd_header_len", "fwd_seg_size_min"),
        "a UDP header is as long as the header of the last TCP packet of the capture",
        "data",
    )


def _windows_and_data() -> Iterator[Difference]:
    yield Difference(_2018, ("init_fwd_win_byts",), "-1 for what is not TCP")
    yield Difference(_2018, ("init_bwd_win_byts",), "-1 for what is not TCP, and without a backward packet")
    yield Difference(_2024, ("init_bwd_win_byts",), "the first backward window that is not 0")
    yield Difference(_2024, ("fwd_act_data_pkts",), "the first packet included")


def _times_and_rates() -> Iterator[Difference]:
    yield Difference(_2024, ("flow_byts_s", "flow_pkts_s"), "-1 when the duration is 0")
    yield Difference(_2024, _named("flow_iat_"), "0 for one packet")
    yield Difference(_ORIGINAL, ("down_up_ratio",), "integer division")
    yield Difference(
        _2018, _named("active_", "idle_"), "the gap before the FIN that ends the flow does not count"
    )


DIFFERENCES: Final[tuple[Difference, ...]] = (
    *_lengths_and_headers(),
    *_times_and_rates(),
    *_flags(),
    *_bulks_and_subflows(),
    *_windows_and_data(),
)


def differences_of(feature: str) -> tuple[Difference, ...]:
    """Return the differences of a feature, by its canonical name.

    Raises:
        KeyError: there is no such feature.
    """
    return tuple(found for found in DIFFERENCES if BY_NAME[feature].name in found.features)


def differing(dialect: str) -> frozenset[str]:
    """Return the features that a dialect computes otherwise than their formula says."""
    return frozenset(_names(found for found in DIFFERENCES if dialect in found.dialects))


def _names(differences: Iterable[Difference]) -> Iterator[str]:
    for difference in differences:
        yield from difference.features
