"""A recurrence over the last flows of two hosts on the splits, beside the kinds that see single flows."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Final

import numpy as np

from detection.preprocess import clean
from training.dataset import LabelledFlows
from training.deep import Recurrence, pasts, predicted_in_parts, sequences
from training.estimators import SEED, Kind
from training.recipe import PREPROCESSING, TRAIN_SHARE
from training.report.split_study import Fitted, Measured, figures_of
from training.splits import Split, training_rows

LENGTH: Final = 8
"""So many flows it sees, the last of which it judges."""

RECURRENCE: Final = Kind("gru", f"a recurrence over the last {LENGTH} flows of two hosts", Recurrence)
"""It is measured only: nothing that serves keeps flows."""


def recurrence_on(
    flows: LabelledFlows, splits: Sequence[Split], told: Callable[[str], None]
) -> tuple[tuple[Measured, ...], dict[str, str]]:
    """Return a recurrence's figures on splits, and why a split has none.

    A flow's past is what was between its hosts before, in whichever part of the split that is.

    Raises:
        ModuleNotFoundError: torch is not installed.
    """
    past, features = pasts(flows, LENGTH), clean(flows.features, PREPROCESSING)
    found, skipped = [], dict[str, str]()
    for split in splits:
        told(f"{RECURRENCE.name}: {split}")
        try:
            train = training_rows(flows, split, TRAIN_SHARE, SEED)
        except ValueError as error:
            skipped[str(split)] = str(error)
            continue
        began = time.perf_counter()
        model = Recurrence(SEED, width=64).fit(sequences(features, past[train]), flows.codes[train])
        classes = tuple(int(code) for code in model.classes_.tolist())
        fitted = Fitted(RECURRENCE, model, flows.names, classes, time.perf_counter() - began)
        answers = np.concatenate(list(predicted_in_parts(model, features, past[~train])))
        found.append(figures_of(str(split), fitted, answers, flows.codes[~train], None, int(train.sum())))
    return tuple(found), skipped
