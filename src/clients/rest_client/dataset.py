"""Files of flows with or without labels: HDF5, CSV and Parquet."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pandas as pd

from flows.columns import canonical
from flows.labels import UNLABELLED, find_label

NO_LABEL: Final = "(unlabelled)"
BENIGN: Final = "Benign"
_COMPRESSIONS: Final = {".gz": "gzip", ".bz2": "bz2", ".xz": "xz", ".zst": "zstd"}


@dataclass(frozen=True, slots=True)
class Dataset:
    """Some flows.

    Attributes:
        flows: a row a flow, all columns but the label's.
        labels: of each flow, NO_LABEL where it has none.
    """

    flows: pd.DataFrame
    labels: pd.Series[str]

    def __len__(self) -> int:
        return len(self.flows)

    @property
    def labelled(self) -> bool:
        """Whether any flow has a label."""
        return bool((self.labels != NO_LABEL).any())

    @property
    def categories(self) -> tuple[str, ...]:
        """The labels, the most frequent first."""
        return tuple(str(label) for label in self.labels.value_counts().index)

    def take(self, rows: list[int]) -> Dataset:
        """Return some rows, by position."""
        return Dataset(self.flows.iloc[rows], self.labels.iloc[rows])


def read_dataset(path: Path, name: str, hdf_key: str | None = None) -> Dataset:
    """Read a file whose format the ending of `name` tells; HDF5 where it tells none.

    pandas' HDF5 files hold pickles: reading one runs what its maker wants.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it cannot be read, or holds no flow.
    """
    if not path.is_file():
        raise FileNotFoundError(f'File ["{path}"] not found.')
    stem, compression = name.lower(), None
    for ending, method in _COMPRESSIONS.items():
        if stem.endswith(f".csv{ending}"):
            stem, compression = stem.removesuffix(ending), method
    try:
        if stem.endswith(".csv"):
            frame = _read_csv(path, compression)
        elif stem.endswith((".parquet", ".pq")):
            frame = pd.read_parquet(path)
        else:
            frame = _read_hdf(path, hdf_key)
    # RuntimeError is that of PyTables, which ends with what went wrong.
    except (ValueError, OSError, KeyError, EOFError, AttributeError, TypeError, RuntimeError) as error:
        cause = (str(error).strip().splitlines() or [type(error).__name__])[-1]
        raise ValueError(f"{path}: cannot be read: {cause}") from None
    if frame.empty:
        raise ValueError(f"{path}: holds no flow")
    return _labelled(frame)


def is_attack(label: str) -> bool:
    """Whether a label is that of an attack, in whatever spelling; those nobody knows are."""
    try:
        return find_label(label).code != 0
    except ValueError:
        return label.strip() != "0"


def _read_csv(path: Path, compression: Any) -> pd.DataFrame:
    # The 2017 files have bytes of other encodings in their labels.
    return pd.read_csv(path, compression=compression, low_memory=False, encoding_errors="replace")


def _read_hdf(path: Path, key: str | None) -> pd.DataFrame:
    with pd.HDFStore(path, "r") as store:
        keys = [name.lstrip("/") for name in store.keys()]  # noqa: SIM118 - a store is no mapping
        if key is None and len(keys) != 1:
            raise ValueError(f"it has the keys {', '.join(keys) or '(none)'}: choose one with --hdf-key")
        found = store.get(key or keys[0])
    if not isinstance(found, pd.DataFrame):
        raise ValueError(f"what is below the key {key or keys[0]} is no table")
    return found


def _labelled(frame: pd.DataFrame) -> Dataset:
    titles = [title for title in frame.columns if canonical(str(title)) == "label"]
    flows = frame.drop(columns=titles).reset_index(drop=True)
    if not titles:
        return Dataset(flows, pd.Series([NO_LABEL] * len(frame)))
    given = frame[titles[0]]
    labels = [
        NO_LABEL if missing else str(label).strip()
        for label, missing in zip(given, given.isna(), strict=True)
    ]
    return Dataset(flows, pd.Series([NO_LABEL if label in UNLABELLED else label for label in labels]))
