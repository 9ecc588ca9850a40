"""Flows for tests: one real flow, tables of it in a line, and Hypothesis strategies for odd ones."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pytest
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from flows.addresses import pack_address
from flows.dialects import IMPROVED
from flows.explanations import Contribution, Explanation
from flows.labels import LABELS
from flows.schema import COMMON_NAMES, IMPROVED_NAMES, schema_id
from flows.table import ROW_COLUMNS, EndReason, FlowTable
from flows.verdicts import Verdicts

SHARED = Path(__file__).resolve().parents[3] / "shared"
MarkedT = TypeVar("MarkedT")


def needs_shared(test: MarkedT) -> MarkedT:
    """Mark a test that reads ../shared; it is skipped where that is not there."""
    absent = pytest.mark.skipif(not SHARED.is_dir(), reason="../shared is not there")
    return pytest.mark.needs_shared(absent(test))


# A TLS flow of nine packets as CICFlowMeter `improved` measured it.
# fmt: off
EXAMPLE: dict[str, float] = {
    "flow_duration": 406000, "tot_fwd_pkts": 6, "tot_bwd_pkts": 3, "totlen_fwd_pkts": 33,
    "totlen_bwd_pkts": 0, "fwd_pkt_len_max": 33, "fwd_pkt_len_min": 0, "fwd_pkt_len_mean": 5.5,
    "fwd_pkt_len_std": 13.47219358530748, "bwd_pkt_len_max": 0, "bwd_pkt_len_min": 0,
    "bwd_pkt_len_mean": 0.0, "bwd_pkt_len_std": 0.0, "flow_byts_s": 81.2807881773399,
    "flow_pkts_s": 22.167487684729064, "flow_iat_mean": 50750.0, "flow_iat_std": 92119.09992736888,
    "flow_iat_max": 200000, "flow_iat_min": 1000, "fwd_iat_tot": 406000, "fwd_iat_mean": 81200.0,
    "fwd_iat_std": 109364.98525579383, "fwd_iat_max": 202000, "fwd_iat_min": 1000, "bwd_iat_tot": 404000,
    "bwd_iat_mean": 202000.0, "bwd_iat_std": 2828.42712474619, "bwd_iat_max": 204000,
    "bwd_iat_min": 200000, "fwd_psh_flags": 1, "bwd_psh_flags": 0, "fwd_urg_flags": 0, "bwd_urg_flags": 0,
    "fwd_header_len": 140, "bwd_header_len": 80, "fwd_pkts_s": 14.778325123152708,
    "bwd_pkts_s": 7.389162561576354, "pkt_len_min": 0, "pkt_len_max": 33,
    "pkt_len_mean": 3.6666666666666665, "pkt_len_std": 11.0, "pkt_len_var": 121.0, "fin_flag_cnt": 4,
    "syn_flag_cnt": 2, "rst_flag_cnt": 0, "psh_flag_cnt": 1, "ack_flag_cnt": 8, "urg_flag_cnt": 0,
    "cwe_flag_count": 0, "ece_flag_cnt": 0, "down_up_ratio": 0.5, "pkt_size_avg": 3.6666666666666665,
    "fwd_seg_size_avg": 5.5, "bwd_seg_size_avg": 0.0, "fwd_byts_b_avg": 0, "fwd_pkts_b_avg": 0,
    "fwd_blk_rate_avg": 0, "bwd_byts_b_avg": 0, "bwd_pkts_b_avg": 0, "bwd_blk_rate_avg": 0,
    "subflow_fwd_pkts": 0, "subflow_fwd_byts": 3, "subflow_bwd_pkts": 0, "subflow_bwd_byts": 0,
    "init_fwd_win_byts": 64240, "init_bwd_win_byts": 509, "fwd_act_data_pkts": 1, "fwd_seg_size_min": 20,
    "active_mean": 0.0, "active_std": 0.0, "active_max": 0, "active_min": 0, "idle_mean": 0.0,
    "idle_std": 0.0, "idle_max": 0, "idle_min": 0, "fwd_rst_flags": 0, "bwd_rst_flags": 0, "icmp_code": -1,
    "icmp_type": -1, "total_tcp_flow_time": 406000,
}
# fmt: on


def record(**changes: Any) -> dict[str, Any]:
    """A JSON record of the example flow's 76 common features, with changes."""
    return {name: EXAMPLE[name] for name in COMMON_NAMES} | changes


def flow_table(
    n: int = 3,
    *,
    names: Sequence[str] = IMPROVED_NAMES,
    dialect: str = IMPROVED,
    features: dict[str, Any] | None = None,
    **columns: Any,
) -> FlowTable:
    """n copies of the example flow from 10.0.0.1:40000+row to 10.0.0.2:443, a second apart.

    `features` replaces single features, `columns` whole columns of the table.
    """
    values = {name: np.broadcast_to((EXAMPLE | (features or {}))[name], n) for name in names}
    rows = np.arange(n)
    start = 1_499_432_400_401_000 + rows * 1_000_000
    identity: dict[str, Any] = {
        "src_addr": np.tile(np.frombuffer(pack_address("10.0.0.1"), np.uint8), (n, 1)),
        "dst_addr": np.tile(np.frombuffer(pack_address("10.0.0.2"), np.uint8), (n, 1)),
        "src_port": (40_000 + rows).astype(np.int32),
        "dst_port": np.full(n, 443, np.int32),
        "protocol": np.full(n, 6, np.int16),
        "start_us": start,
        "end_us": start + int(EXAMPLE["flow_duration"]),
        "end_reason": np.full(n, EndReason.FIN, np.uint8),
        "sensor": "test",
        "interface": "veth0",
    }
    matrix = np.column_stack([values[name] for name in names]).astype(np.float64)
    return FlowTable.from_features(matrix, tuple(names), dialect, **(identity | columns))


