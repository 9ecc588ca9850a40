"""Training data in InfluxDB 1.x, read over its HTTP API."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qsl, unquote, urlsplit

import httpx
import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
from numpy.typing import NDArray

from flows.assembly import assemble, plan_columns
from flows.kdd99 import FEATURES
from flows.parquet_files import ParquetFlowWriter
from flows.table import UNKNOWN_TIME, FlowTable

SCHEMES: Final = ("influxdb", "influxdbs")
PORT: Final = 8086
ROWS_AT_ONCE: Final = 10_000
TIMEOUT: Final = httpx.Timeout(120, connect=10)
START: Final = "start_us"
"""The field of a flow's start in UTC microseconds: its point's time may lie some nanoseconds later."""

DIALECT: Final = "dialect"
NUMBERED_NS: Final = 24 * 3600 * 10**9
"""Points before this time, 1970-01-02, are of flows whose start is not known; they are numbered."""


@dataclass(frozen=True, slots=True)
class InfluxLocation:
    """A measurement, `influxdb://user:password@host:port/database/measurement?tag=value`.

    Attributes:
        url: of the server.
        user, password: None where nobody has to log in.
        database, measurement: their names.
        tags: points have these, all of them.
    """

    url: str
    user: str | None
    password: str | None
    database: str
    measurement: str
    tags: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def parse(cls, text: str) -> InfluxLocation:
        """Read such a URL; `influxdbs` asks over TLS.

        Raises:
            ValueError: it is none.
        """
        parts = urlsplit(text)
        path = parts.path.strip("/").split("/")
        if parts.scheme not in SCHEMES or not parts.hostname or len(path) != 2 or not all(path):
            where = text.rpartition("@")[2]
            raise ValueError(f"{where}: write influxdb://host:{PORT}/database/measurement")
        host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
        return cls(
            url=f"{'https' if parts.scheme == 'influxdbs' else 'http'}://{host}:{parts.port or PORT}",
            user=None if parts.username is None else unquote(parts.username),
            password=None if parts.password is None else unquote(parts.password),
            database=unquote(path[0]),
            measurement=unquote(path[1]),
            tags=dict(parse_qsl(parts.query)),
        )

    def __str__(self) -> str:
        return f"influxdb {self.url}/{self.database}/{self.measurement}"

    @contextmanager
    def client(self) -> Iterator[httpx.Client]:
        """Give a client of the server; what goes wrong with the connection is one kind of error.

        Raises:
            ConnectionError: the server cannot be reached.
        """
        login = None if self.user is None else (self.user, self.password or "")
        try:
            with httpx.Client(base_url=self.url, auth=login, timeout=TIMEOUT) as client:
                yield client
        except httpx.TransportError as error:
            raise ConnectionError(
                f"{self}: {str(error) or type(error).__name__}: is influxd there?"
            ) from None

    def check(self, response: httpx.Response) -> None:
        """Turn a refusal into an error.

        Raises:
            PermissionError, FileNotFoundError, ValueError, ConnectionError: what the answer says.
        """
        if response.is_success:
            return
        said = _said(response)
        if response.status_code in (401, 403):
            raise PermissionError(f"{self}: {said}: write influxdb://user:password@host:port/…")
        if response.status_code == 404:
            raise FileNotFoundError(f"{self}: {said}")
        if response.is_server_error:
            raise ConnectionError(f"{self}: {response.status_code} {said}")
        raise ValueError(f"{self}: {said}")


@dataclass(frozen=True, slots=True)
class Rows:
    """Some points: the names of their columns, tags among them, and their values, row by row."""

    columns: tuple[str, ...]
    values: list[list[Any]]


def query(location: InfluxLocation, client: httpx.Client, text: str) -> Iterator[Rows]:
    """Yield what an InfluxQL query answers, some rows at a time; times are nanoseconds.

    Raises:
        OSError: as `InfluxLocation.check`.
        ValueError: the query failed, or its answer is cut.
    """
    asked = {"db": location.database, "q": text, "epoch": "ns", "chunked": "true", "chunk_size": ROWS_AT_ONCE}
    with client.stream("POST", "/query", data=asked) as response:
        if not response.is_success:
            response.read()
            location.check(response)
        cut = False
        for line in response.iter_lines():
            answer = orjson.loads(line) if line.strip() else {}
            results = answer.get("results", ())
            if problem := answer.get("error") or next(
                (each["error"] for each in results if "error" in each), None
            ):
                raise ValueError(f"{location}: {problem}")
            for result in results:
                cut = result.get("partial", False)
                for series in result.get("series", ()):
                    yield Rows(tuple(series["columns"]), series["values"])
        if cut:
            raise ValueError(f"{location}: the server cuts its answers: set max-row-limit = 0 in its [http]")


def write_measurement(location: InfluxLocation, folder: Path, progress: Callable[[int], None]) -> Path:
    """Write a measurement's points to a file in a folder, and return it.

    Points with the features of flows become a Parquet file of flows, the time of a point the start of its
    flow; points with those of KDD99 a CSV file, without the time.

    Args:
        progress: told how many points there are so far.

    Raises:
        OSError: the server cannot be reached, has no such database, or the file cannot be written.
        ValueError: there is no point, or they are neither, or flows of several dialects.
    """
    with location.client() as client:
        points = query(location, client, f"SELECT * FROM {selection(location)}")
        first = next((rows for rows in points if rows.values), None)
        if first is None:
            raise ValueError(f"{location}: no point is there")
        connections = {*FEATURES} <= {*first.columns}
        path = folder / f"points{'.csv' if connections else '.parquet'}"
        write = _write_connections if connections else _write_flows
        write(str(location), _again(first, points), path, progress)
        return path


def _again(first: Rows, others: Iterator[Rows]) -> Iterator[Rows]:
    yield first
    yield from others


def _write_flows(where: str, points: Iterator[Rows], path: Path, progress: Callable[[int], None]) -> None:
    count, dialects = 0, set[str | None]()
    with ParquetFlowWriter(path) as writer:
        for rows in points:
            columns = _columns(rows)
            if DIALECT in columns:
                dialects |= {*columns[DIALECT].to_pylist()}
                if len(dialects) > 1:
                    said = " and ".join(sorted(str(each) for each in dialects))
                    raise ValueError(
                        f"{where}: flows of dialects {said}: add ?{DIALECT}=… to take those of one"
                    )
            writer.write(_flows(columns, next(iter(dialects), None), where))
            count += len(rows.values)
            progress(count)


def _flows(columns: dict[str, pa.Array], dialect: str | None, where: str) -> FlowTable:
    start = _starts(columns.pop("time"), columns.pop(START, None))
    plan = plan_columns(list(columns), dialect=dialect, where=where)
    arrays = [*columns.values(), start]
    table = assemble(replace(plan, extras={START: len(columns)}), lambda at: arrays[at], where=where)
    unlabelled = np.full(len(table), "", object)
    labels = {"label": table.extras.get("label", unlabelled)} if "label" in plan.metadata else {}
    if "timestamp" in plan.metadata:
        return replace(table, extras=labels)
    began: NDArray[np.int64] = table.extras[START]
    ended = began + table.column("flow_duration").astype(np.int64)
    return replace(
        table, start_us=began, end_us=np.where(began == UNKNOWN_TIME, UNKNOWN_TIME, ended), extras=labels
    )


def _starts(time: pa.Array, start: pa.Array | None) -> pa.Array:
    """Return when flows began: what a field says, else the time of the point; UTC microseconds."""
    times = time.to_numpy()
    began = np.where(times < NUMBERED_NS, UNKNOWN_TIME, times // 1000)
    if start is not None:
        said = pc.fill_null(start.cast(pa.float64()), np.nan).to_numpy()
        began = np.where(np.isnan(said), began, np.where(np.isnan(said), 0, said).astype(np.int64))
    return pa.array(began)


def _columns(rows: Rows) -> dict[str, pa.Array]:
    return {
        name: pa.array(values)
        for name, values in zip(rows.columns, zip(*rows.values, strict=True), strict=True)
    }


def _write_connections(
    where: str, points: Iterator[Rows], path: Path, progress: Callable[[int], None]
) -> None:
    count = 0
    with path.open("wb") as file:
        for rows in points:
            table = pa.table(_columns(rows)).drop_columns("time")
            options = pa_csv.WriteOptions(include_header=count == 0)
            pa_csv.write_csv(table, file, options)
            count += len(rows.values)
            progress(count)


def selection(location: InfluxLocation, tags: Mapping[str, str] | None = None) -> str:
    """Return the measurement and what its points must have, as InfluxQL says it after FROM."""
    wanted = [f"{_identifier(tag)} = {_text(value)}" for tag, value in (tags or location.tags).items()]
    return _identifier(location.measurement) + (f" WHERE {' AND '.join(wanted)}" if wanted else "")


def create_database(location: InfluxLocation, client: httpx.Client) -> None:
    """Make the database where it is not there and the user may make one."""
    client.post("/query", data={"q": f"CREATE DATABASE {_identifier(location.database)}"})


def _identifier(name: str) -> str:
    return '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _text(value: str) -> str:
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _said(response: httpx.Response) -> str:
    try:
        return str(orjson.loads(response.content)["error"])
    except (ValueError, KeyError, TypeError):
        return f"{response.status_code} {response.reason_phrase}"
