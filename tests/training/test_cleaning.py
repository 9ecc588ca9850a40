from __future__ import annotations

import numpy as np
import pytest

from flows.schema import COMMON_NAMES
from helpers.flows import flow_table
from training.cleaning import UNKNOWN, labelled, tidied, true_codes

LABELS = ["BENIGN", "Web Attack \x96 XSS", "DoS Hulk - Attempted", "", None, "No Label"]


def labels(*texts: str | None) -> dict[str, np.ndarray]:
    return {"label": np.array([*texts, None], object)[:-1]}


def test_attempted_attacks_and_flows_without_a_label_have_no_class() -> None:
    table = flow_table(6, extras=labels(*LABELS))
    assert true_codes(table, "f.csv").tolist() == [0, 3, UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN]
    assert true_codes(flow_table(2), "f.csv").tolist() == [UNKNOWN] * 2


def test_a_label_that_is_not_in_the_table_is_named() -> None:
    table = flow_table(2, extras=labels("BENIGN", "Gremlins"))
    with pytest.raises(ValueError, match=r"f.csv: unknown label 'Gremlins'"):
        true_codes(table, "f.csv")


@pytest.mark.parametrize(
    ("attempted", "codes", "dropped"),
    [
        ("drop", [0, 3], {"repeated header": 2, "attempted": 1, "unlabelled": 3}),
        ("benign", [0, 3, 0], {"repeated header": 2, "unlabelled": 3}),
        ("attack", [0, 3, 5], {"repeated header": 2, "unlabelled": 3}),
    ],
)
def test_what_is_left_out_is_counted_by_reason(attempted, codes, dropped) -> None:  # type: ignore[no-untyped-def]
    table = flow_table(6, extras=labels(*LABELS))
    flows = labelled(table, "f.csv", COMMON_NAMES, attempted=attempted, dropped={"repeated header": 2})
    assert flows.codes.tolist() == codes
    assert flows.dropped == dropped
    assert flows.rows_read == 8 == len(flows) + sum(flows.dropped.values())


def test_what_is_known_of_a_flow_goes_along() -> None:
    table = flow_table(3, extras=labels("", "BENIGN", "Botnet"))
    flows = labelled(table, "f.csv", ("tot_bwd_pkts", "flow_duration"))
    assert flows.names == ("tot_bwd_pkts", "flow_duration")
    assert flows.features.tolist() == [[3.0, 406000.0]] * 2
    assert flows.start_us.tolist() == table.start_us[1:].tolist()
    assert flows.dst_port.tolist() == [443, 443]
    assert flows.pair[0] == flows.pair[1] >= 0
    assert (flows.dialect, flows.sources, flows.source.tolist()) == ("improved", ("f.csv",), [0, 0])


def test_a_feature_that_is_not_there_is_named() -> None:
    with pytest.raises(ValueError, match=r"f.csv: lacks features that training reads: time"):
        labelled(flow_table(1, extras=labels("BENIGN")), "f.csv", ("flow_duration", "time"))


def test_flows_are_in_the_order_of_their_start_and_the_earliest_of_equal_ones_stays() -> None:
    table = flow_table(
        5,
        features={"flow_duration": np.array([3.0, 1.0, 3.0, 3.0, 2.0])},
        start_us=np.array([50, 40, 30, 20, 10]),
        extras=labels("DoS Hulk", "BENIGN", "DoS Hulk", "BENIGN", "Botnet"),
    )
    flows = labelled(table, "f.csv", COMMON_NAMES)
    clean = tidied(flows)
    assert clean.features[:, 0].tolist() == [2.0, 3.0, 3.0, 1.0]
    assert clean.codes.tolist() == [1, 0, 5, 0]
    assert clean.start_us.tolist() == [10, 20, 30, 40]
    assert (clean.rows_read, len(clean), clean.dropped) == (5, 4, {"duplicate": 1})
    kept = tidied(flows, keep_duplicates=True)
    assert (kept.start_us.tolist(), kept.dropped) == ([10, 20, 30, 40, 50], {})


def test_infinity_nan_and_negative_values_stay_as_they_are() -> None:
    odd = np.array([np.inf, np.nan, -1.0])
    flows = tidied(
        labelled(
            flow_table(3, features={"flow_byts_s": odd}, extras=labels(*["BENIGN"] * 3)), "f", COMMON_NAMES
        )
    )
    np.testing.assert_array_equal(flows.features[:, COMMON_NAMES.index("flow_byts_s")], odd)
