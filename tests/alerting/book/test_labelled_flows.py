from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flows.labels import LABELS
from flows.parquet_files import read_parquet, write_parquet
from flows.schema import COMMON_NAMES, IMPROVED_NAMES
from flows.table import ROW_COLUMNS, FlowTable
from helpers.alerts import packed
from helpers.book import open_book, opening, written
from helpers.flows import flow_table

ODD = [float("nan"), float("inf"), -0.0, 1e300, 2.0**60]


def test_a_labelled_flow_is_the_alerts_to_the_bit(tmp_path: Path) -> None:
    odd = dict(zip(IMPROVED_NAMES, ODD, strict=False))
    table = flow_table(3, features=odd, src_addr=packed("10.0.0.1", "2001:db8::1", "192.0.2.1"))
    with open_book(tmp_path / "alerts.db") as book:
        said = opening(["10.0.0.1", "2001:db8::1", "192.0.2.1"], features=odd)
        book.take(said)
        written(book)
        for each in said:
            book.label(each.alert_id, "true_positive", "DoS Hulk", None, None)
        labelled = book.labelled("improved").table
    for name in ROW_COLUMNS:
        np.testing.assert_array_equal(getattr(labelled, name), getattr(table, name), err_msg=name)
    assert labelled.extras["label"].tolist() == ["DoS Hulk"] * 3
    assert labelled.extras["alert_id"].tolist() == [each.alert_id for each in said]
    write_parquet(labelled, tmp_path / "labels.parquet")
    again = read_parquet(tmp_path / "labels.parquet")
    np.testing.assert_array_equal(again.features, table.features)


def test_flows_of_several_feature_sets_share_what_all_have(tmp_path: Path) -> None:
    with open_book(tmp_path / "alerts.db") as book:
        for names, dialect in (
            (IMPROVED_NAMES, "improved"),
            (COMMON_NAMES, "improved"),
            (COMMON_NAMES[:10], "improved"),
            (COMMON_NAMES, "cic-v4"),
        ):
            (message,) = opening(["10.0.0.1"], names=names, dialect=dialect)
            book.take([message])
            written(book)
            book.label(message.alert_id, "true_positive", None, None, None)
        improved, v4, none = (book.labelled(dialect) for dialect in ("improved", "cic-v4", "cic-2017"))
    assert (len(improved.table), improved.left_out) == (2, 2)
    assert set(improved.table.feature_names) == set(COMMON_NAMES)
    assert (len(v4.table), v4.left_out) == (1, 3)
    assert (len(none.table), none.left_out) == (0, 4)


def test_a_later_label_takes_the_place_of_the_earlier(tmp_path: Path) -> None:
    with open_book(tmp_path / "alerts.db") as book:
        (message,) = opening(["10.0.0.1"])
        book.take([message])
        written(book)
        book.label(message.alert_id, "true_positive", "DDoS", "first", "eve")
        book.label(message.alert_id, "false_positive", None, None, "adam")
        table = book.labelled("improved").table
    assert table.extras["label"].tolist() == ["Benign"]
    assert table.extras["verdict"].tolist() == ["false_positive"]


@settings(max_examples=20, deadline=None)
@given(code=st.sampled_from([label.code for label in LABELS if label.code]))
def test_every_class_can_be_given(tmp_path_factory: pytest.TempPathFactory, code: int) -> None:
    with open_book(tmp_path_factory.mktemp("book") / "alerts.db") as book:
        (message,) = opening(["10.0.0.1"])
        book.take([message])
        written(book)
        (name,) = [label.name for label in LABELS if label.code == code]
        found = book.label(message.alert_id, "true_positive", name, None, None)
        assert found
        assert found["feedback"]["label"] == name
        table: FlowTable = book.labelled("improved").table
        assert table.extras["label"].tolist() == [name]
