"""What every other model is compared with: a forest as anybody would make it."""

from __future__ import annotations

from typing import Final

from sklearn.ensemble import RandomForestClassifier

from training.estimators import Kind
from training.makes import JOBS


def _plain(seed: int) -> RandomForestClassifier:
    return RandomForestClassifier(100, random_state=seed, n_jobs=JOBS)


PLAIN_FOREST: Final = Kind("plain-forest", "a plain random forest of 100 trees", _plain, takes_nan=True)
