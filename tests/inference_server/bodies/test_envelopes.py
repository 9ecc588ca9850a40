from __future__ import annotations

import json
from typing import Any

import pandas as pd
import pytest

from flows.records import Rows
from inference_server.bodies.envelopes import ENVELOPES, envelope_of, envelope_rows
from inference_server.web.errors import UnprocessableError


def _rows(body: dict[str, Any]) -> list[Rows]:
    name = envelope_of(body)
    assert name is not None
    return envelope_rows(name, body[name])


@pytest.mark.parametrize("orient", ["split", "records"])
def test_what_pandas_writes(orient: Any) -> None:
    frame = pd.DataFrame({"a": [1.5, float("nan")], "b": [3, 4]}, index=[7, 8])
    (rows,) = _rows({f"dataframe_{orient}": json.loads(frame.to_json(orient=orient))})
    assert rows.titles == ("a", "b")
    assert [list(values) for values in rows.values] == [[1.5, 3], [None, 4]]
    assert rows.null_is_nan


@pytest.mark.parametrize("name", ["instances", "inputs"])
def test_lists_of_objects_and_objects_of_columns_are_the_same(name: str) -> None:
    by_row = _rows({name: [{"a": 1, "b": 2}, {"a": 3, "b": 4}]})
    assert by_row == [Rows(("a", "b"), [(1, 2), (3, 4)], null_is_nan=True)]
    assert _rows({name: {"a": [1, 3], "b": [2, 4]}}) == by_row
    assert _rows({name: {"a": 1, "b": 2}}) == [Rows(("a", "b"), [(1, 2)], null_is_nan=True)]


def test_params_are_ignored() -> None:
    assert _rows({"inputs": [{"a": 1}], "params": {"x": 1}}) == _rows({"inputs": [{"a": 1}]})


def test_a_flow_is_no_envelope() -> None:
    assert envelope_of({"flow_duration": 1}) is None


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"inputs": [], "instances": []}, "instances: send nothing beside it, not 'inputs'"),
        ({"inputs": [], "flow_duration": 1}, "inputs: send nothing beside it, not 'flow_duration'"),
        ({"dataframe_split": []}, "dataframe_split is a list: send an object with columns and data"),
        ({"dataframe_split": {"data": [[1]]}}, "dataframe_split has no columns"),
        ({"dataframe_split": {"columns": ["a"]}}, "dataframe_split has no data"),
        ({"dataframe_split": {"columns": {}, "data": []}}, r"dataframe_split.columns is an object"),
        ({"dataframe_split": {"columns": [], "data": None}}, r"dataframe_split.data is null"),
        ({"dataframe_split": {"columns": [], "data": [], "rows": 1}}, "unknown key 'rows'"),
        ({"dataframe_split": {"columns": ["a", 1], "data": []}}, "columns: entry 1 is a number"),
        ({"dataframe_split": {"columns": ["a"], "data": [[1], 2]}}, "row 1 is a number"),
        ({"dataframe_split": {"columns": ["a"], "data": [[1], [1, 2]]}}, "row 1 has 2 values for 1 columns"),
        ({"dataframe_records": {"a": [1]}}, "dataframe_records is an object: send a list of objects"),
        ({"dataframe_records": [{"a": 1}, None]}, "dataframe_records: entry 1 is null"),
        ({"inputs": [[1, 2]]}, "inputs: entry 0 is a list; name the columns: send dataframe_split"),
        ({"instances": 7}, "instances is a number"),
        ({"inputs": {"a": [1, 2], "b": [1]}}, "inputs: column 'b' has 1 values, column 'a' has 2"),
        ({"inputs": {"a": [1, 2], "b": 1}}, "inputs: column 'b' has 1 values, column 'a' has 2"),
    ],
)
def test_what_is_not_what_its_name_says(body: dict[str, Any], message: str) -> None:
    with pytest.raises(UnprocessableError, match=message):
        _rows(body)


@pytest.mark.parametrize("name", ENVELOPES)
def test_long_names_are_cut_short_in_messages(name: str) -> None:
    with pytest.raises(UnprocessableError) as caught:
        _rows({name: [], "x" * 100_000: 1})
    assert len(str(caught.value)) < 200
