from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from alerting.book.book import AlertBook
from flows.parquet_files import write_parquet
from flows.schema import COMMON_NAMES
from helpers.book import open_book, opening, written
from training.sources.feedback import feedback_flows, latest_said
from training.sources.read import read_training_data


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "alerts.db"


@pytest.fixture
def book(file: Path) -> Iterator[AlertBook]:
    with open_book(file) as opened:
        yield opened


def say(book: AlertBook, verdict: Any, label: str | None = None, **columns: Any) -> None:
    """Open an alert and label it."""
    columns.setdefault("names", COMMON_NAMES)
    (message,) = opening(["10.0.0.1"], **columns)
    book.take([message])
    written(book)
    book.label(message.alert_id, verdict, label, None, "adam")


def test_false_positives_are_benign_and_others_of_their_class(book: AlertBook, file: Path) -> None:
    say(book, "false_positive", features={"flow_duration": 1})
    say(book, "true_positive", "DoS GoldenEye", features={"flow_duration": 2})
    say(book, "true_positive", features={"flow_duration": 3}, codes=[5])
    flows = feedback_flows(file)
    durations = flows.features[:, flows.names.index("flow_duration")]
    assert dict(zip(durations.tolist(), flows.codes.tolist(), strict=True)) == {1.0: 0, 2.0: 4, 3.0: 5}
    assert (flows.dialect, flows.names, flows.sources) == ("improved", COMMON_NAMES, ("feedback",))
    assert (flows.rows_read, flows.dropped) == (3, {})


def test_what_was_said_last_of_equal_flows_counts(book: AlertBook, file: Path) -> None:
    for verdict in ("false_positive", "true_positive", "false_positive", "true_positive"):
        say(book, verdict, "DDoS" if verdict == "true_positive" else None)
    say(book, "true_positive", "Bot", features={"flow_duration": 7})
    flows = feedback_flows(file)
    assert sorted(flows.codes.tolist()) == [1, 15]
    assert (flows.rows_read, flows.dropped) == (5, {"contradicted": 2, "duplicate": 1})


def test_flows_of_other_dialects_are_counted(book: AlertBook, file: Path) -> None:
    say(book, "true_positive")
    say(book, "true_positive", dialect="cic-v4")
    assert feedback_flows(file).dropped == {"other dialect": 1}
    with pytest.raises(
        ValueError, match="no labelled flow of dialect cic-2017; 2 labelled flows are of other"
    ):
        feedback_flows(file, "cic-2017")


def test_a_book_that_is_not_there_is_said(file: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"alerts\.db: no alert book"):
        feedback_flows(file)
    assert not file.exists()


def test_a_book_without_labels_or_of_another_kind_is_said(
    book: AlertBook, file: Path, tmp_path: Path
) -> None:
    book.take(opening(["10.0.0.1"]))
    written(book)
    with pytest.raises(ValueError, match="label alerts on the dashboard"):
        feedback_flows(file)
    (tmp_path / "other.db").write_text("not a database, but long enough to be taken for one " * 100)
    with pytest.raises(ValueError, match=r"other\.db: cannot be read"):
        feedback_flows(tmp_path / "other.db")


def test_labels_that_were_exported_are_judged_the_same(book: AlertBook, file: Path, tmp_path: Path) -> None:
    for verdict in ("true_positive", "false_positive", "true_positive", "false_positive"):
        say(book, verdict)
    write_parquet(book.labelled("improved").table, tmp_path / "labels.parquet")
    exported, own = read_training_data([tmp_path / "labels.parquet"]), feedback_flows(file)
    assert exported.codes.tolist() == own.codes.tolist() == [0]
    assert exported.dropped == own.dropped == {"contradicted": 2, "duplicate": 1}


def test_equal_flows_of_equal_labels_stay(book: AlertBook) -> None:
    for _ in range(3):
        say(book, "false_positive")
    table, contradicted = latest_said(book.labelled("improved").table, "book")
    assert (len(table), contradicted) == (3, 0)
    np.testing.assert_array_equal(table.extras["label"], ["Benign"] * 3)
