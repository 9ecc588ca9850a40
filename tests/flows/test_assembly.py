from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from flows.assembly import assemble, decoded, plain_values, plan_columns
from flows.headers import find_header
from flows.schema import COMMON_NAMES, IMPROVED_NAMES


def titles(name):
    return [title for title, _ in find_header(name).columns]


def test_every_column_has_its_place():
    plan = plan_columns(["id", *titles("improved"), "id", "note"], dialect=None, where="f")
    assert tuple(plan.features) == IMPROVED_NAMES
    assert plan.dialect == "improved"
    assert plan.metadata["src_ip"] == 2
    assert plan.extras == {"id": 0, "id.1": 90, "note": 91}


def test_features_are_in_the_schema_s_order_whatever_the_file_s():
    plan = plan_columns(titles("cic-v4")[::-1], dialect=None, where="f")
    assert tuple(plan.features) == COMMON_NAMES
    assert plan.dialect == "cic-v4"


def test_some_of_the_features_beyond_the_76_are_extras():
    plan = plan_columns([*titles("cic-v4"), " ICMP Code"], dialect=None, where="f")
    assert tuple(plan.features) == COMMON_NAMES
    assert plan.extras == {"ICMP Code": 84}


def test_the_caller_s_dialect_wins():
    assert plan_columns(titles("cic-v4"), dialect="cic-2018", where="f").dialect == "cic-2018"
    assert plan_columns(titles("snake"), dialect=None, where="f").dialect == "improved"


def test_only_the_header_length_may_be_there_twice():
    plan = plan_columns([*titles("cic-2017"), "Fwd Header Length"], dialect=None, where="f")
    assert plan.features["fwd_header_len"] == 34
    with pytest.raises(ValueError, match="f: columns ' Idle Min' and 'idle_min' are both idle_min"):
        plan_columns([*titles("cic-2017"), "idle_min"], dialect=None, where="f")


def test_rows_without_a_value_are_left_out_with_their_metadata():
    plan = plan_columns(["label", *COMMON_NAMES], dialect=None, where="f")
    columns = [pa.array([b"Bot", b"", b"DDoS"])] + [pa.array([1.0, None, 2.0])] * 76
    table = assemble(plan, columns.__getitem__, where="f")
    assert table.extras["label"].tolist() == ["Bot", "DDoS"]
    assert table.column("idle_min").tolist() == [1.0, 2.0]
    assert table.flow_uid.tolist() == [0, 1]


def test_labels_of_some_rows_only_are_kept():
    plan = plan_columns(["label", *COMMON_NAMES], dialect=None, where="f")
    columns = [pa.array(["NeedManualLabel", "Bot", None])] + [pa.array([1, 2, 3])] * 76
    assert assemble(plan, columns.__getitem__, where="f").extras["label"].tolist() == [
        "NeedManualLabel",
        "Bot",
        "",
    ]


def test_numbers_in_text_columns_are_read_and_others_refused():
    plan = plan_columns(COMMON_NAMES, dialect=None, where="f")
    columns = [pa.array(["Infinity", "1.5"])] * 76
    assert assemble(plan, columns.__getitem__, where="f").column("idle_min").tolist() == [np.inf, 1.5]
    with pytest.raises(ValueError, match="f: column flow_duration is not numeric"):
        assemble(plan, lambda at: pa.array([[1]]), where="f")


def test_bytes_are_utf8_or_windows_1252():
    texts = decoded(pa.array([" Größe ".encode(), b"a \x96 b", b"\x81", None]))
    assert texts.to_pylist() == ["Größe", "a \u2013 b", "\ufffd", ""]


@pytest.mark.parametrize(
    ("texts", "values"),
    [
        (["1", "-2"], [1, -2]),
        (["1", "2.5"], [1.0, 2.5]),
        (["1", "x"], ["1", "x"]),
        ([], []),
    ],
)
def test_extras_are_numbers_where_they_can_be(texts, values):
    assert plain_values(pa.array(texts, pa.string())).tolist() == values


def test_the_caller_s_features_are_enough():
    titles = ["Label", "src_bytes", " Tot Fwd Pkts", "count", "service"]
    plan = plan_columns(titles, dialect=None, where="f", required=("count", "tot_fwd_pkts", "src_bytes"))
    assert plan.features == {"count": 3, "tot_fwd_pkts": 2, "src_bytes": 1}
    assert plan.extras == {"service": 4}
    columns = [pa.array(column) for column in (["smurf"], [9.0], [2], [3.0], ["http"])]
    table = assemble(plan, columns.__getitem__, where="f")
    assert table.select(["src_bytes", "tot_fwd_pkts", "count"]).tolist() == [[9.0, 2.0, 3.0]]
    with pytest.raises(ValueError, match="f: no column for src_bytes"):
        plan_columns(["a", "count"], dialect=None, where="f", required=("count", "src_bytes"))


def test_the_caller_s_features_stand_behind_a_whole_set():
    plan = plan_columns([*COMMON_NAMES, "src_bytes"], dialect=None, where="f", required=("src_bytes",))
    assert tuple(plan.features) == (*COMMON_NAMES, "src_bytes")
