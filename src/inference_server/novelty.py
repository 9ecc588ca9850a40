"""The detector of novelty that NOVELTY_MODEL_NAME names, followed in the registry."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Final

from detection.novelty import Novelty, NoveltyCounts
from detection.registry import Registry
from detection.scorer import Scorer
from detection.watcher import ModelWatcher
from flows.labels import ATTACK
from flows.table import FlowTable
from flows.verdicts import Verdicts
from inference_server.champion import second_watcher
from inference_server.settings import Settings

FOLDER: Final = "novelty"
"""Below STATE_DIR, for the cache of this model."""
CLASSES: Final = (0, ATTACK)
logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class NoveltyStatus:
    """The detector of NOVELTY_MODEL_NAME.

    Attributes:
        name, version: of what serves, None before it does.
        threshold: above which a flow is novel, None before it serves.
        error: why none serves.
        problems: what is wrong though one does.
        counts: what it did.
    """

    name: str | None
    version: str | None
    threshold: float | None
    error: str | None
    problems: tuple[str, ...]
    counts: NoveltyCounts


class NoveltyModel:
    """Gives `judge` the detector of the settings, and every later version of it."""

    def __init__(
        self,
        settings: Settings,
        registry: Registry,
        on_novel: Callable[[FlowTable, Verdicts], None],
        also_scored: Collection[str] = (),
    ) -> None:
        """Make what is not running yet; see `Novelty` for the last two."""
        self.judge = Novelty(on_novel, also_scored=also_scored)
        self._unfit: str | None = None
        name = settings.novelty_model_name
        self._watcher: ModelWatcher | None = (
            second_watcher(settings, registry, name, FOLDER, self._serve) if name else None
        )

    def start(self) -> None:
        """Follow the model, if there is a name."""
        if self._watcher:
            self._watcher.start()

    def stop(self) -> None:
        """Stop following."""
        if self._watcher:
            self._watcher.stop()

    def status(self) -> NoveltyStatus | None:
        """Return what is known of the detector, None without a name."""
        if self._watcher is None:
            return None
        counts, detector = self.judge.counts(), self.judge.detector
        watched = self._watcher.status()
        if detector is None:
            error = _renamed(self._unfit or watched.error or "it is being loaded")
            return NoveltyStatus(None, None, None, error, (), counts)
        problems = (*map(_renamed, watched.problems), *([counts.error] if counts.error else []))
        return NoveltyStatus(
            detector.model_name, detector.model_version, detector.threshold, None, problems, counts
        )

    def _serve(self, detector: Scorer) -> None:
        self._unfit = None
        classes = tuple(detector.record.classes)
        if classes != CLASSES:
            model = f"model {detector.model_name} version {detector.model_version}"
            self._unfit = f"{model} is no detector of novelty: train one with --estimator isolation-forest"
            logger.warning("%s", self._unfit)
        self.judge.detector = None if self._unfit else detector


def _renamed(text: str) -> str:
    return text.replace("MLFLOW_MODEL_NAME", "NOVELTY_MODEL_NAME")
