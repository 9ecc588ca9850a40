"""Flows and labels in two files, `Data.csv` and `Label.csv`: how CIC-UNSW-NB15 is published."""

from __future__ import annotations

import csv
from collections import Counter
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from flows.columns import canonical
from flows.csv_files import open_text, read_csv
from flows.table import FlowTable

LABEL_FILE: Final = "label"
CLASSES: Final = (
    *("Benign", "Analysis", "Backdoor", "DoS", "Exploits", "Fuzzers", "Generic", "Reconnaissance"),
    *("Shellcode", "Worms"),
)
"""What the numbers of the set's labels stand for."""


def label_file(path: Path) -> Path | None:
    """Return the file of labels beside a file of flows: `Label.csv` for `Data.csv`, whatever the case.

    Raises:
        OSError: the folder cannot be read.
    """
    if not path.name.lower().startswith("data."):
        return None
    wanted = LABEL_FILE + path.name[len("data") :].lower()
    return next((file for file in path.parent.iterdir() if file.name.lower() == wanted), None)


def is_label_file(path: Path) -> bool:
    """Whether a file only holds the labels of another one beside it."""
    return any(
        file.name.lower().startswith("data.") and label_file(file) == path for file in path.parent.iterdir()
    )


def read_with_labels(
    path: Path,
    labels: Path,
    dropped: Counter[str],
    *,
    dialect: str | None,
    required: tuple[str, ...],
    nrows: int | None = None,
) -> FlowTable:
    """Read flows and, from the other file, their labels: one a row, below a header.

    Labels are names, or the numbers of CIC-UNSW-NB15. With `nrows` no more than so many rows are read.

    Raises:
        OSError: a file cannot be read.
        ValueError: the files do not fit together, or are not what they should be.
    """
    left_out: Counter[str] = Counter()
    table = read_csv(path, dialect=dialect, required=required, dropped=left_out, nrows=nrows)
    names = read_labels(labels, nrows)
    if left_out or len(names) != len(table):
        skipped = f" and {left_out.total():,} rows that are none" if left_out else ""
        raise ValueError(
            f"{labels}: has {len(names):,} labels, but {path.name} has {len(table):,} flows{skipped}: "
            "the rows of both files must belong together"
        )
    dropped.update(left_out)
    return replace(table, extras=table.extras | {"label": names})


def read_labels(path: Path, nrows: int | None = None) -> NDArray[np.object_]:
    """Return the labels of a file, object; numbers of CIC-UNSW-NB15 as their names.

    Raises:
        OSError: the file cannot be read.
        ValueError: it has no column of labels, or a number is none of the set's.
    """
    with open_text(path, "rb") as file:
        rows = csv.reader(line.decode("utf-8", "replace") for line in file)
        titles = [title.strip("\ufeff \t") for title in next(rows, [])]
        named = [at for at, title in enumerate(titles) if canonical(title) == "label"]
        if not named and len(titles) != 1:
            raise ValueError(f"{path}: no column Label")
        at = named[0] if named else 0
        texts = [row[at].strip() for row in islice(filter(None, rows), nrows)]
    known: dict[str, Any] = {text: _named(text, path) for text in set(texts)}
    return np.array([*(known[text] for text in texts), None], object)[:-1]


def _named(text: str, path: Path) -> str:
    try:
        number = float(text)
    except ValueError:
        return text
    if not number.is_integer() or not 0 <= number < len(CLASSES):
        raise ValueError(f"{path}: label {text} is none of 0 to {len(CLASSES) - 1} of CIC-UNSW-NB15")
    return CLASSES[int(number)]
