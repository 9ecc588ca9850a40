from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import numpy as np
import orjson
import pytest
from hypothesis import given, settings
from jsonschema import Draft202012Validator

from flows.explanations import Contribution, Explanation
from flows.records import table_from_records
from flows.schema import COMMON_NAMES, IMPROVED_NAMES, schema_id
from flows.table import UNKNOWN_TIME, EndReason, FlowTable
from flows.verdict_record import verdict_records
from helpers.flows import flow_table, record, tables_with_verdicts, verdicts_for

SCHEMA = json.loads((Path(__file__).parents[2] / "docs" / "verdict.schema.json").read_text())
VALIDATOR = Draft202012Validator(SCHEMA, format_checker=Draft202012Validator.FORMAT_CHECKER)
NOON = datetime(2026, 1, 2, 12, 0, 0, 5, tzinfo=UTC)
WHY = Explanation(
    0.25,
    0.9,
    (Contribution("flow_byts_s", np.inf, 81.5, 0.5), Contribution("idle_max", 0.0, 2.0, -0.1)),
    0.25,
)


def only(table, codes=None, **fields):
    (made,) = verdict_records(table, verdicts_for(table, codes, **fields), source="sidecar", made_at=NOON)
    VALIDATOR.validate(made)
    return made


def test_the_schema_is_one_and_strict():
    Draft202012Validator.check_schema(SCHEMA)
    assert SCHEMA["additionalProperties"] is False
    assert SCHEMA["properties"]["model"]["additionalProperties"] is False
    assert set(SCHEMA["properties"]) - set(SCHEMA["required"]) == {"metadata", "explanation"}
    assert SCHEMA["properties"]["end_reason"]["enum"] == [reason.name.lower() for reason in EndReason]


def test_every_field_of_a_record():
    made = only(flow_table(1, flow_uid=np.array([2**63 + 1], np.uint64)))
    features = made.pop("features")
    assert made == {
        "timestamp": "2026-01-02T12:00:00.000005Z",
        "sensor": "test",
        "source": "sidecar",
        "interface": "veth0",
        "flow_uid": "8000000000000001",
        "revision": 0,
        "provisional": False,
        "src_ip": "10.0.0.1",
        "src_port": 40000,
        "dst_ip": "10.0.0.2",
        "dst_port": 443,
        "protocol": 6,
        "start": "2017-07-07T13:00:00.401000Z",
        "end": "2017-07-07T13:00:00.807000Z",
        "end_reason": "fin",
        "dialect": "improved",
        "schema_id": schema_id(COMMON_NAMES),
        "prediction": 5,
        "label": "DoS Hulk",
        "family": "dos",
        "technique": "T1499",
        "p_attack": 0.9,
        "p_label": 0.8,
        "threshold": 0.5,
        "insufficient": False,
        "model": {"name": "ml-ids", "version": "7"},
    }
    assert list(features) == list(IMPROVED_NAMES)
    assert features["flow_duration"] == 406_000
    assert isinstance(features["flow_duration"], int)
    assert isinstance(features["flow_iat_mean"], float)


def test_the_order_of_the_schema_is_that_of_the_record():
    table = flow_table(1, extras={"label": np.array(["Bot"], object)})
    verdicts = verdicts_for(table, explanations=(WHY,))
    (made,) = verdict_records(table, verdicts, source="api")
    assert list(made) == list(SCHEMA["properties"])


def test_what_is_unknown_is_null():
    (made,) = verdict_records(
        table := table_from_records([record()], dialect="improved").table,
        verdicts_for(table, [25]),
        source="api",
    )
    VALIDATOR.validate(made)
    for name in ("src_ip", "src_port", "dst_ip", "dst_port", "protocol", "start", "end", "technique"):
        assert made[name] is None
    assert (made["label"], made["end_reason"]) == ("Generic", "unknown")


def test_benign_and_insufficient():
    benign = only(flow_table(1), [0])
    assert (benign["prediction"], benign["label"], benign["family"]) == (0, "benign", "benign")
    silent = only(flow_table(1), [0], insufficient=np.array([True]), p_attack=np.array([np.nan]))
    assert (silent["label"], silent["insufficient"], silent["family"]) == ("insufficient", True, None)
    assert silent["p_attack"] is None


