"""Flows in Arrow columns, below titles of any set's spelling, to a FlowTable."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from flows.dialects import known_dialect
from flows.identity import identity_columns
from flows.records import NO_FEATURES, FeatureError, ParsedRecords, unknown_keys, with_absent
from flows.schema import COMMON_NAMES
from flows.table import FlowTable
from flows.titles import read_titles
from flows.units import to_schema_units, unit_warnings


def table_from_arrow(
    batch: pa.Table,
    *,
    dialect: str,
    required: Sequence[str] = COMMON_NAMES,
    optional: frozenset[str] = frozenset(),
) -> ParsedRecords:
    """Make a table with exactly the `required` features of n flows, as `table_from_rows` does of rows.

    Features are columns of integers or floats; null is NaN.

    Raises:
        FeatureError: there are no flows, required features are missing, or columns of another type, or two
            columns of one feature differ.
        ValueError: `dialect` is unknown.
    """
    known_dialect(dialect)
    required = tuple(required)
    titles = read_titles(tuple(batch.column_names), required, optional)
    if not batch.num_rows or not titles.names:
        raise FeatureError(NO_FEATURES)
    present = [titles.where[name] for name in required if name in titles.where]
    not_numeric = [titles.names[at] for at in present if not _is_numeric(batch.schema.field(at).type)]
    if problems := _problems(titles.missing, not_numeric):
        raise FeatureError(problems, missing=titles.missing, not_numeric=not_numeric)
    conflicting = [
        (titles.names[one], titles.names[other])
        for one, other in titles.repeated
        if not _same(batch.column(one), batch.column(other))
    ]
    if conflicting:
        pairs = "; ".join(f"{one!r} and {other!r}" for one, other in conflicting)
        raise FeatureError(f"Two values for one feature: {pairs}", conflicting=conflicting)
    found = np.empty((batch.num_rows, len(titles.features)))
    for column, at in enumerate(titles.features):
        found[:, column] = _floats(batch.column(at))
    matrix = with_absent(found, titles, required)
    warnings = unknown_keys(titles.unknown)
    to_schema_units(matrix, required, dialect)
    metadata = {name: batch.column(at).to_pylist() for name, at in titles.metadata.items()}
    table = FlowTable.from_features(matrix, required, dialect, **identity_columns(metadata, warnings))
    return ParsedRecords(table, (*warnings, *unit_warnings(table)))


def _problems(missing: Sequence[str], not_numeric: Sequence[str]) -> str:
    problems = [f"Missing features: {', '.join(missing)}"] if missing else []
    problems += [f"Not numeric: {', '.join(not_numeric)}"] if not_numeric else []
    return ". ".join(problems)


def _is_numeric(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_null(kind))


def _floats(column: pa.ChunkedArray) -> NDArray[np.float64]:
    values = column.cast(pa.float64(), safe=False)
    if values.null_count:
        values = pc.fill_null(values, np.nan)
    return np.asarray(values.to_numpy())


def _same(one: pa.ChunkedArray, other: pa.ChunkedArray) -> bool:
    if _is_numeric(one.type) and _is_numeric(other.type):
        return bool(np.array_equal(_floats(one), _floats(other), equal_nan=True))
    return bool(one.type == other.type and one.equals(other))
