"""Records: flat JSON objects of flow features, in any set's spelling, to a FlowTable."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from flows.addresses import UNKNOWN, pack_address
from flows.columns import METADATA, canonical
from flows.dialects import known_dialect
from flows.schema import COMMON_NAMES
from flows.table import UNKNOWN_PORT, UNKNOWN_PROTOCOL, FlowTable
from flows.units import to_schema_units, unit_warnings

NO_FEATURES: Final = "No features provided"
NAMED_AT_MOST: Final = 20
SHOWN_AT_MOST: Final = 64
_SYMBOLS: Final = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


class FeatureError(ValueError):
    """A record's features cannot be used.

    Attributes:
        missing: canonical names of the required features it lacks.
        not_numeric: keys, as sent, whose value is no number.
        conflicting: pairs of keys that are one feature with two values.
    """

    def __init__(
        self,
        message: str,
        *,
        missing: Sequence[str] = (),
        not_numeric: Sequence[str] = (),
        conflicting: Sequence[tuple[str, str]] = (),
    ) -> None:
        super().__init__(message)
        self.missing = tuple(missing)
        self.not_numeric = tuple(not_numeric)
        self.conflicting = tuple(conflicting)


@dataclass(frozen=True, slots=True)
class ParsedRecords:
    """The flows of some records, and what their sender should know about them."""

    table: FlowTable
    warnings: tuple[str, ...]


def table_from_records(
    records: Sequence[Mapping[str, object]], *, dialect: str, required: Sequence[str] = COMMON_NAMES
) -> ParsedRecords:
    """Make a table with exactly the `required` features of n records.

    Keys may be in any set's spelling. Numbers are JSON numbers, or the texts NaN, Infinity and
    -Infinity. Five-tuple keys become the flow's identity; flow id, timestamp and label are kept as
    extras; other unknown keys are ignored with a warning. Units are converted from `dialect`'s.

    Raises:
        FeatureError: there are no records, or one lacks required features, or has values that are no
            numbers, or two keys for one feature with different values.
        ValueError: `dialect` is unknown.
    """
    known_dialect(dialect)
    if not records:
        raise FeatureError(NO_FEATURES)
    unknown: dict[str, None] = {}
    warnings: list[str] = []
    rows: list[list[float]] = []
    metadata: list[dict[str, object]] = []
    for number, record in enumerate(records):
        where = f"record {number}: " if len(records) > 1 else ""
        sent = _by_name(record, unknown, where)
        rows.append(_row(sent, required, where))
        metadata.append({name: value for name, (_, value) in sent.items() if name in METADATA})
    if unknown:
        warnings.append(f"Ignored unknown keys: {_listed(unknown)}")
    features = np.array(rows, np.float64)
    to_schema_units(features, required, dialect)
    table = FlowTable.from_features(features, required, dialect, **_columns(metadata, warnings))
    return ParsedRecords(table, (*warnings, *unit_warnings(table)))


def _by_name(
    record: Mapping[str, object], unknown: dict[str, None], where: str
) -> dict[str, tuple[str, object]]:
    """Return each known key and its value by canonical name; unknown keys are added to `unknown`."""
    if not record:
        raise FeatureError(f"{where}{NO_FEATURES}")
    sent: dict[str, tuple[str, object]] = {}
    conflicting: list[tuple[str, str]] = []
    for key, value in record.items():
        name = canonical(key)
        if name is None:
            unknown[key] = None
        elif name not in sent:
            sent[name] = (key, value)
        elif not _same(sent[name][1], value):
            conflicting.append((sent[name][0], key))
    if conflicting:
        pairs = "; ".join(f"{first!r} and {second!r}" for first, second in conflicting)
        raise FeatureError(f"{where}Two values for one feature: {pairs}", conflicting=conflicting)
    return sent


def _same(first: object, second: object) -> bool:
    numbers = _number(first), _number(second)
    if numbers[0] is None or numbers[1] is None:
        return type(first) is type(second) and first == second
    return numbers[0] == numbers[1] or (math.isnan(numbers[0]) and math.isnan(numbers[1]))


def _row(sent: Mapping[str, tuple[str, object]], required: Sequence[str], where: str) -> list[float]:
    missing: list[str] = []
    not_numeric: list[str] = []
    row: list[float] = []
    for name in required:
        if name not in sent:
            missing.append(name)
            continue
        key, value = sent[name]
        number = _number(value)
        if number is None:
            not_numeric.append(key)
        else:
            row.append(number)
    problems = []
    if missing:
        problems.append(f"Missing features: {', '.join(missing)}")
    if not_numeric:
        problems.append(f"Not numeric: {', '.join(not_numeric)}")
    if problems:
        raise FeatureError(where + ". ".join(problems), missing=missing, not_numeric=not_numeric)
    return row


def _number(value: object) -> float | None:
    if type(value) is float:
        return value
    if isinstance(value, str):
        return _SYMBOLS.get(value)
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        try:
            return float(value)
        except OverflowError:
            return None
    return None


def _columns(metadata: Sequence[Mapping[str, object]], warnings: list[str]) -> dict[str, Any]:
    def parsed(name: str, parse: Callable[[object], Any], unknown: object) -> list[Any]:
        values: list[Any] = []
        refused: list[object] = []
        for row in metadata:
            value = row.get(name)
            try:
                values.append(unknown if value is None or value == "" else parse(value))
            except ValueError:
                values.append(unknown)
                refused.append(value)
        if refused:
            first = _shortened(repr(refused[0]))
            warnings.append(f"{name} unknown in {len(refused)} of {len(metadata)} flows: cannot use {first}")
        return values

    def addresses(name: str) -> NDArray[np.uint8]:
        return np.frombuffer(b"".join(parsed(name, _address, UNKNOWN)), np.uint8).reshape(-1, 16)

    texts = {name: parsed(name, _scalar, None) for name in ("flow_id", "timestamp", "label")}
    return {
        "src_addr": addresses("src_ip"),
        "dst_addr": addresses("dst_ip"),
        "src_port": np.array(parsed("src_port", _port, UNKNOWN_PORT), np.int32),
        "dst_port": np.array(parsed("dst_port", _port, UNKNOWN_PORT), np.int32),
        "protocol": np.array(parsed("protocol", _protocol, UNKNOWN_PROTOCOL), np.int16),
        "extras": {
            name: np.array([*values, None], dtype=object)[:-1]
            for name, values in texts.items()
            if any(value is not None for value in values)
        },
    }


def _address(value: object) -> bytes:
    if not isinstance(value, str):
        raise ValueError("no text")
    return pack_address(value)


def _port(value: object) -> int:
    return _integer(value, 65535)


def _protocol(value: object) -> int:
    return _integer(value, 255)


def _integer(value: object, highest: int) -> int:
    number = _number(value)
    if number is None and isinstance(value, str):
        number = float(value)
    if number is None or not number.is_integer() or not 0 <= number <= highest:
        raise ValueError(f"not an integer from 0 to {highest}")
    return int(number)


def _scalar(value: object) -> object:
    if not isinstance(value, (str, int, float)):
        raise ValueError("neither text nor number")
    return value


def _listed(names: Iterable[str]) -> str:
    shown = [_shortened(name) for name in names]
    more = len(shown) - NAMED_AT_MOST
    return ", ".join(shown[:NAMED_AT_MOST]) + (f" and {more} more" if more > 0 else "")


def _shortened(text: str) -> str:
    return text if len(text) <= SHOWN_AT_MOST else f"{text[:SHOWN_AT_MOST]}..."
