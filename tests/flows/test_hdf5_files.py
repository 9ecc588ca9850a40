from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from flows.hdf5_files import KEY, read_hdf5, write_hdf5
from flows.schema import COMMON_NAMES
from helpers.flows import flow_table

LABELS = {"label": np.array(["Benign", "DoS Hulk", ""], object)}


def test_a_written_table_is_read_back(tmp_path: Path) -> None:
    odd = np.array([np.inf, np.nan, -1.0])
    table = flow_table(
        3, names=COMMON_NAMES, dialect="cic-2018", features={"flow_byts_s": odd}, extras=LABELS
    )
    write_hdf5(table, tmp_path / "train.h5")
    back = read_hdf5(tmp_path / "train.h5")
    np.testing.assert_array_equal(back.features, table.features)
    assert (back.feature_names, back.dialect) == (COMMON_NAMES, "cic-2018")
    assert back.extras["label"].tolist() == ["Benign", "DoS Hulk", ""]
    for name in ("dst_port", "protocol", "start_us"):
        assert getattr(back, name).tolist() == getattr(table, name).tolist(), name


def test_the_file_is_what_the_predecessor_writes(tmp_path: Path) -> None:
    write_hdf5(flow_table(3, names=COMMON_NAMES, extras=LABELS), tmp_path / "train.h5")
    frame = pd.read_hdf(tmp_path / "train.h5", KEY)
    assert list(frame.columns) == ["dst_port", "protocol", "timestamp", *COMMON_NAMES, "label"]
    with pd.HDFStore(str(tmp_path / "train.h5"), "r") as store:
        assert [name.lstrip("/") for name in store.keys()] == ["ids_data"]  # noqa: SIM118
        assert store.get_storer(KEY).is_table
        filters = store.get_storer(KEY).table.filters
    assert (filters.complib, filters.complevel) == ("zlib", 5)


@pytest.mark.parametrize("layout", ["fixed", "table"])
def test_reads_the_only_table_there_is_and_so_many_rows_of_it(tmp_path: Path, layout: str) -> None:
    table = flow_table(5, names=COMMON_NAMES)
    frame = pd.DataFrame(table.features, columns=list(COMMON_NAMES)).assign(label="Bot")
    frame.iloc[1] = np.nan
    frame.to_hdf(tmp_path / "f.h5", key="flows", format=layout)
    dropped: Counter[str] = Counter()
    read = read_hdf5(tmp_path / "f.h5", dialect="cic-2018", dropped=dropped, nrows=3)
    assert (len(read), read.dialect, dropped) == (2, "cic-2018", {"no value": 1})
    assert read.extras["label"].tolist() == ["Bot", "Bot"]


def test_says_what_is_wrong(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"f.h5"):
        read_hdf5(tmp_path / "f.h5")
    (tmp_path / "f.h5").write_bytes(b"nothing of the kind")
    with pytest.raises(ValueError, match=r"f.h5: not an HDF5 file of flows"):
        read_hdf5(tmp_path / "f.h5")
    for key in ("one", "two"):
        pd.DataFrame({"a": [1]}).to_hdf(tmp_path / "g.h5", key=key)
    with pytest.raises(ValueError, match=r"g.h5: .*keys one, two, not ids_data"):
        read_hdf5(tmp_path / "g.h5")
    pd.DataFrame({"a": [1]}).to_hdf(tmp_path / "h.h5", key=KEY)
    with pytest.raises(ValueError, match=r"h.h5: no header of flows"):
        read_hdf5(tmp_path / "h.h5")
