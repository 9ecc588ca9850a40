"""RobertoDeLaCamara/ML-IDS on CIC-UNSW-NB15: ten classes, random rows 70/15/15, macro F1."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from training.estimators import Kind, kind_named
from training.evaluation import Evaluation, evaluate
from training.published.protocol import Reproduction, Result, Told, parted
from training.report.split_study import EVEN_ODDS, fitted
from training.sources.read import ReadOptions, read_training_data

TRANSFORMER: Final = 0.6197
BOOSTED: Final = 0.6095
"""Published: of a tuned FT-Transformer, and of XGBoost."""


def reproduce(locations: Sequence[str], kind: Kind, *, nrows: int | None = None, told: Told) -> Reproduction:
    """Return the published macro F1 beside ours.

    Args:
        locations: a folder with Data.csv and Label.csv.
        kind: ours.
        nrows: only so many rows a file.
        told: told what is done next.

    Raises:
        OSError, ValueError: the data cannot be read or are too few.
    """
    told("reading")
    flows = read_training_data(locations, options=ReadOptions(nrows=nrows, keep_duplicates=True))
    train, _, tested = parted(flows.codes, 0.15, 0.15)
    results: list[Result] = []
    for one, published in ((kind_named("gradient-boosting"), BOOSTED), (kind, TRANSFORMER)):
        told(one.name)
        found = fitted(flows.take(train), one)
        probabilities = found.probabilities(flows.features[tested])
        figures = evaluate(
            probabilities, flows.codes[tested], found.classes, threshold=EVEN_ODDS, train_rows=len(train)
        )
        results += _results(f"ours: {one.name}", published, figures)
    return Reproduction(
        "CIC-UNSW-NB15",
        len(flows),
        tuple(results),
        (
            f"published: XGBoost {BOOSTED}, FT-Transformer tuned {TRANSFORMER}; the seed of the split is not "
            "published, 42 here",
        ),
    )


def _results(name: str, published: float, found: Evaluation) -> list[Result]:
    return [
        Result("test rows", name, "macro F1", published, found.macro_f1, found.macro_f1_interval),
        *(
            Result("test rows", name, f"F1 {part.name}", None, part.f1, part.f1_interval)
            for part in found.classes
            if part.n
        ),
    ]
