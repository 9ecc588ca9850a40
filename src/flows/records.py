"""Flows as others send them, below titles of any set's spelling, to a FlowTable."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, groupby
from operator import itemgetter
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from flows.dialects import known_dialect
from flows.identity import identity_columns, shortened
from flows.numbers import number, same
from flows.schema import COMMON_NAMES
from flows.table import FlowTable
from flows.titles import Titles, read_titles
from flows.units import to_schema_units, unit_warnings

NO_FEATURES: Final = "No features provided"
NAMED_AT_MOST: Final = 20


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
class Rows:
    """Flows that have their values in the same order.

    Attributes:
        titles: of the columns, in any set's spelling.
        values: one sequence a flow, as long as `titles`.
        null_is_nan: None is the number NaN, as in pandas' JSON, instead of no number.
    """

    titles: tuple[str, ...]
    values: Sequence[Sequence[object]]
    null_is_nan: bool = False


@dataclass(frozen=True, slots=True)
class ParsedRecords:
    """The flows of some records, and what their sender should know about them."""

    table: FlowTable
    warnings: tuple[str, ...]


def rows_of(records: Iterable[Mapping[str, object]], *, null_is_nan: bool = False) -> list[Rows]:
    """Return flat objects as rows: those that follow each other with the same keys together."""
    return [
        Rows(titles, [tuple(record.values()) for record in group], null_is_nan)
        for titles, group in groupby(records, tuple)
    ]


def table_from_records(
    records: Sequence[Mapping[str, object]], *, dialect: str, required: Sequence[str] = COMMON_NAMES
) -> ParsedRecords:
    """Make a table of flat objects; see `table_from_rows`."""
    return table_from_rows(rows_of(records), dialect=dialect, required=required)


def table_from_rows(
    parts: Sequence[Rows],
    *,
    dialect: str,
    required: Sequence[str] = COMMON_NAMES,
    optional: frozenset[str] = frozenset(),
) -> ParsedRecords:
    """Make a table with exactly the `required` features of n flows; those of `optional` are NaN where absent.

    Numbers are JSON numbers, or the texts NaN, Infinity and -Infinity. Five-tuple columns become the
    flow's identity; flow id, timestamp and label are kept as extras; other unknown columns are ignored
    with a warning. Units are converted from `dialect`'s.

    Raises:
        FeatureError: there are no flows, or one lacks required features, or has values that are no
            numbers, or two columns of one feature with different values.
        ValueError: `dialect` is unknown.
    """
    known_dialect(dialect)
    required = tuple(required)
    flows = sum(len(part.values) for part in parts)
    if not flows:
        raise FeatureError(NO_FEATURES)
    titles: list[Titles] = []
    features: list[NDArray[np.float64]] = []
    first = 0
    for part in parts:
        titles.append(read_titles(part.titles, required, optional))
        found = _features(part, titles[-1], required, first if flows > 1 else None)
        features.append(with_absent(found, titles[-1], required))
        first += len(part.values)
    matrix = features[0] if len(features) == 1 else np.concatenate(features)
    warnings = unknown_keys(dict.fromkeys(chain.from_iterable(each.unknown for each in titles)))
    to_schema_units(matrix, required, dialect)
    columns = identity_columns(_metadata(parts, titles), warnings)
    table = FlowTable.from_features(matrix, required, dialect, **columns)
    return ParsedRecords(table, (*warnings, *unit_warnings(table)))


def with_absent(found: NDArray[np.float64], titles: Titles, required: tuple[str, ...]) -> NDArray[np.float64]:
    """Return the required features of n rows, NaN where there is no column, of those that have one."""
    if found.shape[1] == len(required):
        return found
    matrix = np.full((len(found), len(required)), np.nan)
    matrix[:, [name in titles.where for name in required]] = found
    return matrix


def unknown_keys(unknown: Collection[str]) -> list[str]:
    """Return what to tell who sent keys that no set has: a line, or nothing."""
    return [f"Ignored unknown keys: {_listed(unknown)}"] if unknown else []


def _features(
    rows: Rows, titles: Titles, required: tuple[str, ...], first: int | None
) -> NDArray[np.float64]:
    """Return the required features of n rows that have columns; messages call the first row `first`."""
    if not titles.missing and titles.features:
        picked = _picked(titles.features, rows.values)
        if _plain_numbers(picked, rows.null_is_nan) and not any(
            not same(row[one], row[other]) for one, other in titles.repeated for row in rows.values
        ):
            try:
                return np.array(picked, np.float64)
            except OverflowError:
                pass
    checked = [
        _checked(row, rows, titles, required, "" if first is None else f"record {first + at}: ")
        for at, row in enumerate(rows.values)
    ]
    return np.array(checked, np.float64)


def _picked(positions: tuple[int, ...], values: Sequence[Sequence[object]]) -> Sequence[Sequence[object]]:
    if positions == tuple(range(len(values[0]))):
        return values
    pick: Callable[[Any], Any] = itemgetter(*positions)
    return [pick(row) for row in values] if len(positions) > 1 else [(pick(row),) for row in values]


def _plain_numbers(values: Sequence[Sequence[object]], null_is_nan: bool) -> bool:
    allowed = {float, int, type(None)} if null_is_nan else {float, int}
    return allowed.issuperset(map(type, chain.from_iterable(values)))


def _checked(
    row: Sequence[object], rows: Rows, titles: Titles, required: tuple[str, ...], where: str
) -> list[float]:
    """Return one row's required features, value by value.

    Raises:
        FeatureError: they cannot be used; names all that is wrong with the row.
    """
    if not row:
        raise FeatureError(f"{where}{NO_FEATURES}")
    names = titles.names
    conflicting = [
        (names[one], names[other]) for one, other in titles.repeated if not same(row[one], row[other])
    ]
    if conflicting:
        pairs = "; ".join(f"{one!r} and {other!r}" for one, other in conflicting)
        raise FeatureError(f"{where}Two values for one feature: {pairs}", conflicting=conflicting)
    present = [titles.where[name] for name in required if name in titles.where]
    numbers = [np.nan if rows.null_is_nan and row[at] is None else number(row[at]) for at in present]
    not_numeric = [names[at] for at, value in zip(present, numbers, strict=True) if value is None]
    problems = []
    if titles.missing:
        problems.append(f"Missing features: {', '.join(titles.missing)}")
    if not_numeric:
        problems.append(f"Not numeric: {', '.join(not_numeric)}")
    if problems:
        raise FeatureError(where + ". ".join(problems), missing=titles.missing, not_numeric=not_numeric)
    return [value for value in numbers if value is not None]


def _metadata(parts: Sequence[Rows], titles: Sequence[Titles]) -> dict[str, list[object]]:
    """Return n values of each metadata column that any part has; None where a part has it not."""
    names = dict.fromkeys(chain.from_iterable(each.metadata for each in titles))
    return {
        name: [
            None if (at := each.metadata.get(name)) is None else row[at]
            for part, each in zip(parts, titles, strict=True)
            for row in part.values
        ]
        for name in names
    }


def _listed(names: Iterable[str]) -> str:
    shown = [shortened(name) for name in names]
    more = len(shown) - NAMED_AT_MOST
    return ", ".join(shown[:NAMED_AT_MOST]) + (f" and {more} more" if more > 0 else "")