def verdicts_for(table: FlowTable, codes: Sequence[int] | None = None, **fields: Any) -> Verdicts:
    """Verdicts for a table: DoS Hulk unless `codes` says otherwise."""
    code = np.array([5] * len(table) if codes is None else codes, np.int32)
    defaults: dict[str, Any] = {
        "code": code,
        "p_attack": np.where(code == 0, 0.1, 0.9),
        "p_label": np.full(len(code), 0.8),
        "insufficient": np.zeros(len(code), np.bool_),
        "threshold": 0.5,
        "model_name": "ml-ids",
        "model_version": "7",
        "schema_id": schema_id(COMMON_NAMES),
    }
    return Verdicts(**(defaults | fields))


def assert_same_table(left: FlowTable, right: FlowTable) -> None:
    """All of a table is equal: rows to the bit, names, provenance and extras."""
    for name in ("feature_names", "dialect", "sensor", "interface"):
        assert getattr(left, name) == getattr(right, name), name
    for name in ROW_COLUMNS:
        mine, other = getattr(left, name), getattr(right, name)
        assert mine.dtype == other.dtype, name
        np.testing.assert_array_equal(mine, other, err_msg=name)
    assert list(left.extras) == list(right.extras)
    for name, values in left.extras.items():
        assert values.tolist() == right.extras[name].tolist(), name


TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12)


@st.composite
def flow_tables(draw: st.DrawFn, *, max_rows: int = 4) -> FlowTable:
    """Any table there can be: odd floats, unknown identity, crazy times, extras."""
    n = draw(st.integers(0, max_rows))
    names = draw(st.sampled_from([COMMON_NAMES, IMPROVED_NAMES]))

    def column(dtype: type, values: st.SearchStrategy[Any], width: tuple[int, ...] = ()) -> Any:
        return draw(hnp.arrays(dtype, (n, *width), elements=values))

    whole = st.integers(-1, 2**40).map(float)
    extras = {
        "label": st.one_of(st.none(), TEXTS),
        "timestamp": st.one_of(st.none(), TEXTS, st.integers(0, 2**40), st.floats(width=64)),
        "src_port": st.integers(0, 9),
    }
    kept = draw(st.sets(st.sampled_from(sorted(extras))))
    times = st.integers(-(2**63), 2**63 - 1)
    return FlowTable.from_features(
        column(np.float64, st.one_of(whole, st.floats(width=64)), (len(names),)),
        names,
        draw(st.sampled_from(["improved", "cic-v4"])),
        flow_uid=column(np.uint64, st.integers(0, 2**64 - 1)),
        revision=column(np.int32, st.integers(0, 5)),
        src_addr=column(np.uint8, st.integers(0, 255), (16,)),
        dst_addr=column(np.uint8, st.sampled_from([0, 0, 255]), (16,)),
        src_port=column(np.int32, st.integers(-1, 65535)),
        dst_port=column(np.int32, st.integers(-1, 65535)),
        protocol=column(np.int16, st.integers(-1, 255)),
        start_us=column(np.int64, times),
        end_us=column(np.int64, times),
        end_reason=column(np.uint8, st.sampled_from([reason.value for reason in EndReason])),
        provisional=column(np.bool_, st.booleans()),
        sensor=draw(TEXTS),
        interface=draw(TEXTS),
        extras={name: column(object, extras[name]) for name in sorted(kept)},
    )


@st.composite
def explanations(draw: st.DrawFn) -> Explanation:
    """Any explanation, of values that may not be finite."""
    value, share = st.floats(width=64), st.floats(-1, 1)
    made = st.builds(Contribution, st.sampled_from(COMMON_NAMES), value, value, share)
    return Explanation(
        draw(st.floats(0, 1)), draw(st.floats(0, 1)), tuple(draw(st.lists(made, max_size=3))), draw(share)
    )


@st.composite
def tables_with_verdicts(draw: st.DrawFn) -> tuple[FlowTable, Verdicts]:
    """A table and verdicts that a model could give for it."""
    table = draw(flow_tables())
    n = len(table)
    probability = st.floats(0, 1)
    insufficient = draw(hnp.arrays(np.bool_, n))
    codes = draw(hnp.arrays(np.int32, n, elements=st.sampled_from([label.code for label in LABELS])))
    return table, verdicts_for(
        table,
        np.where(insufficient, 0, codes).tolist(),
        insufficient=insufficient,
        p_attack=draw(hnp.arrays(np.float64, n, elements=st.one_of(probability, st.just(np.nan)))),
        p_label=draw(hnp.arrays(np.float64, n, elements=probability)),
        explanations=draw(
            st.none() | st.lists(st.none() | explanations(), min_size=n, max_size=n).map(tuple)
        ),
    )
