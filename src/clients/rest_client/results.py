"""What the predictions are worth: accuracy, precision and recall, confusion, and every flow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import pandas as pd
from rich.console import Console
from rich.table import Table

from clients.frames import Overflow, frame_text, printable
from clients.rest_client.dataset import BENIGN, NO_LABEL, Dataset, is_attack

ATTACK: Final = "Attack"
UNKNOWN: Final = "-"


@dataclass(frozen=True, slots=True)
class ClassFigures:
    """How one class of the labelled flows fared; figures from 0 to 1, None without a flow to count.

    Attributes:
        name: a label, or what all attacks are called together.
        flows: that are of it.
        called_attack: of these.
        precision: of an attack class, the share that is of it among its and the benign flows called
            attacks; of the benign one, the share that is benign among the flows called so.
        recall: the share of its flows that was called rightly.
    """

    name: str
    flows: int
    called_attack: int
    precision: float | None
    recall: float | None


@dataclass(frozen=True, slots=True)
class Results:
    """The flows that were sent, and what was answered.

    Attributes:
        samples: what was sent.
        predictions: 1.0 or 0.0, a flow.
    """

    samples: Dataset
    predictions: Sequence[float]

    @property
    def details(self) -> pd.DataFrame:
        """A row a flow: is_correct and label where there are labels, then the answer, then the columns."""
        called = [value != 0 for value in self.predictions]
        columns: dict[str, Sequence[object]] = {}
        if self.samples.labelled:
            labels = self.samples.labels.to_list()
            columns["is_correct"] = [
                None if label == NO_LABEL else is_attack(label) == attack
                for label, attack in zip(labels, called, strict=True)
            ]
            columns["label"] = labels
        columns["predicted_label"] = [ATTACK if attack else BENIGN for attack in called]
        columns["prediction_raw"] = list(self.predictions)
        answers = pd.DataFrame(columns, index=self.samples.flows.index)
        return pd.concat([answers, self.samples.flows], axis=1)

    @property
    def accuracy(self) -> float | None:
        """The share of labelled flows that was called rightly, None without any."""
        truths = self._truths()
        right = sum(is_attack(label) == called for label, called in truths)
        return right / len(truths) if truths else None

    def by_class(self) -> list[ClassFigures]:
        """Return the figures of benign flows, of all attacks, and of each attack class."""
        truths = self._truths()
        benign = [called for label, called in truths if not is_attack(label)]
        attacks = [called for label, called in truths if is_attack(label)]
        kinds = dict.fromkeys(
            label for label in self.samples.categories if is_attack(label) and label != NO_LABEL
        )
        named = {ATTACK: attacks} | {
            kind: [called for label, called in truths if label == kind] for kind in kinds
        }
        missed, false = len(attacks) - sum(attacks), sum(benign)
        kept = len(benign) - false
        return [
            ClassFigures(BENIGN, len(benign), false, _share(kept, kept + missed), _share(kept, len(benign))),
            *(
                ClassFigures(
                    name,
                    len(each),
                    sum(each),
                    _share(sum(each), sum(each) + false),
                    _share(sum(each), len(each)),
                )
                for name, each in named.items()
            ),
        ]

    def _truths(self) -> list[tuple[str, bool]]:
        pairs = zip(self.samples.labels, self.predictions, strict=True)
        return [(label, value != 0) for label, value in pairs if label != NO_LABEL]


def show(results: Results, overflow: Overflow, most_details: int) -> None:
    """Print the results, the details of at most so many flows."""
    console = Console(highlight=False, markup=False, soft_wrap=True)
    console.print("\nPrediction Results:\n===================")
    if (accuracy := results.accuracy) is not None:
        console.print(f"Accuracy: {accuracy:.2%}\n")
        figures = results.by_class()
        console.print(_figures_table(figures))
        console.print(_confusion_table(figures))
    details = results.details
    console.print("\nDetails:\n--------")
    console.print(frame_text(details.head(most_details), overflow))
    if len(details) > most_details:
        console.print(f"... and {len(details) - most_details} more: --details {len(details)} shows all")
    console.print()


def _figures_table(figures: Sequence[ClassFigures]) -> Table:
    table = Table("class", title="Precision and recall", title_justify="left")
    for title in ("flows", "precision", "recall"):
        table.add_column(title, justify="right")
    for each in figures:
        table.add_row(printable(each.name), str(each.flows), _percent(each.precision), _percent(each.recall))
    return table


def _confusion_table(figures: Sequence[ClassFigures]) -> Table:
    table = Table("label", title="Confusion", title_justify="left")
    for title in (f"called {BENIGN}", f"called {ATTACK}"):
        table.add_column(title, justify="right")
    for each in figures:
        if each.name != ATTACK:
            table.add_row(printable(each.name), str(each.flows - each.called_attack), str(each.called_attack))
    return table


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _percent(share: float | None) -> str:
    return UNKNOWN if share is None else f"{share:.2%}"
