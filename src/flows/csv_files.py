"""CSV files of flows: reading any of the sets' headers, writing any of ours."""

from __future__ import annotations

import csv
import gzip
import io
import lzma
import re
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Final, Self, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
from numpy.typing import NDArray

from flows.address_columns import address_texts
from flows.assembly import Plan, assemble, plan_columns
from flows.dialects import IMPROVED
from flows.headers import Column, find_header, own_header
from flows.schema import BY_NAME, COMMON_NAMES
from flows.table import FlowTable
from flows.times import written

REPEATED_HEADER: Final = "repeated header"
"""Why a row is left out that says what the header said."""

LONGEST_LINE: Final = 1 << 20
BLOCK: Final = 1 << 20
ROWS_AT_ONCE: Final = 1 << 16


def open_text(path: Path, mode: str) -> IO[bytes]:
    """Open a file of text, compressed ones (`.gz`, `.xz`) as what they hold; `mode` is binary."""
    opener: Any = {".xz": lzma.open, ".gz": gzip.open}.get(path.suffix.lower(), open)
    return cast(IO[bytes], opener(path, mode))


def read_csv(
    path: Path | str,
    *,
    dialect: str | None = None,
    required: Sequence[str] = COMMON_NAMES,
    dropped: Counter[str] | None = None,
    nrows: int | None = None,
) -> FlowTable:
    """Read a CSV file, also `.gz` and `.xz`, whose header is any of the sets'.

    It must hold the `required` features; see `flows.assembly.plan_columns`. With `nrows` no more than so many
    rows are looked at, repeated headers aside.

    The header says which dialect measured the flows unless the caller does; one that implies none
    (snake case, a mixture) is taken for `improved`. Repeated header rows and rows without a value
    are left out, and counted in `dropped` as REPEATED_HEADER and NO_VALUE. Unknown columns become extras,
    labels `extras["label"]`; timestamps that are not unambiguous stay as `extras["timestamp"]`.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is not such a CSV file; the message names it and what is missing or wrong.
    """
    try:
        with open_text(Path(path), "rb") as file:
            return _read(file, str(path), dialect, required, Counter() if dropped is None else dropped, nrows)
    except (lzma.LZMAError, zlib.error, gzip.BadGzipFile, EOFError) as error:
        raise ValueError(f"{path}: not a whole compressed file: {error}") from None


def _read(
    file: IO[bytes],
    where: str,
    dialect: str | None,
    required: Sequence[str],
    dropped: Counter[str],
    nrows: int | None,
) -> FlowTable:
    header = file.readline(LONGEST_LINE)
    if not header.strip():
        raise ValueError(f"{where}: empty: no header line")
    titles = next(csv.reader([header.decode("utf-8", "replace").strip("\ufeff\r\n")]))
    plan = plan_columns(titles, dialect=dialect, where=where, required=required)
    blocks = _blocks(file, header.removeprefix(b"\xef\xbb\xbf").strip(), where, dropped)
    if nrows is not None:
        blocks = _first_lines(blocks, nrows)
    first = next((block for block in blocks if block.strip()), None)
    if first is None:
        return assemble(plan, lambda at: pa.array([], _types(plan)[at]), where=where)
    try:
        rows = _parse(chain([first], blocks), len(titles), _types(plan))
    except pa.ArrowInvalid as error:
        raise ValueError(f"{where}: {_named(str(error), titles)}") from None
    return assemble(plan, lambda at: rows.column(str(at)).combine_chunks(), where=where, dropped=dropped)


def _types(plan: Plan) -> dict[int, pa.DataType]:
    numeric = {"src_port", "dst_port", "protocol"}
    metadata = {at: pa.float64() if name in numeric else pa.binary() for name, at in plan.metadata.items()}
    features = dict.fromkeys(plan.features.values(), pa.float64())
    return features | metadata | dict.fromkeys(plan.extras.values(), pa.binary())


