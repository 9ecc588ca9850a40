"""Envelopes: the JSON bodies of MLflow's scoring protocol, to rows of flows.

`dataframe_split` {columns, data, index?}, `dataframe_records` [{...}, ...], and `instances` or `inputs` as
a list of objects or an object of columns. null is NaN in all of them, as pandas writes it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from flows.identity import shortened
from flows.records import Rows, rows_of
from inference_server.web.errors import UnprocessableError

SPLIT: Final = "dataframe_split"
RECORDS: Final = "dataframe_records"
INSTANCES: Final = "instances"
INPUTS: Final = "inputs"
ENVELOPES: Final = (SPLIT, RECORDS, INSTANCES, INPUTS)
_BESIDE: Final = "params"
_SPLIT_KEYS: Final = ("columns", "data", "index")


def envelope_of(content: Mapping[str, object]) -> str | None:
    """Return which envelope a body is, None when it is none.

    Raises:
        UnprocessableError: it is several, or holds other keys beside it.
    """
    found = [name for name in ENVELOPES if name in content]
    if not found:
        return None
    others = [key for key in content if key not in (found[0], _BESIDE)]
    if others:
        raise UnprocessableError(f"{found[0]}: send nothing beside it, not {_quoted(others[0])}")
    return found[0]


def envelope_rows(name: str, content: Any) -> list[Rows]:
    """Return the flows that an envelope holds.

    Raises:
        UnprocessableError: it is not what its name says; names the place and the fix.
    """
    if name == SPLIT:
        return split_rows(content, name)
    if name != RECORDS and isinstance(content, dict):
        return _columns(name, content)
    return rows_of(records_in(content, name), null_is_nan=True)


def records_in(content: object, name: str) -> list[Mapping[str, object]]:
    """Return a list of flat objects; `name` is what messages call it.

    Raises:
        UnprocessableError: it is none.
    """
    if not isinstance(content, list):
        raise UnprocessableError(f"{name} is {kind(content)}: send a list of objects of flow features")
    for number, record in enumerate(content):
        if not isinstance(record, dict):
            unnamed = isinstance(record, list) and name in (INSTANCES, INPUTS)
            hint = f"; name the columns: send {SPLIT} with columns and data" if unnamed else ""
            raise UnprocessableError(
                f"Not an object of flow features: {name}: entry {number} is {kind(record)}{hint}"
            )
    return content


def split_rows(content: object, name: str) -> list[Rows]:
    """Return the flows of an object of columns and data; `name` is what messages call it.

    Raises:
        UnprocessableError: it is not such an object; names the place and the fix.
    """
    if not isinstance(content, dict):
        raise UnprocessableError(f"{name} is {kind(content)}: send an object with columns and data")
    if more := [key for key in content if key not in _SPLIT_KEYS]:
        raise UnprocessableError(f"{name}: unknown key {_quoted(more[0])}: send columns, data and index")
    columns, data = (_list(content, key, name) for key in _SPLIT_KEYS[:2])
    titles = _titles(columns, name)
    for number, row in enumerate(data):
        if type(row) is not list:
            raise UnprocessableError(f"{name}.data: row {number} is {kind(row)}: send a list of values")
        if len(row) != len(titles):
            raise UnprocessableError(
                f"{name}.data: row {number} has {len(row)} values for {len(titles)} columns"
            )
    return [Rows(titles, data, null_is_nan=True)]


def _list(content: Mapping[str, object], key: str, name: str) -> list[Any]:
    if key not in content:
        raise UnprocessableError(f"{name} has no {key}: send columns and data")
    values = content[key]
    if not isinstance(values, list):
        raise UnprocessableError(f"{name}.{key} is {kind(values)}: send a list")
    return values


def _titles(columns: Sequence[object], name: str) -> tuple[str, ...]:
    if set(map(type, columns)) - {str}:
        number, title = next(entry for entry in enumerate(columns) if type(entry[1]) is not str)
        raise UnprocessableError(f"{name}.columns: entry {number} is {kind(title)}: send feature names")
    return tuple(map(str, columns))


def _columns(name: str, content: Mapping[str, object]) -> list[Rows]:
    """Return the rows of an object of columns; values that are no lists are one row."""
    columns = {key: value if isinstance(value, list) else [value] for key, value in content.items()}
    lengths = {key: len(values) for key, values in columns.items()}
    first = next(iter(lengths), None)
    for key, length in lengths.items():
        if first is not None and length != lengths[first]:
            raise UnprocessableError(
                f"{name}: column {_quoted(key)} has {length} values, "
                f"column {_quoted(first)} has {lengths[first]}"
            )
    return [Rows(tuple(columns), list(zip(*columns.values(), strict=True)), null_is_nan=True)]


def _quoted(key: str) -> str:
    return shortened(repr(key))


def kind(value: object) -> str:
    """Return what a JSON value is, for messages."""
    names: dict[type, str] = {
        **{bool: "a boolean", int: "a number", float: "a number"},
        **{str: "a string", list: "a list", dict: "an object"},
    }
    return names.get(type(value), "null")
