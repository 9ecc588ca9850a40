"""Which flows to send, and how fast."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from clients.rest_client.dataset import Dataset

RANDOM: Final = "r"


@dataclass(frozen=True, slots=True)
class Selection:
    """What was chosen.

    Attributes:
        category: a label; None takes flows of any.
        samples: how many flows, chosen at random; None takes all.
        delay_ms: between two requests of one flow each; None sends all at once.
    """

    category: str | None
    samples: int | None
    delay_ms: int | None


def select(dataset: Dataset, selection: Selection, seed: int | None = None) -> Dataset:
    """Return the selected flows; all of a category that has fewer than were asked for."""
    labels = dataset.labels
    rows = labels[labels == selection.category] if selection.category is not None else labels
    if selection.samples is not None:
        rows = rows.sample(n=min(selection.samples, len(rows)), random_state=seed)
    return dataset.take(rows.index.to_list())


def find_category(text: str, categories: Sequence[str]) -> str | None:
    """Return the label that a text names or numbers, None for RANDOM.

    Raises:
        ValueError: none; names those there are.
    """
    if text in categories:
        return text
    if text == RANDOM:
        return None
    if text.isdecimal() and int(text) < len(categories):
        return categories[int(text)]
    for category in categories:
        if category.casefold() == text.strip().casefold():
            return category
    listed = ", ".join(f"{number} - {label}" for number, label in enumerate(categories))
    raise ValueError(f"--category: no {text!r} in the dataset; there are {listed}, and {RANDOM} for any")
