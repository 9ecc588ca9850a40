from __future__ import annotations

import math

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.arrow_columns import table_from_arrow
from flows.dialects import PYTHON
from flows.records import NO_FEATURES, FeatureError, Rows, table_from_records, table_from_rows
from flows.schema import BY_NAME, COMMON, COMMON_NAMES, IMPROVED_NAMES
from flows.table import UNKNOWN_TIME
from helpers.flows import EXAMPLE, record

# What stock `cicflowmeter -u` 0.5.0 posts besides the features.
PYTHON_IDENTITY = {
    "src_ip": "192.168.1.5",
    "dst_ip": "93.184.216.34",
    "src_port": 51234,
    "dst_port": 443,
    "protocol": 6,
    "timestamp": "2017-07-07 15:00:00",
}


def parse(*records, dialect="improved", **options):
    return table_from_records(records, dialect=dialect, **options)


def refused(*records, **options):
    with pytest.raises(FeatureError) as caught:
        parse(*records, **options)
    return caught.value


def python_record():
    sent = {
        feature.python_key: EXAMPLE[feature.name] / 1e6
        if feature.seconds_in_python
        else EXAMPLE[feature.name]
        for feature in COMMON
    }
    return sent | PYTHON_IDENTITY


def test_a_flow_in_canonical_names():
    table, warnings = (parsed := parse(record())).table, parsed.warnings
    assert warnings == ()
    assert (table.feature_names, table.dialect, len(table)) == (COMMON_NAMES, "improved", 1)
    assert table.features[0].tolist() == [EXAMPLE[name] for name in COMMON_NAMES]
    assert table.source(0) is None
    assert (table.src_port[0], table.protocol[0], table.start_us[0]) == (-1, -1, UNKNOWN_TIME)
    assert table.extras == {}


@pytest.mark.parametrize("spelling", ["cic_2017", "cic_2018", "cic_v4", "python_key"])
def test_a_flow_in_every_set_s_spelling(spelling):
    sent = {getattr(feature, spelling): EXAMPLE[feature.name] for feature in COMMON}
    table = parse(sent).table
    assert table.features[0].tolist() == [EXAMPLE[name] for name in COMMON_NAMES]


def test_key_order_does_not_matter_and_extra_features_are_optional():
    shuffled = dict(reversed(EXAMPLE.items()))
    parsed = parse(shuffled)
    assert parsed.warnings == ()
    assert parsed.table.feature_names == COMMON_NAMES
    assert parsed.table.features[0].tolist() == [EXAMPLE[name] for name in COMMON_NAMES]


def test_the_caller_says_what_is_required():
    table = parse(EXAMPLE, required=("idle_max", "flow_duration")).table
    assert table.feature_names == ("idle_max", "flow_duration")
    assert parse(EXAMPLE, required=IMPROVED_NAMES).table.feature_names == IMPROVED_NAMES
    assert refused(record(), required=IMPROVED_NAMES).missing == IMPROVED_NAMES[76:]


@pytest.mark.parametrize("records", [[], [{}], [record(), {}]])
def test_nothing_sent(records):
    assert NO_FEATURES in str(refused(*records))
    assert NO_FEATURES == "No features provided"


def test_missing_features_are_named():
    sent = record()
    del sent["flow_duration"], sent["idle_min"]
    error = refused(sent)
    assert error.missing == ("flow_duration", "idle_min")
    assert str(error) == "Missing features: flow_duration, idle_min"
    assert refused({"foo": 1}).missing == COMMON_NAMES


@pytest.mark.parametrize("value", ["x", "12.5", "inf", "nan", True, None, [1], {"a": 1}, 10**400, b"1"])
def test_what_is_no_number_is_named_as_sent(value):
    sent = record()
    del sent["flow_duration"]
    error = refused(sent | {"Flow Duration": value, "idle_min": "high"})
    assert error.not_numeric == ("Flow Duration", "idle_min") or error.not_numeric == (
        "idle_min",
        "Flow Duration",
    )
    assert error.missing == ()
    assert "Not numeric: " in str(error)


def test_missing_and_not_numeric_are_told_together_with_the_record():
    bad = record(idle_min="x")
    del bad["idle_max"]
    error = refused(record(), bad)
    assert str(error) == "record 1: Missing features: idle_max. Not numeric: idle_min"
    assert (error.missing, error.not_numeric) == (("idle_max",), ("idle_min",))


@pytest.mark.parametrize(
    ("text", "value"), [("NaN", math.nan), ("Infinity", math.inf), ("-Infinity", -math.inf)]
)
def test_our_own_records_spelling_of_what_is_not_finite(text, value):
    table = parse(record(flow_byts_s=text)).table
    np.testing.assert_equal(table.column("flow_byts_s")[0], value)


