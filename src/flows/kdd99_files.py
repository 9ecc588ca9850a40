"""Files of KDD99 and NSL-KDD: connections, with their attacks' names."""

from __future__ import annotations

import csv
import io
import lzma
import zlib
from collections.abc import Mapping
from gzip import BadGzipFile
from itertools import islice
from pathlib import Path
from typing import IO, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
from numpy.typing import NDArray

from flows.csv_files import open_text
from flows.kdd99 import CODES, FEATURES, PROTOCOLS
from flows.table import FlowTable

DIALECT: Final = "kdd99"
"""Says that the rows are connections of the KDD Cup 1999, which no flow meter measures."""

COLUMNS: Final = (
    *("duration", "protocol_type", "service", "flag", "src_bytes", "dst_bytes", "land", "wrong_fragment"),
    *("urgent", "hot", "num_failed_logins", "logged_in", "num_compromised", "root_shell", "su_attempted"),
    *("num_root", "num_file_creations", "num_shells", "num_access_files", "num_outbound_cmds"),
    *("is_host_login", "is_guest_login", "count", "srv_count", "serror_rate", "srv_serror_rate"),
    *("rerror_rate", "srv_rerror_rate", "same_srv_rate", "diff_srv_rate", "srv_diff_host_rate"),
    *("dst_host_count", "dst_host_srv_count", "dst_host_same_srv_rate", "dst_host_diff_srv_rate"),
    *("dst_host_same_src_port_rate", "dst_host_srv_diff_host_rate", "dst_host_serror_rate"),
    *("dst_host_srv_serror_rate", "dst_host_rerror_rate", "dst_host_srv_rerror_rate"),
)
"""The sets' 41 columns, in their order; the label follows, and in NSL-KDD how hard a row is."""
LABELS: Final = ("label", "target")
LONGEST_LINE: Final = 1 << 16


def is_kdd99(path: Path) -> bool:
    """Whether a file of text, also `.gz` or `.xz`, begins like one of the sets', with or without a header.

    Raises:
        OSError: it cannot be read.
    """
    try:
        with open_text(path, "rb") as file:
            cells = _cells(file.readline(LONGEST_LINE))
    except (lzma.LZMAError, zlib.error, BadGzipFile, EOFError):
        return False
    return _has_titles(cells) or (len(COLUMNS) < len(cells) < len(COLUMNS) + 3 and cells[1] in PROTOCOLS)


def read_connections(path: Path, nrows: int | None = None) -> FlowTable:
    """Read a file of the sets: the features that models read, and the attacks' names as `extras["label"]`.

    Protocols and flags become the codes of `flows.kdd99`; numbers that are such codes stay. With `nrows` no
    more than so many rows are read.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is no such file; the message names it and what is wrong.
    """
    try:
        with open_text(path, "rb") as file:
            first = _cells(file.readline(LONGEST_LINE))
        with open_text(path, "rb") as file:
            rows = _rows(file if nrows is None else _first_lines(file, nrows + _has_titles(first)), first)
    except (lzma.LZMAError, zlib.error, BadGzipFile, EOFError) as error:
        raise ValueError(f"{path}: not a whole compressed file: {error}") from None
    except pa.ArrowInvalid as error:
        raise ValueError(f"{path}: {error}") from None
    if missing := [name for name in FEATURES if name not in rows.column_names]:
        raise ValueError(f"{path}: no column for {', '.join(missing)}")
    features = np.empty((len(rows), len(FEATURES)))
    for at, name in enumerate(FEATURES):
        features[:, at] = _values(rows.column(name), CODES.get(name), path, name)
    label = next((name for name in LABELS if name in rows.column_names), None)
    extras = {} if label is None else {"label": _texts(rows.column(label))}
    return FlowTable.from_features(features, FEATURES, DIALECT, extras=extras)


def _cells(line: bytes) -> list[str]:
    text = line.decode("utf-8", "replace").strip("\ufeff\r\n")
    return [cell.strip() for cell in next(csv.reader([text]), [])]


def _has_titles(cells: list[str]) -> bool:
    return {"protocol_type", "src_bytes", "dst_host_count"} <= set(cells)


def _first_lines(file: IO[bytes], count: int) -> io.BytesIO:
    return io.BytesIO(b"".join(islice(file, count)))


def _rows(file: object, first: list[str]) -> pa.Table:
    titled = _has_titles(first)
    names = first if titled else [*COLUMNS, "label", "difficulty"][: len(first)]
    texts = {name: pa.string() for name in (*CODES, *LABELS)}
    numbers = {name: pa.float64() for name in FEATURES if name not in texts}
    return pa_csv.read_csv(
        file,
        read_options=pa_csv.ReadOptions(column_names=names, skip_rows=int(titled)),
        convert_options=pa_csv.ConvertOptions(
            column_types=texts | numbers,
            include_columns=[name for name in names if name in FEATURES or name in LABELS],
        ),
    )


def _values(
    column: pa.ChunkedArray, codes: Mapping[str, int] | None, path: Path, name: str
) -> NDArray[np.float64]:
    if codes is None:
        values: NDArray[np.float64] = pc.fill_null(column, np.nan).to_numpy()
        return values
    encoded = pc.dictionary_encode(column.combine_chunks())
    known = {text.lower(): float(code) for text, code in codes.items()}
    known |= {str(code): float(code) for code in codes.values()}
    words = [str(word).strip().lower() for word in encoded.dictionary.to_pylist()]
    if unknown := [word for word in words if word not in known]:
        raise ValueError(f"{path}: {name} {unknown[0][:32]!r} is none of {', '.join(codes)}")
    if encoded.indices.null_count:
        raise ValueError(f"{path}: {name} is missing in {encoded.indices.null_count:,} rows")
    coded: NDArray[np.float64] = np.array([known[word] for word in words])[encoded.indices.to_numpy()]
    return coded


def _texts(column: pa.ChunkedArray) -> NDArray[np.object_]:
    # The files of 1999 have a full stop after each name.
    names = pc.utf8_rtrim(pc.utf8_trim_whitespace(column), characters=".")
    texts: NDArray[np.object_] = pc.fill_null(names, "").to_numpy(zero_copy_only=False)
    return texts
