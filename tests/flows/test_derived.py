from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from capture.files import read_capture
from flows.derived import DERIVED, follows
from flows.table import concat_tables

REFERENCE = Path(__file__).resolve().parents[1] / "reference"


@pytest.mark.parametrize("name", ["01_tcp_fin.pcap", "04_idle_timeout.pcap", "05_bulk.pcap"])
def test_formulas_give_what_the_meter_measures(name: str) -> None:
    table = concat_tables(list(read_capture(REFERENCE / name)))
    columns = {feature: table.column(feature) for feature in table.feature_names}
    assert [feature for feature in DERIVED if not follows(feature, columns)] == []


def test_flows_of_one_packet_and_of_no_duration_have_what_the_meter_gives_them() -> None:
    one = {
        name: np.array([0.0]) for name in ("flow_duration", "tot_bwd_pkts", "totlen_bwd_pkts", "fwd_iat_tot")
    }
    one |= {"tot_fwd_pkts": np.array([1.0]), "totlen_fwd_pkts": np.array([0.0])}
    assert np.isnan(DERIVED["flow_iat_mean"](one)).all()
    assert np.isnan(DERIVED["flow_byts_s"](one)).all()
    assert DERIVED["flow_pkts_s"](one).tolist() == [np.inf]
    assert DERIVED["fwd_pkts_s"](one).tolist() == [0.0]
    assert DERIVED["bwd_pkt_len_mean"](one).tolist() == [0.0]


def test_what_has_no_formula_or_lacks_its_parts_does_not_follow() -> None:
    columns = {"flow_duration": np.array([1.0]), "flow_pkts_s": np.array([1.0])}
    assert not follows("flow_duration", columns)
    assert not follows("flow_pkts_s", columns)