def test_two_keys_for_one_feature():
    assert parse(record() | {"Fwd Header Length": 140, "Fwd Header Length.1": 140.0}).warnings == ()
    assert parse(record(flow_byts_s="NaN") | {"Flow Bytes/s": math.nan}).warnings == ()
    error = refused(record() | {"Flow Duration": 1, "cwr_flag_count": 7})
    assert error.conflicting == (("flow_duration", "Flow Duration"), ("cwe_flag_count", "cwr_flag_count"))
    assert "'flow_duration' and 'Flow Duration'" in str(error)
    assert refused(record(syn_flag_cnt=1) | {"SYN Flag Count": True}).conflicting


def test_unknown_keys_are_listed_in_one_warning():
    (warning,) = parse(record(foo=1, bar={}), record(foo=2, baz=None)).warnings
    assert warning == "Ignored unknown keys: foo, bar, baz"


def test_a_flood_of_unknown_keys_is_cut_short():
    (warning,) = parse(record() | {f"{'k' * 1000}{i}": 0 for i in range(500)}).warnings
    assert "and 480 more" in warning
    assert len(warning) < 2000


def test_identity_is_metadata():
    sent = record() | {
        "Source IP": "10.0.0.1",
        "Dst IP": "2001:db8::1",
        "src_port": 40000.0,
        "Destination Port": "443",
        "protocol": 17,
        "Flow ID": "a-b",
        "Timestamp": "7/7/2017 3:56",
        "Label": "BENIGN",
    }
    table, warnings = (parsed := parse(sent)).table, parsed.warnings
    assert warnings == ()
    assert (table.source(0), table.destination(0)) == ("10.0.0.1", "2001:db8::1")
    assert (table.src_port[0], table.dst_port[0], table.protocol[0]) == (40000, 443, 17)
    extras = {name: values.tolist() for name, values in table.extras.items()}
    assert extras == {"flow_id": ["a-b"], "timestamp": ["7/7/2017 3:56"], "label": ["BENIGN"]}


def test_metadata_of_some_records_only():
    table = parse(record(), record(label=3, src_ip=None, dst_port="")).table
    assert table.extras["label"].tolist() == [None, 3]
    assert table.source(1) is None
    assert table.dst_port[1] == -1


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("src_ip", "host.example"),
        ("dst_ip", 7),
        ("src_port", 70_000),
        ("dst_port", 1.5),
        ("dst_port", "http"),
        ("dst_port", True),
        ("src_port", "NaN"),
        ("protocol", "TCP"),
        ("protocol", -1),
        ("label", ["a"]),
    ],
)
def test_metadata_that_cannot_be_used_is_unknown_with_a_warning(name, value):
    parsed = parse(record(), record(**{name: value}))
    (warning,) = parsed.warnings
    assert warning.startswith(f"{name} unknown in 1 of 2 flows: cannot use {value!r}")
    assert parsed.table.source(1) is None
    assert (parsed.table.dst_port[1], parsed.table.protocol[1]) == (-1, -1)
    assert parsed.table.extras == {}


def test_what_stock_cicflowmeter_posts():
    parsed = parse(python_record(), dialect=PYTHON)
    assert parsed.warnings == ()
    table = parsed.table
    np.testing.assert_allclose(table.features[0], [EXAMPLE[name] for name in COMMON_NAMES], rtol=1e-12)
    assert (table.dialect, table.source(0), table.dst_port[0]) == (PYTHON, "192.168.1.5", 443)
    assert table.extras["timestamp"].tolist() == ["2017-07-07 15:00:00"]


def test_what_stock_cicflowmeter_posts_without_its_dialect():
    (warning,) = parse(python_record()).warnings
    assert "contradicts flow_pkts_s" in warning
    assert "X-Flow-Dialect: python-cicflowmeter" in warning


ROWS = Rows(COMMON_NAMES, [list(EXAMPLE.values())[:76]])


def test_rows_below_titles():
    parsed = table_from_rows([ROWS], dialect="improved")
    np.testing.assert_equal(parsed.table.features, parse(record()).table.features)
    assert parsed.warnings == ()


def test_null_is_nan_where_pandas_wrote_it():
    values = [None, *ROWS.values[0][1:]]
    with pytest.raises(FeatureError, match="Not numeric: flow_duration"):
        table_from_rows([Rows(COMMON_NAMES, [values])], dialect="improved")
    for others in (values, [*values[:-1], "Infinity"]):
        parsed = table_from_rows([Rows(COMMON_NAMES, [others], null_is_nan=True)], dialect="improved")
        assert math.isnan(parsed.table.column("flow_duration")[0])


