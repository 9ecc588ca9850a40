"""Explanations of verdicts given a moment ago, although another model may serve by then."""

from __future__ import annotations

from detection.scorer import Scorer
from flows.explanations import Explanation
from flows.table import FlowTable
from flows.verdicts import Verdicts


class LatestModels:
    """The model that serves and the one before it. Any thread may ask."""

    def __init__(self) -> None:
        self._models: tuple[Scorer, ...] = ()

    def serve(self, scorer: Scorer) -> None:
        """Put another model first; the same version at another threshold takes its own place."""
        version = (scorer.model_name, scorer.model_version)
        others = [other for other in self._models if (other.model_name, other.model_version) != version]
        self._models = (scorer, *others[:1])

    def explain(self, table: FlowTable, verdicts: Verdicts) -> tuple[Explanation | None, ...]:
        """Return why each flow got its verdict; None where neither model made them."""
        maker = next((scorer for scorer in self._models if scorer.made(verdicts)), None)
        return maker.explain(table) if maker else (None,) * len(table)
