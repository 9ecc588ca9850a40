from __future__ import annotations

import json
from typing import Any

import pytest

from detection.record import ModelRecord
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
        ({"features": ["flow_duration", "tot_fwd"]}, "features: tot_fwd are not in the feature schema"),
        ({"features": []}, "features: Tuple should have at least 1 item"),
        ({"features": ["flow_duration"] * 2}, "features: a name stands twice"),
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
