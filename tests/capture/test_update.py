"""Features of small flows, computed by hand."""

from __future__ import annotations

import numpy as np
import pytest

from flows.table import FlowTable
from helpers.packets import metered, reply, tcp, udp

MS, S = 1000, 1_000_000


def features(table: FlowTable, *names: str) -> list[float]:
    return [float(table.column(name)[0]) for name in names]


def test_one_packet() -> None:
    flow = metered([udp(0, 10)])
    assert features(flow, "flow_duration", "tot_fwd_pkts", "totlen_fwd_pkts", "fwd_pkts_s") == [0, 1, 10, 0]
    assert features(flow, "flow_pkts_s", "flow_byts_s") == [np.inf, np.inf]
    assert np.isnan(features(flow, "flow_iat_mean", "flow_iat_std", "flow_iat_max", "flow_iat_min")).all()
    assert features(flow, "fwd_iat_tot", "fwd_pkt_len_std", "pkt_len_var", "subflow_fwd_pkts") == [0, 0, 0, 1]
    assert features(flow, "fwd_header_len", "fwd_seg_size_min", "init_fwd_win_byts") == [8, 8, 0]


def test_an_empty_datagram_has_no_rate_of_bytes() -> None:
    assert np.isnan(features(metered([udp(0)]), "flow_byts_s")).all()


def test_lengths_and_gaps() -> None:
    flow = metered([tcp(0, "S"), tcp(1 * MS, "PA", 100), reply(4 * MS, "PA", 300), tcp(10 * MS, "A", 50)])
    assert features(flow, "fwd_pkt_len_max", "fwd_pkt_len_min", "fwd_pkt_len_mean") == [100, 0, 50]
    assert features(flow, "fwd_pkt_len_std")[0] == pytest.approx(50.0)
    assert features(flow, "pkt_len_mean", "pkt_len_max", "pkt_len_min") == [pytest.approx(112.5), 300, 0]
    assert features(flow, "pkt_len_var")[0] == pytest.approx(np.var([0, 100, 300, 50], ddof=1))
    assert features(flow, "flow_iat_max", "flow_iat_min", "flow_iat_mean") == [
        6000,
        1000,
        pytest.approx(10_000 / 3),
    ]
    assert features(flow, "fwd_iat_tot", "fwd_iat_max", "fwd_iat_min") == [10_000, 9000, 1000]
    assert features(flow, "bwd_iat_tot", "down_up_ratio") == [0, pytest.approx(1 / 3)]
    assert features(flow, "fwd_act_data_pkts", "totlen_bwd_pkts") == [2, 300]


def test_flags_and_windows() -> None:
    flow = metered(
        [tcp(0, "SEC", window=11), reply(1, "SA", window=22), tcp(2, "PAU"), reply(3, "FA", window=33)]
    )
    assert features(flow, "syn_flag_cnt", "ack_flag_cnt", "fin_flag_cnt", "ece_flag_cnt") == [2, 3, 1, 1]
    assert features(flow, "cwe_flag_count", "urg_flag_cnt", "fwd_urg_flags", "fwd_psh_flags") == [1, 1, 1, 1]
    assert features(flow, "init_fwd_win_byts", "init_bwd_win_byts") == [11, 33]


def test_the_first_packets_reset_counts_for_no_direction() -> None:
    flow = metered([tcp(0, "R"), tcp(1, "R")])
    assert features(flow, "rst_flag_cnt", "fwd_rst_flags") == [2, 1]


def test_active_and_idle() -> None:
    times = [0, 2 * S, 8 * S, 13 * S, 18 * S + 1, 19 * S]
    flow = metered([udp(at) for at in times])
    assert features(flow, "idle_max", "idle_min", "idle_mean") == [
        6 * S,
        5 * S + 1,
        pytest.approx(5.5 * S + 0.5),
    ]
    assert features(flow, "active_max", "active_min") == [5 * S, 2 * S]


def test_four_data_packets_open_a_bulk() -> None:
    three = [reply(n * 100, "A", 1000) for n in range(3)]
    assert features(metered([tcp(0, "S"), *three]), "bwd_byts_b_avg") == [0]
    six = [reply(n * 100, "A", 1000) for n in range(1, 7)]
    flow = metered([tcp(0, "S"), *six])
    assert features(flow, "bwd_byts_b_avg", "bwd_pkts_b_avg", "bwd_blk_rate_avg") == [6000, 6, 12_000_000]
    assert features(flow, "fwd_byts_b_avg") == [0]


def test_a_gap_of_a_second_or_the_other_direction_ends_a_bulk() -> None:
    with_gap = [reply(at, "A", 10) for at in (0, 100, 200, 1 * S + 300, 1 * S + 400)]
    assert features(metered([tcp(-1, "S"), *with_gap]), "bwd_pkts_b_avg") == [0]
    interrupted = [
        reply(1, "A", 10),
        reply(2, "A", 10),
        tcp(3, "PA", 5),
        reply(4, "A", 10),
        reply(5, "A", 10),
    ]
    assert features(metered([tcp(0, "S"), *interrupted]), "bwd_pkts_b_avg") == [0]


def test_the_header_of_the_smallest_forward_segment_counts() -> None:
    flow = metered([tcp(0, "S"), reply(1, "SA"), tcp(2, "A")])
    assert features(flow, "fwd_seg_size_min", "fwd_header_len", "bwd_header_len") == [20, 40, 20]
