from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from flows.csv_files import write_csv
from flows.schema import COMMON_NAMES
from helpers.flows import flow_table
from training.sources.split_labels import is_label_file, label_file, read_labels, read_with_labels


@pytest.fixture
def data(tmp_path: Path) -> Path:
    write_csv(flow_table(3, names=COMMON_NAMES, dialect="cic-v4"), tmp_path / "Data.csv", "cic-v4")
    return tmp_path / "Data.csv"


def read(data: Path, text: str) -> list[str]:
    labels = data.with_name("Label.csv")
    labels.write_text(text)
    table = read_with_labels(data, labels, Counter(), dialect=None, required=COMMON_NAMES)
    return [str(label) for label in table.extras["label"].tolist()]


def test_the_rows_of_both_files_belong_together(data: Path) -> None:
    assert read(data, "Label\n0\n9\n4.0\n") == ["Benign", "Worms", "Exploits"]
    assert read(data, "\ufeffLabel\nBENIGN\nDoS Hulk\n\n1\n") == ["BENIGN", "DoS Hulk", "Analysis"]
    assert read(data, "id,Label\n1,3\n2,3\n3,0\n") == ["DoS", "DoS", "Benign"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Label\n0\n1\n", "has 2 labels, but Data.csv has 3 flows: the rows of both files"),
        ("Label\n0\n1\n10\n", "label 10 is none of 0 to 9 of CIC-UNSW-NB15"),
        ("id,class\n0,1\n", "no column Label"),
    ],
)
def test_files_that_do_not_fit_are_told(data: Path, text: str, said: str) -> None:
    with pytest.raises(ValueError, match=rf"Label.csv: .*{said}"):
        read(data, text)


def test_a_row_without_a_value_would_move_all_labels(data: Path) -> None:
    data.write_text(data.read_text() + "," * data.read_text().splitlines()[0].count(",") + "\n")
    with pytest.raises(ValueError, match="3 flows and 1 rows that are none"):
        read(data, "Label\n0\n0\n0\n0\n")


def test_files_that_belong_together_are_told_by_their_names(data: Path) -> None:
    assert label_file(data) is None
    labels = data.with_name("label.CSV")
    labels.write_text("Label\n0\n")
    assert label_file(data) == labels
    assert is_label_file(labels)
    assert not is_label_file(data)
    assert label_file(data.with_name("flows.csv")) is None
    assert read_labels(labels).tolist() == ["Benign"]
