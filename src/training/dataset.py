"""The corrected CIC-IDS2017 as training data."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from flows.labels import find_label
from flows.parquet_files import read_parquet
from flows.schema import COMMON_NAMES


@dataclass(frozen=True, slots=True)
class LabelledFlows:
    """n flows with their classes, in the order of their start.

    Attributes:
        features: float64, n x F, raw.
        names: the features' canonical names.
        codes: int32, n; class codes.
        dialect: the rules that measured the flows.
        rows_read: rows of the file.
        repeated: rows left out because an earlier one has the same features and class.
    """

    features: NDArray[np.float64]
    names: tuple[str, ...]
    codes: NDArray[np.int32]
    dialect: str
    rows_read: int
    repeated: int

    def __len__(self) -> int:
        return int(self.codes.shape[0])


def read_labelled(path: Path, names: tuple[str, ...] = COMMON_NAMES) -> LabelledFlows:
    """Read labelled flows from Parquet, sort them by start and drop repeated rows.

    Ports, addresses and times are no features and do not tell rows apart: of rows that are equal in all
    features and the class the earliest stays.

    Raises:
        OSError: the file cannot be read.
        ValueError: it does not hold labelled flows, or a label is not in the label table.
    """
    table = read_parquet(path)
    if "label" not in table.extras:
        raise ValueError(f"{path}: no flow has a label: training needs a column Label")
    table = table.take(np.argsort(table.start_us, kind="stable"))
    features = table.select(names)
    codes = np.array([find_label(text).code for text in table.extras["label"]], np.int32)
    _, first = np.unique(np.column_stack([features, codes]), axis=0, return_index=True)
    kept = np.sort(first)
    return LabelledFlows(
        features=features[kept],
        names=names,
        codes=codes[kept],
        dialect=table.dialect,
        rows_read=len(table),
        repeated=len(table) - len(kept),
    )