def _parse(blocks: Iterable[bytes], width: int, types: dict[int, pa.DataType]) -> pa.Table:
    return pa_csv.read_csv(
        pa.PythonFile(_Stream(blocks), mode="r"),
        read_options=pa_csv.ReadOptions(column_names=[str(at) for at in range(width)]),
        convert_options=pa_csv.ConvertOptions(
            column_types={str(at): kind for at, kind in types.items()},
            include_columns=[str(at) for at in types],
        ),
    )


def _named(message: str, titles: list[str]) -> str:
    found = re.match(r"In CSV column #(\d+): (.*)", message, re.DOTALL)
    return f"column {titles[int(found[1])].strip()!r}: {found[2]}" if found else message


def _blocks(file: IO[bytes], header: bytes, where: str, dropped: Counter[str]) -> Iterator[bytes]:
    """Yield the rest of a file in blocks of whole lines, without the lines that repeat its header."""
    rest = b""
    while block := file.read(BLOCK):
        block = rest + block
        end = block.rfind(b"\n") + 1
        rest = block[end:]
        if len(rest) > LONGEST_LINE:
            raise ValueError(f"{where}: a line is longer than {LONGEST_LINE} bytes: not a CSV file")
        yield _without(header, block[:end], dropped)
    yield _without(header, rest, dropped)


def _first_lines(blocks: Iterable[bytes], count: int) -> Iterator[bytes]:
    """Yield blocks until they had so many lines; what comes later is not read."""
    for block in blocks:
        lines = block.splitlines(keepends=True)
        yield block if len(lines) <= count else b"".join(lines[:count])
        count -= len(lines)
        if count <= 0:
            return


def _without(header: bytes, block: bytes, dropped: Counter[str]) -> bytes:
    if header not in block:
        return block
    lines = block.splitlines(keepends=True)
    kept = [line for line in lines if line.strip() != header]
    dropped[REPEATED_HEADER] += len(lines) - len(kept)
    return b"".join(kept)


class _Stream(io.RawIOBase):
    """A readable stream over blocks of bytes."""

    def __init__(self, blocks: Iterable[bytes]) -> None:
        self._blocks = iter(blocks)
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._rest:
            block = next(self._blocks, None)
            if block is None:
                return 0
            self._rest = memoryview(block)
        size = min(len(buffer), len(self._rest))
        buffer[:size] = self._rest[:size]
        self._rest = self._rest[size:]
        return size


class CsvFlowWriter:
    """Writes tables one after the other into one CSV file; a context manager.

    Without a header the first table's dialect decides: its own tool's header with flow id, addresses,
    ports, protocol, a UTC timestamp with microseconds and a label (`NeedManualLabel` when there is none,
    as the tool writes), then the table's other extras; a named header is written as published. Integers
    are written as such, floats as their shortest text; inf and NaN are `Infinity` and `NaN`, what is
    unknown is empty.

    Raises:
        ValueError: the header is unknown, or (from `write`) needs features that the table lacks, or a
            table lacks an extra that the first one had.
    """

    def __init__(self, target: Path | str | IO[bytes], header: str | None = None) -> None:
        self._header = find_header(header) if header is not None else None
        self._columns: tuple[Column, ...] | None = None
        self._extras: tuple[str, ...] = ()
        self._owned = isinstance(target, (str, Path))
        self._file = open_text(Path(target), "wb") if isinstance(target, (str, Path)) else target

    def write(self, table: FlowTable) -> None:
        """Write a table's rows."""
        if self._columns is None:
            self._begin(table)
        for start in range(0, len(table), ROWS_AT_ONCE):
            self._write_rows(table.take(slice(start, start + ROWS_AT_ONCE)))

    def close(self) -> None:
        """Finish the file; one without a row still has its header."""
        if self._columns is None:
            header = self._header or own_header(IMPROVED)
            self._write_titles(header.columns)
        if self._owned:
            self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
        elif self._owned:
            self._file.close()

    def _begin(self, table: FlowTable) -> None:
        own = self._header is None
        self._header = header = self._header or own_header(table.dialect)
        missing = [name for name in header.feature_names if name not in table.feature_names]
        if missing and not header.partial:
            raise ValueError(
                f"header {header.name} needs features that these flows lack: {', '.join(missing)}"
            )
        absent = {*missing} if header.unlabelled or "label" in table.extras else {*missing, "label"}
        columns = [column for column in header.columns if column[1] not in absent]
        self._extras = tuple(name for name in table.extras if own and name not in dict(columns).values())
        self._write_titles(columns)

    def _write_titles(self, columns: Iterable[Column]) -> None:
        self._columns = tuple(columns)
        titles = [title for title, _ in self._columns] + [_quoted_text(name) for name in self._extras]
        self._file.write(",".join(titles).encode() + b"\n")

    def _write_rows(self, table: FlowTable) -> None:
        if self._header is None or self._columns is None:
            raise RuntimeError("rows before the header")
        if lacking := [name for name in self._extras if name not in table.extras]:
            raise ValueError(f"these flows lack columns that the first ones had: {', '.join(lacking)}")
        metadata = _metadata_texts(table, self._header.time_format, self._header.unlabelled)
        cells = [
            _number_texts(table.column(name), BY_NAME[name].kind == "int")
            if name in BY_NAME
            else metadata[name]
            for _, name in self._columns
        ]
        cells += [pc.fill_null(_quoted(table.extras[name]), "") for name in self._extras]
        lines = pc.binary_join_element_wise(*cells, ",")
        self._file.write("\n".join([*lines.to_pylist(), ""]).encode())


