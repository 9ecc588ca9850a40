"""Which operating threshold is in force, and serving the model at it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

from detection.applied_threshold import read_applied
from detection.scorer import Scorer
from inference_server.settings import Settings

POLL_SECONDS: Final = 5.0
logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ThresholdInForce:
    """An operating threshold and where it is from.

    Attributes:
        value: the threshold.
        source: the setting, `ml-ids calibrate --apply`, or the model's record.
        note: why an applied threshold is not the one, None when none is passed over.
    """

    value: float
    source: Literal["DETECTION_THRESHOLD", "calibrated", "model"]
    note: str | None = None


def threshold_in_force(settings: Settings, scorer: Scorer) -> ThresholdInForce:
    """Return the threshold a model is served at: the setting, else the applied one, else its record's."""
    own = scorer.record.threshold
    if settings.detection_threshold is not None:
        return ThresholdInForce(settings.detection_threshold, "DETECTION_THRESHOLD")
    try:
        applied = read_applied(settings.threshold_file)
    except ValueError as error:
        return ThresholdInForce(own, "model", str(error))
    if applied is None:
        return ThresholdInForce(own, "model")
    if not applied.holds_for(scorer):
        note = (
            f"{settings.threshold_file} is for {applied.model_name} version {applied.model_version}, "
            f"not for version {scorer.model_version} of {scorer.model_name}: calibrate again"
        )
        return ThresholdInForce(own, "model", note)
    return ThresholdInForce(applied.threshold, "calibrated")


class OperatingThreshold:
    """Serves every champion at the threshold in force, also when that changes; a thread of its own."""

    def __init__(
        self, settings: Settings, serve: Callable[[Scorer], None], *, poll_seconds: float = POLL_SECONDS
    ) -> None:
        """Make what is not running yet; `serve` is called with a scorer at the threshold in force."""
        self._settings = settings
        self._serve = serve
        self._poll_seconds = poll_seconds
        self._champion: Scorer | None = None
        self._in_force: ThresholdInForce | None = None
        self._changing = threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="operating-threshold", daemon=True)

    def start(self) -> None:
        """Start looking for changes."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join()

    def status(self) -> ThresholdInForce | None:
        """Return the threshold in force, None before there is a model."""
        return self._in_force

    def champion(self, scorer: Scorer) -> None:
        """Serve another model."""
        with self._changing:
            self._champion = scorer
            self._apply(scorer, threshold_in_force(self._settings, scorer))

    def _run(self) -> None:
        while not self._stop.wait(self._poll_seconds):
            with self._changing:
                if self._champion is not None:
                    found = threshold_in_force(self._settings, self._champion)
                    if found != self._in_force:
                        self._apply(self._champion, found)

    def _apply(self, champion: Scorer, found: ThresholdInForce) -> None:
        before, self._in_force = self._in_force, found
        self._serve(champion.with_threshold(found.value))
        if found.note is not None and (before is None or before.note != found.note):
            logger.warning("%s", found.note)
        logger.info("operating threshold %.6f (%s)", found.value, found.source)
