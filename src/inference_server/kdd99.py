"""`POST /predict` for KDD99 clients: another body, another model and another answer on the same route."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import orjson
from numpy.typing import NDArray

from detection.registry import Registry
from detection.scorer import Scorer
from detection.watcher import ModelWatcher
from flows.kdd99 import CATEGORIES, FEATURES, features_of, is_connection
from flows.table import FlowTable
from flows.verdicts import verdict_name
from inference_server.champion import second_watcher
from inference_server.settings import Settings
from inference_server.web.errors import NOT_YET
from inference_server.web.request_body import Body
from inference_server.web.responses import OrjsonResponse

FOLDER: Final = "kdd99"
"""Below STATE_DIR, for the cache of this model."""
MOST_BYTES: Final = 16_384
SHOWN: Final = 5
_MARKS: Final = (b'"dst_host_', b'"protocol_type"')
"""A body with one of these is looked at."""
_NOT_JSON: Final = "Request is not JSON"
logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class KddStatus:
    """The model of KDD_MODEL_NAME.

    Attributes:
        name, version: of what serves, None before it does.
        error: why none does.
        problems: what is wrong though one does.
    """

    name: str | None
    version: str | None
    error: str | None
    problems: tuple[str, ...]


class Kdd99:
    """Judges connections by the model of KDD_MODEL_NAME, which it follows in the registry.

    They raise no alerts and are in no log: nothing else knows their features.
    """

    def __init__(self, settings: Settings, registry: Registry) -> None:
        """Make what is not running yet."""
        self._scorer: Scorer | None = None
        self._unfit: str | None = None
        self._watcher: ModelWatcher | None = None
        if settings.kdd_model_name is None:
            return
        self._watcher = second_watcher(settings, registry, settings.kdd_model_name, FOLDER, self._serve)

    def start(self) -> None:
        """Follow the model, if there is a name."""
        if self._watcher:
            self._watcher.start()

    def stop(self) -> None:
        """Stop following."""
        if self._watcher:
            self._watcher.stop()

    def status(self) -> KddStatus | None:
        """Return what is known of the model, None without a name."""
        if self._watcher is None:
            return None
        scorer = self._scorer
        if scorer is None:
            return KddStatus(None, None, self._why_not(), ())
        problems = tuple(_renamed(text) for text in self._watcher.status().problems)
        return KddStatus(scorer.model_name, scorer.model_version, None, problems)

    async def answer(self, body: Body) -> OrjsonResponse | None:
        """Return the answer to a body of a KDD99 client, None where it is none."""
        if len(body) > MOST_BYTES or not any(mark in body.content for mark in _MARKS):
            return None
        try:
            record = orjson.loads(body.content)
        except orjson.JSONDecodeError:
            return _failed(400, _NOT_JSON)
        if not isinstance(record, dict) or not is_connection(record):
            return None
        try:
            features = features_of(record)
        except ValueError as error:
            return _failed(400, str(error))
        if self._scorer is None:
            return _failed(503, f"{NOT_YET}: {self._why_not()}")
        try:
            return OrjsonResponse(await asyncio.to_thread(_judge, self._scorer, features))
        except Exception:
            logger.exception("a KDD99 connection could not be judged")
            return _failed(500, "Internal error")

    def _why_not(self) -> str:
        if self._watcher is None:
            return "KDD_MODEL_NAME is not set"
        return _renamed(self._unfit or self._watcher.status().error or "it is being loaded")

    def _serve(self, scorer: Scorer) -> None:
        self._unfit = None
        if lacking := scorer.missing(FEATURES):
            model = f"model {scorer.model_name} version {scorer.model_version}"
            shown = ", ".join(lacking[:SHOWN]) + (", ..." if len(lacking) > SHOWN else "")
            self._unfit = f"{model} reads what KDD99 clients do not send: {shown}"
            logger.warning("%s", self._unfit)
        self._scorer = None if lacking else scorer


def _renamed(text: str) -> str:
    return text.replace("MLFLOW_MODEL_NAME", "KDD_MODEL_NAME")


def _failed(status: int, text: str) -> OrjsonResponse:
    return OrjsonResponse({"error": text, "status": "failed"}, status_code=status)


def _judge(scorer: Scorer, features: NDArray[np.float64]) -> dict[str, Any]:
    table = FlowTable.from_features(features[None], FEATURES, scorer.record.dialect)
    verdicts = scorer.score(table)
    code = int(verdicts.code[0])
    return {
        "prediction": CATEGORIES.get(code, verdict_name(code)),
        "confidence": float(verdicts.p_label[0]),
        "status": "success",
    }
