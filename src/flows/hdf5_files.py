"""HDF5 files of flows, as pandas writes tables: what cstub/ml-ids and its clients exchange.

Such a file holds pickles: reading one runs what its maker wants. pandas and PyTables are imported when
wanted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa

from flows.assembly import assemble, plan_columns
from flows.schema import COMMON_NAMES
from flows.table import FlowTable
from flows.times import written

if TYPE_CHECKING:
    import pandas as pd

KEY: Final = "ids_data"
LEVEL: Final = 5
_DIALECT: Final = "ml_ids_dialect"
_ERRORS: Final = (ValueError, OSError, KeyError, EOFError, AttributeError, TypeError, RuntimeError)


def read_hdf5(
    path: Path | str,
    *,
    dialect: str | None = None,
    required: Sequence[str] = COMMON_NAMES,
    dropped: Counter[str] | None = None,
    nrows: int | None = None,
) -> FlowTable:
    """Read the table below the key `ids_data`, or below the only key there is.

    For its columns see `flows.csv_files.read_csv`. Files that `write_hdf5` made say themselves which dialect
    measured the flows.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is no such file of flows; the message names it and what is missing.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(2, "No such file or directory", str(path))
    try:
        frame, told = _frame(path, nrows)
    except _ERRORS as error:
        cause = (str(error).strip().splitlines() or [type(error).__name__])[-1]
        raise ValueError(f"{path}: not an HDF5 file of flows: {cause}") from None
    titles = [str(title) for title in frame.columns]
    plan = plan_columns(titles, dialect=dialect or told, where=str(path), required=required)
    return assemble(
        plan, lambda at: pa.array(frame.iloc[:, at], from_pandas=True), where=str(path), dropped=dropped
    )


def _frame(path: Path | str, nrows: int | None) -> tuple[pd.DataFrame, str | None]:
    import pandas as pd

    store: Any
    with pd.HDFStore(str(path), "r") as store:
        keys = [name.lstrip("/") for name in store.keys()]  # noqa: SIM118 - a store is no mapping
        if KEY not in keys and len(keys) != 1:
            raise ValueError(f"it has the keys {', '.join(keys) or '(none)'}, not {KEY}")
        key = KEY if KEY in keys else keys[0]
        stored = store.get_storer(key)
        frame = store.select(key, stop=nrows) if stored.is_table else store.get(key)[:nrows]
        if not isinstance(frame, pd.DataFrame):
            raise ValueError(f"what is below the key {key} is no table")
        return frame, getattr(stored.attrs, _DIALECT, None)


def write_hdf5(table: FlowTable, path: Path | str) -> None:
    """Write a file as cstub/ml-ids does: `dst_port, protocol, timestamp` (UTC), the features, `label`.

    The key is `ids_data`, the format a table, compressed by zlib at level 5. Addresses are left out.

    Raises:
        OSError: the file cannot be written.
    """
    import pandas as pd

    columns: dict[str, Any] = {
        "dst_port": table.dst_port,
        "protocol": table.protocol,
        "timestamp": written(table.start_us, "microseconds").fill_null("").to_pylist(),
    }
    columns |= {name: table.column(name) for name in table.feature_names}
    columns["label"] = ["" if text is None else str(text) for text in _labels(table)]
    frame = pd.DataFrame(columns)
    store: Any
    with pd.HDFStore(str(path), "w", complevel=LEVEL, complib="zlib") as store:
        store.put(KEY, frame, format="table", index=False, track_times=False)
        setattr(store.get_storer(KEY).attrs, _DIALECT, table.dialect)


def _labels(table: FlowTable) -> list[Any]:
    labels = table.extras.get("label")
    return [""] * len(table) if labels is None else list(np.asarray(labels).tolist())
