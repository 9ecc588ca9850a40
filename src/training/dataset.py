"""Labelled flows as training data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from flows.labels import UNLABELLED, find_label
from flows.parquet_files import read_parquet
from flows.schema import COMMON_NAMES
from flows.table import FlowTable


@dataclass(frozen=True, slots=True)
class LabelledFlows:
    """n flows with their classes, in the order of their start.

    Attributes:
        features: float64, n x F, raw.
        names: the features' canonical names.
        codes: int32, n; class codes.
        dialect: the rules that measured the flows.
        rows_read: rows that there were.
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


UNKNOWN: Final = -1
"""Stands for the class of a flow that nobody labelled."""


def true_codes(table: FlowTable, path: Path) -> NDArray[np.int32]:
    """Return the class code of each of n flows of a file, int32, UNKNOWN where there is no label.

    Raises:
        ValueError: a label is not in the label table.
    """
    if "label" not in table.extras:
        return np.full(len(table), UNKNOWN, np.int32)
    spelled = ["" if text is None else str(text) for text in table.extras["label"].tolist()]
    texts, which = np.unique(spelled, return_inverse=True)
    try:
        codes = [UNKNOWN if text.strip() in UNLABELLED else find_label(text).code for text in texts.tolist()]
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    return np.array(codes, np.int32)[which.reshape(len(table))]


def read_labelled(path: Path, names: tuple[str, ...] = COMMON_NAMES) -> LabelledFlows:
    """Read labelled flows from Parquet.

    Raises:
        OSError: the file cannot be read.
        ValueError: it does not hold labelled flows, or a label is not in the label table.
    """
    table = read_parquet(path)
    codes = true_codes(table, path)
    if (codes == UNKNOWN).all():
        raise ValueError(f"{path}: no flow has a label: training needs a column Label")
    if (codes == UNKNOWN).any():
        raise ValueError(f"{path}: {int((codes == UNKNOWN).sum()):,} flows have no label")
    return labelled(table, codes, names)


def read_all_labelled(paths: Sequence[Path], names: tuple[str, ...] = COMMON_NAMES) -> LabelledFlows:
    """Read labelled flows from several Parquet files, as if they were one.

    Raises:
        OSError, ValueError: as `read_labelled`; or the files' flows are of different dialects.
    """
    parts = [read_labelled(path, names) for path in paths]
    first = parts[0]
    for path, part in zip(paths, parts, strict=True):
        if part.dialect != first.dialect:
            raise ValueError(
                f"{path}: its flows were measured in dialect {part.dialect}, those of {paths[0]} in "
                f"{first.dialect}: measure both alike"
            )
    return replace(
        first,
        features=np.vstack([part.features for part in parts]),
        codes=np.concatenate([part.codes for part in parts]),
        rows_read=sum(part.rows_read for part in parts),
        repeated=sum(part.repeated for part in parts),
    )


def labelled(
    table: FlowTable, codes: NDArray[np.int32], names: tuple[str, ...] = COMMON_NAMES
) -> LabelledFlows:
    """Sort n flows with their classes by start and drop repeated rows.

    Ports, addresses and times are no features and do not tell rows apart: of rows that are equal in all
    features and the class the earliest stays.

    Raises:
        KeyError: a feature is missing.
    """
    order = np.argsort(table.start_us, kind="stable")
    features, codes = table.select(names)[order], codes[order]
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