def write_csv(table: FlowTable, target: Path | str | IO[bytes], header: str | None = None) -> None:
    """Write one table; see `CsvFlowWriter`."""
    with CsvFlowWriter(target, header) as writer:
        writer.write(table)


def _number_texts(values: NDArray[np.float64], integral: bool) -> pa.Array:
    whole = (values == np.trunc(values)) & (np.abs(values) < 2**63)
    if integral and whole.all():
        return pc.cast(pa.array(values.astype(np.int64)), pa.string())
    texts = pc.cast(pa.array(values), pa.string())
    bare = pc.binary_join_element_wise(texts, "" if integral else ".0", "")
    texts = pc.if_else(pc.match_substring_regex(texts, r"^-?\d+$"), bare, texts)
    if not np.isfinite(values).all():
        for symbol, rows in (
            ("NaN", np.isnan(values)),
            ("Infinity", np.isposinf(values)),
            ("-Infinity", np.isneginf(values)),
        ):
            texts = pc.if_else(pa.array(rows), symbol, texts)
    return texts


def _metadata_texts(table: FlowTable, time_format: str, unlabelled: str) -> dict[str, pa.Array]:
    texts = {
        "src_ip": address_texts(table.src_addr),
        "src_port": _known(table.src_port),
        "dst_ip": address_texts(table.dst_addr),
        "dst_port": _known(table.dst_port),
        "protocol": _known(table.protocol),
        "timestamp": written(table.start_us, time_format),
    }
    five = (texts[name] for name in ("src_ip", "dst_ip", "src_port", "dst_port", "protocol"))
    texts["flow_id"] = pc.binary_join_element_wise(*five, "-")
    texts["label"] = pa.nulls(len(table), pa.string())
    for name in ("flow_id", "timestamp", "label"):
        if name in table.extras:
            texts[name] = pc.coalesce(texts[name], _quoted(table.extras[name]))
    texts["label"] = pc.fill_null(texts["label"], unlabelled)
    return {name: pc.fill_null(column, "") for name, column in texts.items()}


def _known(values: NDArray[Any]) -> pa.Array:
    return pc.cast(pa.array(values, mask=values < 0), pa.string())


def _quoted(values: NDArray[Any]) -> pa.Array:
    texts = [None if value is None else _quoted_text(str(value)) for value in values.tolist()]
    return pa.array(texts, pa.string())


def _quoted_text(text: str) -> str:
    return '"' + text.replace('"', '""') + '"' if re.search(r'[",\r\n]', text) else text