def test_features_that_are_not_finite_are_texts():
    odd = {"flow_byts_s": np.nan, "flow_pkts_s": np.inf, "flow_iat_max": np.nan, "idle_max": -np.inf}
    odd |= {"fwd_blk_rate_avg": 2.5, "bwd_blk_rate_avg": 1e300}
    features = only(flow_table(1, features=odd))["features"]
    assert [features[name] for name in odd] == ["NaN", "Infinity", "NaN", "-Infinity", 2.5, 1e300]
    assert list(features) == list(IMPROVED_NAMES)


def test_extras_are_metadata_of_the_rows_that_have_them():
    extras = {
        "timestamp": np.array(["7/7/2017 3:56", None], object),
        "label": np.array([np.nan, None], object),
    }
    table = flow_table(2, extras=extras)
    first, second = verdict_records(table, verdicts_for(table), source="api")
    assert first["metadata"] == {"timestamp": "7/7/2017 3:56", "label": "NaN"}
    assert "metadata" not in second
    times = {
        "seen": np.array(["2017-07-07"], "datetime64[D]"),
        "id": np.array([7]),
        "big": np.array([10**30], object),
    }
    assert only(flow_table(1, extras=times))["metadata"] == {
        "seen": "2017-07-07",
        "id": 7,
        "big": str(10**30),
    }


def test_an_explanation_is_given_where_there_is_one():
    table = flow_table(2)
    records = verdict_records(table, verdicts_for(table, explanations=(None, WHY)), source="api")
    for each in records:
        VALIDATOR.validate(orjson.loads(orjson.dumps(each)))
    assert "explanation" not in records[0]
    assert records[1]["explanation"] == {
        "base": 0.25,
        "features": [
            {"feature": "flow_byts_s", "value": "Infinity", "median": 81.5, "contribution": 0.5},
            {"feature": "idle_max", "value": 0.0, "median": 2.0, "contribution": -0.1},
        ],
        "rest": 0.25,
    }


def test_the_time_is_utc_and_now_by_default():
    table = flow_table(1)
    east = timezone(timedelta(hours=2))
    (made,) = verdict_records(table, verdicts_for(table), source="api", made_at=NOON.astimezone(east))
    assert made["timestamp"] == "2026-01-02T12:00:00.000005Z"
    before = datetime.now(UTC)
    (made,) = verdict_records(table, verdicts_for(table), source="api")
    assert before <= datetime.fromisoformat(made["timestamp"]) <= datetime.now(UTC)


def test_demo_is_marked():
    assert only(flow_table(1, sensor="demo"))["sensor"] == "demo"


def test_verdicts_of_another_table_are_refused():
    with pytest.raises(ValueError, match="2 verdicts for 3 flows"):
        verdict_records(flow_table(3), verdicts_for(flow_table(2)), source="api")


@settings(deadline=None)
@given(tables_with_verdicts())
def test_every_record_is_valid_and_survives_json(pair):
    table, verdicts = pair
    made = verdict_records(table, verdicts, source="file")
    assert len(made) == len(table)
    for row, each in enumerate(made):
        assert orjson.loads(orjson.dumps(each)) == each
        VALIDATOR.validate(each)
        assert int(each["flow_uid"], 16) == table.flow_uid[row]
        assert (each["start"] is None) or table.start_us[row] != UNKNOWN_TIME
        back = table_from_records([each["features"]], dialect="improved", required=table.feature_names).table
        np.testing.assert_array_equal(back.features[0], table.features[row])


def test_features_of_other_data_sets_keep_their_names():
    rows = np.array([[1.5, 3.0, 4.0]])
    table = FlowTable.from_features(rows, ("src_bytes", "tot_fwd_pkts", "count"), "improved")
    assert only(table)["features"] == {"src_bytes": 1.5, "tot_fwd_pkts": 3, "count": 4.0}
