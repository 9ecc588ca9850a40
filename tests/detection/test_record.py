from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from detection.record import BenignQuantiles, ModelRecord
from helpers.models import make_record


def changed(**fields: Any) -> str:
    return json.dumps(json.loads(make_record().to_json()) | fields)


def test_survives_json() -> None:
    record = make_record(threshold=0.9375)
    assert ModelRecord.from_json(record.to_json()) == record


def test_knows_its_benign_column() -> None:
    assert make_record(classes=(5, 0, 17)).benign_column == 1


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({"threshold": 0}, "threshold: 0.0 is not above 0"),
        ({"threshold": 1.5}, "threshold: 1.5 is not above 0 and at most 1"),
        ({"threshold": "high"}, "threshold: Input should be a valid number"),
        (
            {"features": ["flow_duration", "Dst Port"]},
            "features: 'Dst Port' are no features' canonical names",
        ),
        (
            {"features": ["Flow Duration", "dst_port"]},
            "features: 'Flow Duration', 'dst_port' are no",
        ),
        ({"features": ["src_bytes", " "]}, "features: ' ' are no features' canon"),
        ({"features": []}, "features: Tuple should have at least 1 item"),
        ({"features": ["flow_duration"] * 2}, "features: flow_duration: a name stands twice"),
        ({"schema_id": "0" * 16}, "their units differ"),
        ({"classes": [5, 17, 1]}, "classes: must hold 0"),
        ({"classes": [0, 5, 5]}, "classes: must hold 0 .benign. and no code twice"),
        ({"classes": [0, 5, 999]}, "classes: codes 999 are not in the label table"),
        ({"class_names": ["Benign", "DoS Hulk", "Bot"]}, "class_names: do not match"),
        ({"context_windows": ["60s"]}, "context_windows: this version measures none"),
        ({"record_format": 2}, "record_format: Input should be 1"),
        ({"windows": 3}, "windows: Extra inputs are not permitted"),
        ({"benign_quantiles": {"levels": [0.5], "values": [[1.0]]}}, "benign_quantiles: must be one row"),
        (
            {"preprocessing": {"nan": 0, "infinity": 0, "minimum": 1, "maximum": 1}},
            "preprocessing: minimum must be below maximum",
        ),
    ],
)
def test_names_the_field_that_is_wrong(fields: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        ModelRecord.from_json(changed(**fields))


def test_rule_needs_its_features() -> None:
    with pytest.raises(ValueError, match="insufficient: the rule needs tot_fwd_pkts"):
        make_record(names=("flow_duration", "flow_byts_s"))
    assert make_record(names=("flow_duration", "flow_byts_s"), insufficient=None).insufficient is None


def test_refuses_what_is_no_json() -> None:
    with pytest.raises(ValueError, match="Invalid JSON"):
        ModelRecord.from_json(b"\x80\x04")


def test_features_of_other_data_sets_have_their_own_names() -> None:
    names = ("flow_duration", "src_bytes", "dst_host_count")
    record = make_record(names=names, insufficient=None)
    assert ModelRecord.from_json(record.to_json()).features == names
    assert record.schema_id != make_record(names=names[::-1], insufficient=None).schema_id


def test_the_column_that_cic_ids2017_has_twice_may_stand_twice() -> None:
    names = ("fwd_header_len", "flow_duration", "fwd_header_len")
    assert make_record(names=names, insufficient=None).features == names
    with pytest.raises(ValueError, match="fwd_header_len: a name stands twice"):
        make_record(names=(*names, "fwd_header_len"), insufficient=None)


def test_benign_quantiles_are_one_row_a_feature() -> None:
    rows = np.column_stack([np.arange(21.0), np.full(21, 7.0), np.full(21, np.nan)])
    rows[5, 1] = np.nan
    found = BenignQuantiles.of(rows)
    assert found.values[0] == pytest.approx(tuple(range(21)))
    assert found.values[1:] == ((7.0,) * 21, (0.0,) * 21)
    assert (found.levels[0], found.levels[10], found.levels[-1]) == (0.0, 0.5, 1.0)


def test_without_a_benign_flow_there_are_no_quantiles() -> None:
    found = BenignQuantiles.of(np.empty((0, 3)))
    assert (found.levels, found.values) == ((), ((), (), ()))
