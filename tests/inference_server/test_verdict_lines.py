from __future__ import annotations

import json

from flows.verdict_record import verdict_records
from helpers.models import make_scorer, typical_table
from inference_server.verdict_lines import verdict_lines


def test_lines_are_verdicts_with_a_number_and_without_features() -> None:
    table = typical_table([0, 5, 17])
    verdicts = make_scorer().score(table)
    lines = [json.loads(line) for line in verdict_lines(table, verdicts, after=7, source="upload")]
    assert [line.pop("n") for line in lines] == [8, 9, 10]
    for line, record in zip(lines, verdict_records(table, verdicts, source="upload"), strict=True):
        del record["features"]
        line["timestamp"] = record["timestamp"]
        assert line == record
    assert verdict_lines(table.take(slice(0, 0)), verdicts.take(slice(0, 0)), after=0, source="x") == []