@pytest.mark.parametrize("value", ["x", "1.5", True, [1], 10**400])
def test_the_row_and_the_column_of_what_is_no_number(value):
    values = [*ROWS.values[0][1:], value]
    rows = Rows((*COMMON_NAMES[1:], "Flow Duration"), [[*values[:-1], 1], values])
    with pytest.raises(FeatureError, match=r"^record 1: Not numeric: Flow Duration$"):
        table_from_rows([rows], dialect="improved")


def test_two_columns_of_one_feature():
    titles = (*COMMON_NAMES, "Idle Min", "idle_min")
    with pytest.raises(FeatureError) as caught:
        table_from_rows(
            [Rows(titles, [[*ROWS.values[0], 0, 0], [*ROWS.values[0], 0, 1]])], dialect="improved"
        )
    assert str(caught.value) == "record 1: Two values for one feature: 'idle_min' and 'idle_min'"
    parsed = table_from_rows([Rows(titles, [[*ROWS.values[0], 0, 0.0]])], dialect="improved")
    assert parsed.table.feature_names == COMMON_NAMES


def test_parts_of_other_titles_are_one_table():
    shuffled = dict(reversed(record(label="x").items()))
    table = parse(record(), record(src_ip="10.0.0.1"), shuffled, record(idle_min=7)).table
    assert table.features.shape == (4, 76)
    assert table.column("idle_min").tolist() == [0, 0, 0, 7]
    assert (table.source(0), table.source(1)) == (None, "10.0.0.1")
    assert table.extras["label"].tolist() == [None, None, "x", None]


def test_one_feature_among_others():
    rows = Rows(("a", "idle_min"), [["x", 1], ["y", 2]])
    table = table_from_rows([rows], dialect="improved", required=("idle_min",)).table
    assert table.features.tolist() == [[1.0], [2.0]]


def test_features_that_may_be_absent_are_nan_where_they_are():
    required, optional = ("flow_duration", "seen_2s", "seen_10s"), frozenset(("seen_2s", "seen_10s"))
    parts = [
        Rows(("flow_duration",), [(1.0,), (2.0,)]),
        Rows(("seen_10s", "flow_duration"), [(7.0, 3.0), ("NaN", 4.0)]),
        Rows(required, [(5.0, 6.0, 7.0)]),
    ]
    found = table_from_rows(parts, dialect="improved", required=required, optional=optional).table
    assert found.feature_names == required
    nan = math.nan
    expected = [[1, nan, nan], [2, nan, nan], [3, nan, 7], [4, nan, nan], [5, 6, 7]]
    np.testing.assert_array_equal(found.features, expected)
    columns = pa.table({"flow_duration": [1.0, 2.0], "seen_10s": [3.0, None]})
    same = table_from_arrow(columns, dialect="improved", required=required, optional=optional).table
    np.testing.assert_array_equal(same.features, [[1, nan, 3], [2, nan, nan]])
    for sent in (Rows(("seen_2s",), [(1.0,)]), Rows(("other",), [(1.0,)])):
        with pytest.raises(FeatureError) as caught:
            table_from_rows([sent], dialect="improved", required=required, optional=optional)
        assert caught.value.missing == ("flow_duration",)


def test_an_unknown_dialect_is_refused():
    with pytest.raises(ValueError, match="unknown dialect 'python'"):
        parse(record(), dialect="python")


JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=9)),
    lambda children: (
        st.lists(children, max_size=2) | st.dictionaries(st.text(max_size=5), children, max_size=2)
    ),
    max_leaves=4,
)
KEYS = st.one_of(
    st.text(max_size=9), st.sampled_from([*COMMON_NAMES[:5], "src_ip", "dst_port", "label", "timestamp"])
)


@given(st.lists(st.tuples(st.booleans(), st.dictionaries(KEYS, JSON, max_size=6)), max_size=4))
def test_whatever_is_sent_gives_a_table_or_a_feature_error(sent):
    records = [(record() if whole else {}) | odd for whole, odd in sent]
    try:
        parsed = parse(*records)
    except FeatureError:
        return
    assert parsed.table.features.shape == (len(records), 76)
    assert set(parsed.table.extras) <= {"flow_id", "timestamp", "label"}


@given(st.dictionaries(st.sampled_from(COMMON_NAMES), st.floats(), max_size=9))
def test_numbers_arrive_unchanged(changes):
    table = parse(record(**changes)).table
    for name, value in changes.items():
        np.testing.assert_equal(table.column(name)[0], value)


def test_units_are_the_schema_s():
    sent = parse(python_record(), dialect=PYTHON).table
    for name in COMMON_NAMES:
        if BY_NAME[name].unit != "us":
            assert sent.column(name)[0] == EXAMPLE[name]
