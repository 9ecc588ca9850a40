"""Scorer: a loaded model that turns flow tables into verdicts."""

from __future__ import annotations

import logging
from copy import copy
from functools import cached_property, lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from detection.compiled import CompiledModel
from detection.decision import decide, enough
from detection.explain import Explainer, explanation_of
from detection.model import Model
from detection.preprocess import clean
from detection.record import SIZES, ModelRecord
from flows.explanations import Explanation
from flows.table import FlowTable
from flows.verdicts import Verdicts

_ABSENT: Final = -1
logger = logging.getLogger(__name__)


class ModelUnavailableError(RuntimeError):
    """No model can serve; the message says why and what to do."""


class Scorer:
    """A model with its record; safe to use from several threads.

    Attributes:
        record: what the model reads and knows.
        model_name, model_version: its name and version in the registry.
        card: its model card, Markdown.
    """

    def __init__(
        self,
        model: Model,
        record: ModelRecord,
        *,
        model_name: str = "",
        model_version: str = "",
        card: str = "",
    ) -> None:
        """Put model and record together.

        Raises:
            ValueError: they do not agree on the number of features or classes, or on NaN.
        """
        shapes = (model.features, model.classes)
        if shapes != (len(record.features), len(record.classes)):
            raise ValueError(
                f"the model has {shapes[0]} features and {shapes[1]} classes, "
                f"its record {len(record.features)} and {len(record.classes)}"
            )
        if record.preprocessing.nan is None and not model.takes_nan:
            raise ValueError("preprocessing.nan: says that NaN stays, but the model cannot read it")
        self.record = record
        self.model_name = model_name
        self.model_version = model_version
        self.card = card
        self._threshold = record.threshold
        self._model = model
        self._codes = np.array(record.classes, np.int32)
        self._benign = record.benign_column
        sizes = [record.features.index(name) for name in SIZES if record.insufficient]
        self._sizes = np.array(sizes, np.int64)

    @property
    def threshold(self) -> float:
        """The operating threshold in force, the record's unless `with_threshold` gave another."""
        return self._threshold

    def with_threshold(self, threshold: float) -> Scorer:
        """Return the same model at another operating threshold.

        Raises:
            ValueError: the threshold is not above 0 and at most 1.
        """
        if not 0 < threshold <= 1:
            raise ValueError(f"threshold {threshold} is not above 0 and at most 1")
        other = copy(self)
        other._threshold = threshold
        return other

    def missing(self, names: tuple[str, ...]) -> tuple[str, ...]:
        """Return the features the model reads that are not among `names`; context may be, see `score`."""
        return _columns(names, self.record.features, self.record.context)[1]

    def probabilities(self, features: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return n x C class probabilities of n x F raw features in the record's order."""
        return self._model.probabilities(clean(features, self.record.preprocessing))

    def score(self, table: FlowTable) -> Verdicts:
        """Return one verdict a flow, in the table's order.

        Insufficient flows are never attacks, and no probability is claimed for them: `p_attack` and
        `p_label` are NaN. Host context that the table does not tell is NaN to the model.

        Raises:
            KeyError: the table lacks features the model reads; all are named.
        """
        features = self._read(table)
        probabilities = self.probabilities(features)
        judged = enough(features, self._sizes, self.record.insufficient)
        code = np.empty(len(probabilities), np.int32)
        p_attack, p_label = np.empty(len(probabilities)), np.empty(len(probabilities))
        decide(probabilities, judged, self._codes, self._benign, self.threshold, code, p_attack, p_label)
        return Verdicts(
            code=code,
            p_attack=p_attack,
            p_label=p_label,
            insufficient=np.logical_not(judged),
            threshold=self.threshold,
            model_name=self.model_name,
            model_version=self.model_version,
            schema_id=self.record.schema_id,
        )

    def made(self, verdicts: Verdicts) -> bool:
        """Whether verdicts are this model's, so that its explanations are theirs."""
        origin = (verdicts.model_name, verdicts.model_version)
        return origin == (self.model_name, self.model_version)

    def explain(self, table: FlowTable) -> tuple[Explanation | None, ...]:
        """Return why each flow gets its P(attack), in the table's order.

        Insufficient flows have no explanation; nor has any flow where the model is not compiled, which is
        logged once. A flow takes a fraction of a millisecond: explain single flows, not floods.

        Raises:
            KeyError: the table lacks features the model reads; all are named.
        """
        features = self._read(table)
        explanations: list[Explanation | None] = [None] * len(table)
        if (explainer := self._explainer) is None:
            return tuple(explanations)
        rows = clean(features, self.record.preprocessing)
        p_attack = 1.0 - self._model.probabilities(rows)[:, self.record.benign_column]
        judged = enough(features, self._sizes, self.record.insufficient)
        for row in np.flatnonzero(judged).tolist():
            base, moved = explainer.explain(rows[row])
            explanations[row] = explanation_of(self.record, features[row], float(p_attack[row]), base, moved)
        return tuple(explanations)

    @property
    def unexplained(self) -> str | None:
        """Why the model's verdicts have no explanation, in words that follow "the model"."""
        if not isinstance(self._model, CompiledModel):
            return "has no compiled form"
        return None if self._model.explainable else "compares with stored flows"

    def warm_up(self) -> None:
        """Prepare what the first explanation would otherwise wait for."""
        if self._explainer is not None:
            self._explainer.explain(np.zeros(self._model.features))

    @cached_property
    def _explainer(self) -> Explainer | None:
        if self.unexplained is None:
            assert isinstance(self._model, CompiledModel)
            return Explainer(self._model, np.array(self.record.benign_medians))
        logger.warning(
            "model %s version %s %s: its verdicts go without explanations",
            *(self.model_name, self.model_version, self.unexplained),
        )
        return None

    def _read(self, table: FlowTable) -> NDArray[np.float64]:
        """Return the features the model reads, n x F."""
        columns, missing = _columns(table.feature_names, self.record.features, self.record.context)
        if missing:
            raise KeyError(", ".join(missing))
        if columns is None:
            return table.features
        features = table.features[:, columns]
        if self.record.context:
            features[:, columns == _ABSENT] = np.nan
        return features


@lru_cache(maxsize=64)
def _columns(
    given: tuple[str, ...], wanted: tuple[str, ...], optional: frozenset[str]
) -> tuple[NDArray[np.intp] | None, tuple[str, ...]]:
    """Return where the wanted names are (None when they are just those) and which are missing.

    Optional ones that are absent are at _ABSENT.
    """
    where = {name: column for column, name in enumerate(given)}
    missing = tuple(name for name in wanted if name not in where and name not in optional)
    if missing or given == wanted:
        return None, missing
    return np.array([where.get(name, _ABSENT) for name in wanted], np.intp), ()
