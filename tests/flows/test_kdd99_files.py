from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest

from flows.csv_files import read_csv
from flows.kdd99 import FEATURES, features_of
from flows.kdd99_files import COLUMNS, DIALECT, is_kdd99, read_connections
from helpers.flows import SHARED, needs_shared
from helpers.kdd99 import EXAMPLE, SMURF

FULL = dict.fromkeys(COLUMNS, "0") | {"service": "http"}


def line(connection: dict[str, object], *more: str) -> str:
    return ",".join([*(str((FULL | connection)[name]) for name in COLUMNS), *more])


def saved(path: Path, *lines: str) -> Path:
    text = "".join(f"{each}\n" for each in lines)
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return path


def test_reads_what_clients_send_of_a_file_of_1999(tmp_path: Path) -> None:
    path = saved(tmp_path / "corrected.gz", line(EXAMPLE, "normal."), line(SMURF, "smurf."))
    table = read_connections(path)
    assert is_kdd99(path)
    assert (table.feature_names, table.dialect) == (FEATURES, DIALECT)
    np.testing.assert_array_equal(table.features, [features_of(EXAMPLE), features_of(SMURF)])
    assert table.extras["label"].tolist() == ["normal", "smurf"]


def test_reads_nsl_kdd_with_how_hard_a_row_is(tmp_path: Path) -> None:
    path = saved(tmp_path / "KDDTest+.txt", line(SMURF, "smurf", "21"))
    assert is_kdd99(path)
    assert read_connections(path).extras["label"].tolist() == ["smurf"]


def test_reads_a_file_with_a_header_in_any_order_and_protocols_as_codes(tmp_path: Path) -> None:
    given = dict(reversed((FULL | SMURF | {"protocol_type": 0, "flag": "sf"}).items())) | {"iface": "ge0"}
    titles = ",".join([*given, "target"])
    path = saved(tmp_path / "data.csv", titles, ",".join([*map(str, given.values()), "smurf."]))
    assert is_kdd99(path)
    table = read_connections(path)
    np.testing.assert_array_equal(table.features, [features_of(SMURF)])
    assert table.extras["label"].tolist() == ["smurf"]


def test_reads_so_many_rows(tmp_path: Path) -> None:
    path = saved(tmp_path / "f.csv", *[line(SMURF, "smurf")] * 3, "no connection")
    assert len(read_connections(path, 2)) == 2


def test_says_what_is_wrong(tmp_path: Path) -> None:
    path = saved(tmp_path / "f.txt", line(SMURF | {"flag": "XX"}, "smurf"))
    with pytest.raises(ValueError, match=r"f.txt: flag 'xx' is none of SF, S0"):
        read_connections(path)
    path = saved(tmp_path / "f.csv", "protocol_type,src_bytes,dst_host_count", "tcp,1,2")
    with pytest.raises(ValueError, match=r"f.csv: no column for duration, flag"):
        read_connections(path)
    path = saved(tmp_path / "f.csv", line(SMURF | {"count": "many"}, "smurf"))
    with pytest.raises(ValueError, match=r"f.csv: .*many"):
        read_connections(path)
    (tmp_path / "f.gz").write_bytes(gzip.compress(line(SMURF, "smurf").encode() * 500)[:-20])
    with pytest.raises(ValueError, match=r"f.gz: not a whole compressed file"):
        read_connections(tmp_path / "f.gz")


def test_flows_are_no_connections(tmp_path: Path) -> None:
    assert not is_kdd99(saved(tmp_path / "f.csv", "Flow Duration,Tot Fwd Pkts", "1,2"))
    assert not is_kdd99(saved(tmp_path / "empty.csv"))
    (tmp_path / "f.xz").write_bytes(b"no archive")
    assert not is_kdd99(tmp_path / "f.xz")


@needs_shared
@pytest.mark.parametrize(
    ("name", "rows"),
    [
        ("kdd99/corrected.gz", 311_029),
        ("nsl-kdd/KDDTest+.txt.xz", 22_544),
        ("nsl-kdd/KDDTrain+_20Percent.txt.xz", 25_192),
    ],
)
def test_reads_the_published_files(name: str, rows: int) -> None:
    path = SHARED / "data" / name
    assert is_kdd99(path)
    table = read_connections(path)
    assert len(table) == rows
    assert np.isfinite(table.features).all()
    with pytest.raises(ValueError, match="no header of flows"):
        read_csv(path)
