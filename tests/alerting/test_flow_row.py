import numpy as np

from alerting.flow_row import flow_row, seen_where
from flows.table import UNKNOWN_TIME
from helpers.alerts import one_alert


def test_a_senders_timestamp_is_an_opaque_text():
    flow = one_alert(extras={"timestamp": np.array(["21/02/2018 10:15:06"], object)}).flow

    assert flow_row(flow, 1.0)["timestamp"] == "21/02/2018 10:15:06"


def test_a_captured_flows_timestamp_is_its_start_as_the_set_writes_it():
    flow = one_alert(start_us=np.array([1_519_208_106_000_000])).flow

    assert flow_row(flow, 1.0)["timestamp"] == "21/02/2018 10:15:06"


def test_what_is_unknown_is_none():
    flow = one_alert(start_us=np.array([UNKNOWN_TIME]), dst_port=np.array([-1]), protocol=np.array([-1])).flow

    row = flow_row(flow, 0.0)
    assert [row["timestamp"], row["dst_port"], row["protocol"]] == [None, None, None]
    assert row["prediction"] == 0.0


def test_numbers_that_are_not_finite_are_none_and_counts_are_integers():
    flow = one_alert().flow
    flow.features[flow.shared.feature_names.index("flow_byts_s")] = np.inf
    flow.features[flow.shared.feature_names.index("tot_fwd_pkts")] = 3.0

    row = flow_row(flow, 1.0)
    assert row["flow_byts_s"] is None
    assert row["tot_fwd_pkts"] == 3
    assert isinstance(row["tot_fwd_pkts"], int)


def test_where_it_was_seen_are_addresses_as_text():
    seen = seen_where(one_alert(src_port=np.array([4242])).flow)

    assert (seen["src_ip"], seen["src_port"]) == ("10.0.0.1", 4242)
