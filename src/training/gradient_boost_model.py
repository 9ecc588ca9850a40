"""The gradient boosting of `make train_local` as MLflow serves it: from this file, without the project."""

from __future__ import annotations

import json
from typing import Any

import mlflow.pyfunc
import numpy as np
from catboost import CatBoostClassifier
from mlflow.models import set_model


class GradientBoostModel(mlflow.pyfunc.PythonModel):  # type: ignore[misc, name-defined]
    """Flows with columns named as in CSE-CIC-IDS2018's clients to 1.0, attack, and 0.0, benign."""

    def load_context(self, context: Any) -> None:
        """Load CatBoost's file and what becomes of missing values."""
        self._classifier = CatBoostClassifier()
        self._classifier.load_model(context.artifacts["classifier"])
        with open(context.artifacts["preprocessing"], encoding="utf-8") as file:
            rules = json.load(file)
        self._columns: list[str] = rules["columns"]
        self._negative = np.array([name in rules["may_be_negative"] for name in self._columns])
        self._medians = np.array([rules["medians"].get(name, np.nan) for name in self._columns])

    def predict(self, context, model_input, params=None):  # type: ignore[no-untyped-def]  # MLflow reads hints
        """Return the class of every row; other columns than the model's own are not looked at."""
        if missing := [name for name in self._columns if name not in model_input.columns]:
            raise ValueError(f"missing columns: {', '.join(missing)}")
        rows = model_input[self._columns].to_numpy(np.float64)
        lacking = ~np.isfinite(rows) | ((rows < 0) & ~self._negative)
        rows = np.where(lacking, self._medians, rows)
        return self._classifier.predict(rows).astype(np.float64).ravel()


set_model(GradientBoostModel())
