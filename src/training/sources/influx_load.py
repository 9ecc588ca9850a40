"""Training data written to InfluxDB 1.x: every row is a point of its own."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from pathlib import Path, PurePath
from typing import Any, Final

import httpx
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from flows.address_columns import address_texts
from flows.table import UNKNOWN_TIME, FlowTable
from training.sources.influx import (
    DIALECT,
    START,
    InfluxLocation,
    create_database,
    query,
    selection,
)
from training.sources.read import ReadOptions, sources

POINTS_AT_ONCE: Final = 5_000
ROW: Final = "row"
"""The field that every point has: which row of its source it was, from 0."""

SOURCE: Final = "source"
LATEST_US: Final = 2**63 // 1000 - 10**12
"""Starts before this time can be told in nanoseconds, with room for rows that share one."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """What was written.

    Attributes:
        points: as many as rows.
        source: the tag that tells them from the points of other files.
        left_out: values that InfluxDB cannot hold, infinity and NaN.
    """

    points: int
    source: str
    left_out: int


def load_source(
    location: str | Path, target: InfluxLocation, options: ReadOptions, progress: Callable[[str, int], None]
) -> Iterator[tuple[str, Loaded]]:
    """Write every file of a location of training data, and yield its name and what was written.

    Rows that readers leave out, such as repeated headers, are not written; nothing else is cleaned.

    Args:
        progress: told a file's name and how many of its points were written so far.

    Raises:
        OSError, ValueError: as `training.sources.read.sources` and `load_flows`.
    """
    for source in sources(location, options):
        yield source.name, load_flows(source.table, source.name, target, partial(progress, source.name))


def load_flows(
    table: FlowTable, name: str, location: InfluxLocation, progress: Callable[[int], None]
) -> Loaded:
    """Write n flows as n points; the same flows written twice are there once.

    Fields are the features, by their canonical names, and what is known of addresses, ports, protocol,
    start and label; all numbers are floats. Tags are the dialect and the source.

    Args:
        name: of the file that the flows are of.
        progress: told how many points were written so far.

    Raises:
        OSError: the server cannot be reached, or refuses.
        ValueError: it does not take the points, or has another number of them afterwards.
    """
    fields: dict[str, pa.Array] = {name: pa.array(table.column(name)) for name in table.feature_names}
    fields |= {
        "src_ip": address_texts(table.src_addr),
        "dst_ip": address_texts(table.dst_addr),
        "src_port": _known(table.src_port),
        "dst_port": _known(table.dst_port),
        "protocol": _known(table.protocol),
        START: pa.array(table.start_us, mask=table.start_us == UNKNOWN_TIME),
    }
    if "label" in table.extras:
        fields["label"] = pa.array([None if text is None else str(text) for text in table.extras["label"]])
    return _load(
        fields, table.start_us, {DIALECT: table.dialect, SOURCE: _source(name, table)}, location, progress
    )


def _load(
    fields: Mapping[str, pa.Array],
    start_us: NDArray[np.int64],
    tags: Mapping[str, str],
    location: InfluxLocation,
    progress: Callable[[int], None],
) -> Loaded:
    n = len(start_us)
    numbered = {**fields, ROW: pa.array(np.arange(n))}
    texts = {name: _field_texts(name, values) for name, values in numbered.items()}
    times = pa.array(distinct_times(start_us)).cast(pa.string())
    series = _series(location.measurement, {**location.tags, **tags})
    with location.client() as client:
        create_database(location, client)
        for start in range(0, n, POINTS_AT_ONCE):
            here = [column.slice(start, POINTS_AT_ONCE) for column in texts.values()]
            values = pc.binary_join_element_wise(*here, ",", null_handling="skip")
            lines = pc.binary_join_element_wise(series, values, times.slice(start, POINTS_AT_ONCE), " ")
            _write(location, client, "\n".join(lines.to_pylist()))
            progress(min(start + POINTS_AT_ONCE, n))
        there = _count(location, client, tags)
    if there != n:
        raise ValueError(f"{location}: {n:,} rows were written, but {there:,} points are there")
    return Loaded(n, tags[SOURCE], sum(map(_unwritable, fields.values())))


def distinct_times(start_us: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the times of n points in nanoseconds, no two the same, in the order of their start.

    A point has the time of its flow's start, or the next nanosecond that is free. Flows whose start is
    not known are numbered from 0.
    """
    known = (start_us >= 0) & (start_us < LATEST_US)
    wanted = np.where(known, start_us, 0) * 1000
    order = np.argsort(wanted, kind="stable")
    places = np.arange(len(wanted))
    times = np.empty_like(wanted)
    times[order] = np.maximum.accumulate(wanted[order] - places) + places
    return times


def _source(name: str, table: FlowTable) -> str:
    """Return what tells a file's points from those of any other."""
    labels = table.extras["label"].tolist() if "label" in table.extras else []
    digest = sha256(repr(labels).encode())
    for column in (table.features, table.start_us, table.src_addr, table.src_port, table.dst_port):
        digest.update(np.ascontiguousarray(column).data)
    return f"{PurePath(name).name}@{digest.hexdigest()[:12]}"


def _known(values: NDArray[np.integer[Any]]) -> pa.Array:
    return pa.array(values, mask=values < 0)


def _field_texts(name: str, values: pa.Array) -> pa.Array:
    """Return `name=value` for every row, null where there is no value."""
    if pa.types.is_boolean(values.type):
        texts = pc.if_else(values, "true", "false")
    elif pa.types.is_floating(values.type) or pa.types.is_integer(values.type):
        # As a float always: a field has one type in all points, whatever file they are of.
        numbers = values.cast(pa.float64())
        texts = pc.if_else(pc.is_finite(numbers), numbers.cast(pa.string()), None)
    else:
        escaped = pc.replace_substring(pc.replace_substring(values, "\\", "\\\\"), '"', '\\"')
        texts = pc.binary_join_element_wise('"', escaped, '"', "")
    return pc.binary_join_element_wise(_escaped(name), texts, "=")


def _unwritable(values: pa.Array) -> int:
    if not pa.types.is_floating(values.type):
        return 0
    return int(pc.sum(pc.invert(pc.is_finite(values))).as_py() or 0)


def _series(measurement: str, tags: Mapping[str, str]) -> str:
    named = (f"{_escaped(name)}={_escaped(value)}" for name, value in sorted(tags.items()))
    return ",".join([measurement.replace(",", "\\,").replace(" ", "\\ "), *named])


def _escaped(text: str) -> str:
    for character in ",= ":
        text = text.replace(character, f"\\{character}")
    return text


def _write(location: InfluxLocation, client: httpx.Client, lines: str) -> None:
    response = client.post(
        "/write",
        params={"db": location.database, "precision": "ns"},
        content=gzip.compress(lines.encode(), 1),
        headers={"Content-Encoding": "gzip"},
    )
    location.check(response)


def _count(location: InfluxLocation, client: httpx.Client, tags: Mapping[str, str]) -> int:
    counted = query(location, client, f'SELECT COUNT("{ROW}") FROM {selection(location, tags)}')
    return sum(row[1] for rows in counted for row in rows.values)
