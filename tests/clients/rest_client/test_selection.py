from __future__ import annotations

import pandas as pd
import pytest

from clients.rest_client.dataset import Dataset
from clients.rest_client.selection import Selection, find_category, select

CATEGORIES = ("Benign", "DoS Hulk", "3")


@pytest.fixture
def dataset(labelled: pd.DataFrame) -> Dataset:
    return Dataset(labelled.drop(columns="label"), labelled["label"])


@pytest.mark.parametrize(
    ("category", "samples", "labels"),
    [
        ("DoS Hulk", None, ["DoS Hulk"] * 3),
        ("DoS Hulk", 2, ["DoS Hulk"] * 2),
        ("DoS Hulk", 99, ["DoS Hulk"] * 3),
        (None, None, ["Benign"] * 5 + ["DoS Hulk"] * 3 + ["PortScan"] * 2),
    ],
)
def test_some_of_a_category_or_all(
    dataset: Dataset, category: str | None, samples: int | None, labels: list[str]
) -> None:
    chosen = select(dataset, Selection(category, samples, None))
    assert chosen.labels.to_list() == labels
    assert chosen.flows.index.to_list() == chosen.labels.index.to_list()


def test_a_seed_makes_the_choice_the_same(dataset: Dataset) -> None:
    first, again = (select(dataset, Selection(None, 5, None), seed=7) for _ in range(2))
    assert first.flows.index.to_list() == again.flows.index.to_list()
    assert len(set(first.flows.index)) == 5


@pytest.mark.parametrize(
    ("text", "found"),
    [("Benign", "Benign"), ("dos hulk", "DoS Hulk"), ("1", "DoS Hulk"), ("3", "3"), ("r", None)],
)
def test_categories_by_name_and_number(text: str, found: str | None) -> None:
    assert find_category(text, CATEGORIES) == found


def test_unknown_categories_name_those_there_are() -> None:
    with pytest.raises(ValueError, match="no '7' in the dataset; there are 0 - Benign, 1 - DoS Hulk"):
        find_category("7", CATEGORIES)
