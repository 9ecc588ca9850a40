"""From the columns of a file, whatever their spelling, to a FlowTable."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from flows.address_columns import packed_addresses
from flows.columns import DUPLICATED, METADATA, canonical
from flows.dialects import IMPROVED, PYTHON, known_dialect
from flows.headers import recognise
from flows.labels import UNLABELLED
from flows.schema import BY_NAME, COMMON_NAMES, IMPROVED_2024_NAMES, IMPROVED_NAMES
from flows.table import UNKNOWN_PORT, UNKNOWN_PROTOCOL, UNKNOWN_TIME, FlowTable
from flows.times import parse_times
from flows.units import to_schema_units

TEXTS: Final = ("flow_id", "timestamp", "label")
NO_VALUE: Final = "no value"
"""Why a row is left out that has none."""

FIVE_TUPLE: Final = ("src_ip", "src_port", "dst_ip", "dst_port", "protocol")


@dataclass(frozen=True, slots=True)
class Plan:
    """Which column of a file, by position, holds what.

    Attributes:
        dialect: the dialect that the header implies, or that the caller named.
        features: position of each feature, in canonical order: the 86 of `improved-2024`, the 81 of
            `improved`, or the 76; then those the caller requires besides.
        metadata: position of each metadata column, by canonical name.
        extras: position of each other column, by its title.
    """

    dialect: str
    features: dict[str, int]
    metadata: dict[str, int]
    extras: dict[str, int]


def plan_columns(
    titles: Sequence[str], *, dialect: str | None, where: str, required: Sequence[str] = COMMON_NAMES
) -> Plan:
    """Decide what each column of a file is.

    A header that implies no dialect takes the caller's, `improved` by default.

    Args:
        titles: of the columns.
        dialect: the caller's, None for the header's.
        where: names the file in messages.
        required: features the file must hold. Those that the schema does not know are columns of just
            that title.

    Raises:
        ValueError: required columns are missing, two columns hold one feature, or `dialect` is unknown.
            The message names them and `where`.
    """
    known: dict[str, int] = {}
    extras: dict[str, int] = {}
    foreign = {*required} - BY_NAME.keys()
    for position, title in enumerate(titles):
        own = title.strip("\ufeff \t")
        name = own if own in foreign else canonical(title)
        if name is None:
            extras[_free_name(own, extras)] = position
        elif name not in known:
            known[name] = position
        elif name != DUPLICATED:
            raise ValueError(f"{where}: columns {titles[known[name]]!r} and {title!r} are both {name}")
    missing = [name for name in required if name not in known]
    if len(missing) == len(required):
        raise ValueError(f"{where}: no header of flows: none of the {len(missing)} features is in it")
    if missing:
        raise ValueError(f"{where}: no column for {', '.join(missing)}")
    sets = (IMPROVED_2024_NAMES, IMPROVED_NAMES, COMMON_NAMES)
    names = next((names for names in sets if known.keys() >= {*names}), ())
    names = tuple(dict.fromkeys([*names, *required]))
    # A header with only some of the features beyond the 76 is another tool's.
    extras |= {titles[at].strip(): at for name, at in known.items() if name in BY_NAME and name not in names}
    return Plan(
        dialect=known_dialect(dialect or recognise(titles).dialect or IMPROVED),
        features={name: known[name] for name in names},
        metadata={name: at for name, at in known.items() if name in METADATA},
        extras=extras,
    )


def _free_name(title: str, taken: dict[str, int]) -> str:
    name, number = title, 0
    while name in taken:
        number += 1
        name = f"{title}.{number}"
    return name


def assemble(
    plan: Plan, column: Callable[[int], pa.Array], *, where: str, dropped: Counter[str] | None = None
) -> FlowTable:
    """Make a FlowTable of a file's columns; rows without a single feature value are left out.

    Args:
        plan: what each column is.
        column: returns the column at a position as one Arrow array, all of one length.
        where: names the file in messages.
        dropped: counts the rows left out, as NO_VALUE.

    Raises:
        ValueError: a feature column is not numeric; the message names it and `where`.
    """
    names = tuple(plan.features)
    features = _matrix(plan, column, where)
    to_schema_units(features, names, plan.dialect)
    columns = _identity(plan, column, where)
    texts = {name: decoded(column(at)) for name, at in plan.metadata.items() if name in TEXTS}
    extras = {name: plain_values(column(at)) for name, at in plan.extras.items()}
    if "timestamp" in texts:
        starts = _starts(texts["timestamp"], plan.dialect)
        columns["start_us"] = starts
        if "flow_duration" in names:
            columns["end_us"] = _ends(starts, features[:, names.index("flow_duration")])
        if _any(pc.and_(pc.not_equal(texts["timestamp"], ""), pa.array(starts == UNKNOWN_TIME))):
            extras["timestamp"] = texts["timestamp"].to_numpy(zero_copy_only=False)
    if "label" in texts and _any(pc.invert(pc.is_in(texts["label"], pa.array(UNLABELLED)))):
        extras["label"] = texts["label"].to_numpy(zero_copy_only=False)
    if "flow_id" in texts and not all(part in plan.metadata for part in FIVE_TUPLE):
        extras["flow_id"] = texts["flow_id"].to_numpy(zero_copy_only=False)
    table = FlowTable.from_features(features, names, plan.dialect, **columns, extras=extras)
    empty = np.isnan(features[:, 0])
    empty[empty] = np.isnan(features[empty]).all(axis=1)
    if not empty.any():
        return table
    if dropped is not None:
        dropped[NO_VALUE] += int(empty.sum())
    kept = table.take(~empty)
    return replace(kept, flow_uid=np.arange(len(kept), dtype=np.uint64))


def _matrix(plan: Plan, column: Callable[[int], pa.Array], where: str) -> NDArray[np.float64]:
    """Return the features, n x F: column by column, because millions of rows are not there twice."""
    matrix = np.empty((0, len(plan.features)))
    for place, (name, at) in enumerate(plan.features.items()):
        values = _numbers(column(at), where, name)
        if place == 0:
            matrix = np.empty((len(values), len(plan.features)))
        matrix[:, place] = values
    return matrix


def _identity(plan: Plan, column: Callable[[int], pa.Array], where: str) -> dict[str, Any]:
    identity: dict[str, Any] = {}
    for name, at in plan.metadata.items():
        if name in ("src_ip", "dst_ip"):
            identity[name.replace("ip", "addr")] = packed_addresses(decoded(column(at)))
        elif name in ("src_port", "dst_port"):
            identity[name] = _bounded(_numbers(column(at), where, name), 65535, UNKNOWN_PORT, np.int32)
        elif name == "protocol":
            identity[name] = _bounded(_numbers(column(at), where, name), 255, UNKNOWN_PROTOCOL, np.int16)
    return identity


def _any(mask: pa.Array) -> bool:
    return bool(pc.any(mask, min_count=0).as_py())


def _starts(text: pa.Array, dialect: str) -> NDArray[np.int64]:
    # PyPI cicflowmeter writes the local time of an unknown zone in the format of UTC times.
    return np.full(len(text), UNKNOWN_TIME) if dialect == PYTHON else parse_times(text)


def _ends(starts: NDArray[np.int64], durations: NDArray[np.float64]) -> NDArray[np.int64]:
    ends = np.full(len(starts), UNKNOWN_TIME)
    timed = (starts != UNKNOWN_TIME) & (np.abs(durations) < 2**62)
    ends[timed] = starts[timed] + durations[timed].astype(np.int64)
    return ends


def _numbers(values: pa.Array, where: str, name: str) -> NDArray[np.float64]:
    try:
        numbers = pc.cast(values, pa.float64(), safe=False)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise ValueError(f"{where}: column {name} is not numeric: {error}") from None
    result: NDArray[np.float64] = pc.fill_null(numbers, np.nan).to_numpy(zero_copy_only=False)
    return result


def _bounded(numbers: NDArray[np.float64], highest: int, unknown: int, dtype: type) -> NDArray[Any]:
    known = (numbers >= 0) & (numbers <= highest)
    return np.where(known, numbers, unknown).astype(dtype)


def decoded(values: pa.Array) -> pa.Array:
    """Return a column as strings without surrounding blanks, "" when null.

    Bytes that are not UTF-8 are taken for Windows-1252.
    """
    if not pa.types.is_binary(values.type):
        return pc.fill_null(pc.utf8_trim_whitespace(pc.cast(values, pa.string())), "")
    encoded = pc.dictionary_encode(pc.fill_null(values, b""))
    words = [_decoded(value).strip() for value in encoded.dictionary.to_pylist()]
    return pa.array(words, pa.string()).take(encoded.indices)


def _decoded(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("cp1252", errors="replace")


def plain_values(values: pa.Array) -> NDArray[Any]:
    """Return a column as integers when it holds such, else as floats, else as texts."""
    if pa.types.is_binary(values.type):
        values = decoded(values)
    if pa.types.is_string(values.type) or pa.types.is_large_string(values.type):
        values = _as_numbers(values)
    plain: NDArray[Any] = values.to_numpy(zero_copy_only=False)
    return plain


def _as_numbers(text: pa.Array) -> pa.Array:
    for kind in (pa.int64(), pa.float64()):
        try:
            return pc.cast(text, kind) if len(text) else text
        except pa.ArrowInvalid:
            continue
    return text
