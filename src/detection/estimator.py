"""An estimator as MLflow keeps it: what `ml-ids models import` compiles, or serves when it must.

Loading one runs code that its file holds. Serving imports this module only with ALLOW_PICKLE_MODELS.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from detection.catboost_model import CatBoostModel, import_catboost
from detection.model import check_width

MLMODEL: Final = "MLmodel"
FLAVOURS: Final = ("sklearn", "catboost")


class Estimator:
    """A fitted classifier of scikit-learn's kind, with the names it was fitted with.

    Attributes:
        fitted: the classifier itself.
        flavour: `sklearn` or `catboost`.
        columns: names of its input columns, empty when it knows none.
        labels: its classes, as texts, in the order of the probabilities' columns.
        warnings: what was said when it was loaded, such as that another version made it.
    """

    def __init__(
        self, fitted: Any, flavour: str, columns: tuple[str, ...] = (), told: tuple[str, ...] = ()
    ) -> None:
        """Take a fitted classifier.

        Raises:
            ValueError: it gives no class probabilities.
        """
        kind = type(fitted).__name__
        if not hasattr(fitted, "predict_proba") or not hasattr(fitted, "classes_"):
            raise ValueError(f"{kind} gives no class probabilities: log a classifier with predict_proba")
        self.fitted = fitted
        self.flavour = flavour
        own = getattr(fitted, "feature_names_" if flavour == "catboost" else "feature_names_in_", ())
        self._named = flavour == "sklearn" and len(own) > 0
        self.columns = tuple(str(name) for name in own) if self._named else columns or _names(own)
        self.labels = tuple(_text(label) for label in np.asarray(fitted.classes_).tolist())
        self.warnings = told
        self._features = len(own) or int(getattr(fitted, "n_features_in_", len(self.columns)))

    @property
    def features(self) -> int:
        """F, how many columns a row has."""
        return self._features

    @property
    def classes(self) -> int:
        """C, how many classes it knows."""
        return len(self.labels)

    @property
    def takes_nan(self) -> bool:
        """Whether rows may hold NaN: that is the estimator's business."""
        return True

    def probabilities(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return its own n x C class probabilities of n x F preprocessed rows.

        Raises:
            ValueError: the rows do not have F columns.
        """
        check_width(rows, self._features)
        if self.flavour == "catboost":
            return CatBoostModel(self.fitted).probabilities(rows)
        if not len(rows):
            return np.empty((0, self.classes))
        return np.asarray(self.fitted.predict_proba(self._frame(rows)), np.float64)

    def _frame(self, rows: NDArray[np.float64]) -> Any:
        if not self._named:
            return rows
        import pandas as pd

        return pd.DataFrame(rows, columns=list(self.columns))


def load_estimator(folder: Path) -> Estimator:
    """Load the estimator of an MLflow model's folder, or of a .cbm file; runs what its file says.

    Raises:
        ValueError: there is no such model, it is none of the known flavours, or cannot be loaded, as without
            the packages it was made with.
    """
    if folder.suffix == ".cbm":
        return Estimator(_load_file(folder), "catboost")
    from mlflow.models import Model

    try:
        described = Model.load(str(folder))
    except Exception as error:  # MLflow's own kinds, YAML's, the file system's
        raise ValueError(f"{folder}: no MLflow model: {' '.join(str(error).split())}") from None
    flavour = next((name for name in FLAVOURS if name in described.flavors), None)
    if flavour is None:
        found = ", ".join(described.flavors)
        raise ValueError(
            f"{folder}: flavours {found}: only models logged with mlflow.sklearn or "
            "mlflow.catboost can be loaded"
        )
    schema = described.signature and described.signature.inputs
    columns = tuple(schema.input_names()) if schema is not None and schema.has_input_names() else ()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        fitted = _load(flavour, folder)
    told = dict.fromkeys(" ".join(str(item.message).split()) for item in caught)
    return Estimator(fitted, flavour, columns, tuple(told))


def _load_file(path: Path) -> Any:
    try:
        return import_catboost().CatBoostClassifier().load_model(str(path))
    except Exception as error:  # CatBoost's own kinds
        raise ValueError(f"{path}: cannot be loaded: {' '.join(str(error).split())}") from None


def _load(flavour: str, folder: Path) -> Any:
    try:
        if flavour == "catboost":
            import_catboost()
            import mlflow.catboost

            return mlflow.catboost.load_model(str(folder))
        import mlflow.sklearn

        return mlflow.sklearn.load_model(str(folder))
    except Exception as error:  # whatever the model's own code raises
        reason = " ".join(str(error).split())
        raise ValueError(f"{folder}: cannot be loaded: {type(error).__name__}: {reason}") from error


def _names(own: Any) -> tuple[str, ...]:
    """Return names that say something: CatBoost numbers the columns of a plain array."""
    names = tuple(str(name) for name in own)
    return () if names == tuple(str(number) for number in range(len(names))) else names


def _text(label: object) -> str:
    if isinstance(label, float) and label.is_integer():
        label = int(label)
    return str(label)
