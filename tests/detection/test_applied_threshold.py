from __future__ import annotations

from datetime import UTC, datetime

import pytest

from detection.applied_threshold import AppliedThreshold, read_applied, write_applied
from helpers.models import make_scorer

APPLIED = AppliedThreshold(
    model_name="ml-ids",
    model_version="1",
    threshold=0.875,
    alerts_per_day=10,
    flows=1234,
    seconds=86_400,
    made_at=datetime(2026, 11, 21, 14, tzinfo=UTC),
)


def test_what_is_applied_is_read_again(tmp_path):
    path = tmp_path / "state" / "threshold.json"
    assert read_applied(path) is None
    write_applied(path, APPLIED)
    assert read_applied(path) == APPLIED
    write_applied(path, APPLIED.model_copy(update={"threshold": 0.5}))
    assert read_applied(path).threshold == 0.5
    assert [file.name for file in path.parent.iterdir()] == ["threshold.json"]


def test_it_holds_for_one_version_of_one_model():
    assert APPLIED.holds_for(make_scorer(version="1"))
    assert not APPLIED.holds_for(make_scorer(version="2"))
    assert not APPLIED.model_copy(update={"model_name": "other"}).holds_for(make_scorer(version="1"))


@pytest.mark.parametrize(
    "text", ["", "{}", APPLIED.model_dump_json().replace("0.875", "0"), APPLIED.model_dump_json()[:-5]]
)
def test_a_broken_file_is_said_with_its_cure(tmp_path, text):
    path = tmp_path / "threshold.json"
    path.write_text(text)
    with pytest.raises(ValueError, match=r"threshold\.json: not what ml-ids calibrate writes: run ml-ids"):
        read_applied(path)


def test_what_cannot_be_read_is_said(tmp_path):
    with pytest.raises(ValueError, match="Is a directory"):
        read_applied(tmp_path)
