from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from clients.rest_client.dataset import NO_LABEL, is_attack, read_dataset


def write(frame: pd.DataFrame, path: Path) -> Path:
    if path.name.endswith(".parquet"):
        frame.to_parquet(path)
    elif ".csv" in path.name:
        frame.to_csv(path, index=False)
    else:
        frame.to_hdf(path, key="ids_data", format="table" if path.suffix == ".h5" else "fixed")
    return path


# A fixed HDF5 table holds text as pickled objects, which pandas warns of.
@pytest.mark.filterwarnings("ignore::pandas.errors.PerformanceWarning")
@pytest.mark.parametrize("name", ["t.h5", "t.hdf5", "t", "t.csv", "t.csv.gz", "t.csv.xz", "t.parquet"])
def test_every_format_holds_the_same(labelled: pd.DataFrame, tmp_path: Path, name: str) -> None:
    path = write(labelled, tmp_path / name)
    dataset = read_dataset(path, name)
    pd.testing.assert_frame_equal(dataset.flows, labelled.drop(columns="label"), check_dtype=False)
    assert dataset.labels.to_list() == labelled["label"].to_list()
    assert dataset.categories == ("Benign", "DoS Hulk", "PortScan")


def test_the_name_tells_the_format_of_what_is_stored_under_another(
    labelled: pd.DataFrame, tmp_path: Path
) -> None:
    path = write(labelled, tmp_path / "t.csv.gz").rename(tmp_path / "s3_dataset.h5")
    assert len(read_dataset(path, "s3://bucket/T.CSV.GZ")) == len(labelled)


def test_labels_of_any_title_and_none_at_all(labelled: pd.DataFrame, tmp_path: Path) -> None:
    titled = labelled.rename(columns={"label": " Label"})
    titled.loc[0, " Label"] = None
    titled.loc[1, " Label"] = "NeedManualLabel"
    dataset = read_dataset(write(titled, tmp_path / "t.csv"), "t.csv")
    assert dataset.labels.to_list()[:3] == [NO_LABEL, NO_LABEL, "Benign"]
    assert dataset.labelled
    without = read_dataset(write(labelled.drop(columns="label"), tmp_path / "u.csv"), "u.csv")
    assert not without.labelled
    assert without.categories == (NO_LABEL,)


def test_a_table_is_chosen_by_its_key(labelled: pd.DataFrame, tmp_path: Path) -> None:
    path = tmp_path / "t.h5"
    labelled.to_hdf(path, key="train", format="table")
    labelled.head(3).to_hdf(path, key="test", format="table")
    assert len(read_dataset(path, "t.h5", "test")) == 3
    with pytest.raises(ValueError, match=r"it has the keys .*: choose one with --hdf-key"):
        read_dataset(path, "t.h5")
    with pytest.raises(ValueError, match="other"):
        read_dataset(path, "t.h5", "other")


@pytest.mark.parametrize("name", ["t.h5", "t.parquet", "t.csv.gz"])
def test_what_cannot_be_read_is_named(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"nonsense")
    with pytest.raises(ValueError, match=f"{name}: cannot be read"):
        read_dataset(tmp_path / name, name)


def test_files_without_flows(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("a,b\n")
    with pytest.raises(ValueError, match="holds no flow"):
        read_dataset(tmp_path / "t.csv", "t.csv")
    with pytest.raises(FileNotFoundError, match=r"not found"):
        read_dataset(tmp_path / "u.csv", "u.csv")


@pytest.mark.parametrize("label", ["Benign", "BENIGN", "benign", "normal", "0"])
def test_benign_in_any_spelling(label: str) -> None:
    assert not is_attack(label)


@pytest.mark.parametrize("label", ["DoS attacks-Hulk", "Infilteration", "3", "something nobody knows"])
def test_everything_else_is_an_attack(label: str) -> None:
    assert is_attack(label)
