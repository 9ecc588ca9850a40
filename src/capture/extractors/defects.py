"""What PyPI cicflowmeter is known to measure differently from the tool that made the training sets."""

from __future__ import annotations

from typing import Final

DEFECTS: Final = (
    "every length is that of the frame, Ethernet and IP headers and padding included, not of the payload",
    "header lengths are those of the IP header, not of TCP",
    "deviations and variances divide by n, not by n - 1; a single gap or idle time counts as none",
    "cwr_flag_count is a copy of fwd_urg_flags; subflow_* are copies of the totals",
    "a flow ends when it lasted 90 s or was silent for 240 s, not at FIN or RST: a five-tuple that is used "
    "again goes on with the old flow, and an attack is judged minutes later",
    "TCP and UDP between the same ports are one flow; VLAN, IPv6 and ICMP are not seen at all",
    "it reads some 1,700 packets a second and keeps every packet of its open flows in memory",
)
"""Those of both releases."""

RELEASE_DEFECTS: Final = {
    "0.2.0": (
        "active and idle times mix a gap with a sum of gaps, with limits of 1 ms and 5 ms: they mean nothing",
    ),
    "0.5.0": (
        "the first packet of every flow is counted twice: one packet, one SYN and a gap of 0 more",
        "active and idle times are always 0",
    ),
}


def known_defects(release: str) -> tuple[str, ...]:
    """Return what a release is known to measure differently."""
    return DEFECTS + RELEASE_DEFECTS[release]


_FRAME: Final = "frame lengths, headers and padding included"
_SPREAD: Final = "divided by n, not n - 1"
_FIRST_TWICE: Final = "the first packet counts twice"
_SINGLE: Final = "a single gap counts as none"
_HEADERS: Final = "IP header instead of TCP's"

_BOTH: Final[dict[str, str]] = {
    **dict.fromkeys(
        (
            *("totlen_fwd_pkts", "totlen_bwd_pkts", "fwd_pkt_len_max", "fwd_pkt_len_min", "fwd_pkt_len_mean"),
            *("bwd_pkt_len_max", "bwd_pkt_len_min", "bwd_pkt_len_mean", "pkt_len_min", "pkt_len_max"),
            *("pkt_len_mean", "pkt_size_avg", "fwd_seg_size_avg", "bwd_seg_size_avg", "flow_byts_s"),
        ),
        _FRAME,
    ),
    **dict.fromkeys(
        ("fwd_pkt_len_std", "bwd_pkt_len_std", "pkt_len_std", "pkt_len_var"), f"{_FRAME}; {_SPREAD}"
    ),
    "flow_iat_std": _SPREAD,
    **dict.fromkeys(("fwd_iat_std", "bwd_iat_std"), f"{_SPREAD}; {_SINGLE}"),
    **dict.fromkeys(
        (
            *("flow_iat_mean", "flow_iat_max", "flow_iat_min", "fwd_iat_tot", "fwd_iat_mean", "fwd_iat_max"),
            *("fwd_iat_min", "bwd_iat_tot", "bwd_iat_mean", "bwd_iat_max", "bwd_iat_min"),
        ),
        _SINGLE,
    ),
    **dict.fromkeys(("fwd_header_len", "bwd_header_len", "fwd_seg_size_min"), _HEADERS),
    "cwe_flag_count": "a copy of fwd_urg_flags",
    **dict.fromkeys(
        ("subflow_fwd_pkts", "subflow_fwd_byts", "subflow_bwd_pkts", "subflow_bwd_byts"),
        "copies of the totals",
    ),
    "flow_pkts_s": "0 when the duration is 0",
    "fwd_act_data_pkts": "padding is payload; the first packet is included",
    **dict.fromkeys(
        (
            *("fwd_byts_b_avg", "fwd_pkts_b_avg", "fwd_blk_rate_avg"),
            *("bwd_byts_b_avg", "bwd_pkts_b_avg", "bwd_blk_rate_avg"),
        ),
        "not truncated to integers; padding is payload",
    ),
}

_ACTIVE_IDLE: Final = tuple(
    f"{kind}_{of}" for kind in ("active", "idle") for of in ("mean", "std", "max", "min")
)
_BY_RELEASE: Final[dict[str, dict[str, str]]] = {
    "0.2.0": dict.fromkeys(_ACTIVE_IDLE, "limits of 1 ms and 5 ms, gaps mixed with sums of gaps"),
    "0.5.0": {
        **dict.fromkeys(_ACTIVE_IDLE, "always 0"),
        **dict.fromkeys(
            (
                *(
                    "tot_fwd_pkts",
                    "fwd_pkts_s",
                    "down_up_ratio",
                    "syn_flag_cnt",
                    "fwd_psh_flags",
                    "fwd_urg_flags",
                ),
                *(
                    "fin_flag_cnt",
                    "rst_flag_cnt",
                    "psh_flag_cnt",
                    "ack_flag_cnt",
                    "urg_flag_cnt",
                    "ece_flag_cnt",
                ),
            ),
            _FIRST_TWICE,
        ),
        **dict.fromkeys(("flow_iat_min", "fwd_iat_min"), f"{_FIRST_TWICE}: a gap of 0"),
        **dict.fromkeys(("flow_iat_mean", "fwd_iat_mean", "flow_pkts_s"), _FIRST_TWICE),
        **dict.fromkeys(("flow_iat_std", "fwd_iat_std"), f"{_SPREAD}; {_FIRST_TWICE}"),
        "init_bwd_win_byts": "the first window that is not 0, instead of the last",
    },
}


def reason(feature: str, release: str) -> str:
    """Return why a release measures a feature of the same packets differently, or nothing."""
    return _BY_RELEASE[release].get(feature) or _BOTH.get(feature, "")
