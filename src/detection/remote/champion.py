"""A remote model as champion: it answers while it is well, and is left alone, but for a probe, while not."""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from detection.remote.answer import Answer
from detection.remote.endpoint import UNKNOWN_VERSION, Connection, Endpoint, RefusedError, RemoteError
from flows.schema import IMPROVED_NAMES, schema_id
from flows.table import FlowTable
from flows.verdicts import Verdicts

FAILURES: Final = 3
"""So many in a row, and it is asked no more until a probe is answered."""

ROWS: Final = 2_000
"""Flows of one request: a few megabytes, which is what SageMaker takes."""

STOP_SECONDS: Final = 0.5
logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class RemoteStatus:
    """What is known of a remote model.

    Attributes:
        name: what its verdicts call it.
        version: that answered last, as far as it says.
        answering: it is asked; False until the first probe was answered, and after FAILURES in a row.
        error: the last failure, None after an answer.
        answered_at: Unix time of the last answer, None before it.
        calls: requests by outcome: `answered`, `refused` (the flows), `failed`; probes are among them.
        retries: requests that were sent once more.
        flows: flows it judged.
        passed_over: flows that it should have judged and did not.
    """

    name: str
    version: str
    answering: bool
    error: str | None
    answered_at: float | None
    calls: dict[str, int]
    retries: int
    flows: int
    passed_over: int

    @property
    def problem(self) -> str | None:
        """What is wrong with it, None when it is well."""
        if self.error is not None:
            return f"remote model {self.name}: {self.error}"
        return None if self.answering else f"remote model {self.name} was not reached yet"


class RemoteChampion:
    """Judges flows by a remote model; any thread may ask.

    A thread of its own probes the model with a flow of zeros until it answers, at the start and whenever
    it stopped answering, so that no flow waits for one that is known to be away.
    """

    def __init__(self, endpoint: Endpoint, *, threshold: float, probe_seconds: float) -> None:
        """Make what is not running yet.

        Args:
            endpoint: where the model is.
            threshold: a flow is called an attack from this P(attack) on.
            probe_seconds: time between two probes of a model that does not answer.
        """
        self._endpoint = endpoint
        self._connection = Connection(endpoint)
        self._threshold = threshold
        self._probe_seconds = probe_seconds
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()
        self._in_a_row = 0
        self._answering = False
        self._error: str | None = None
        self._version = UNKNOWN_VERSION
        self._answered_at: float | None = None
        self._lost = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="remote-model", daemon=True)

    def start(self) -> None:
        """Start probing."""
        self._thread.start()

    def stop(self) -> None:
        """Ask no more; a request that hangs ends with the process."""
        self._stopping.set()
        self._answering = False
        self._lost.set()
        if self._thread.ident is not None:
            self._thread.join(STOP_SECONDS)
        self._connection.close()

    @property
    def answering(self) -> bool:
        """Whether it is asked at present."""
        return self._answering

    def judge(self, table: FlowTable) -> Verdicts | None:
        """Return the verdicts of a table's flows, all of this model, or None: another is to judge them."""
        if not self._answering:
            with self._lock:
                self._counts["passed_over"] += len(table)
            return None
        answers: list[Answer] = []
        versions: dict[str, None] = {}
        for first in range(0, len(table), ROWS):
            asked = self._ask(table.features[first : first + ROWS], table.feature_names)
            if asked is None:
                with self._lock:
                    self._counts["passed_over"] += len(table)
                return None
            answers.append(asked[0])
            versions[asked[1]] = None
        with self._lock:
            self._counts["flows"] += len(table)
        return self._verdicts(table, answers, "+".join(versions))

    def status(self) -> RemoteStatus:
        """Return the state of this moment."""
        with self._lock:
            return RemoteStatus(
                name=self._endpoint.name,
                version=self._version,
                answering=self._answering,
                error=self._error,
                answered_at=self._answered_at,
                calls={name: self._counts[name] for name in ("answered", "refused", "failed")},
                retries=self._connection.retries,
                flows=self._counts["flows"],
                passed_over=self._counts["passed_over"],
            )

    def _verdicts(self, table: FlowTable, answers: list[Answer], version: str) -> Verdicts:
        p_attack = np.concatenate([answer.p_attack for answer in answers] or [np.empty(0)])
        codes = [answer.codes(self._threshold) for answer in answers]
        code = np.concatenate([*codes, np.empty(0, np.int32)]).astype(np.int32)
        return Verdicts(
            code=code,
            p_attack=p_attack,
            p_label=np.where(code == 0, 1.0 - p_attack, p_attack),
            insufficient=np.zeros(len(table), np.bool_),
            threshold=self._threshold,
            model_name=self._endpoint.name,
            model_version=version,
            schema_id=schema_id(table.feature_names),
        )

    def _ask(self, features: NDArray[np.float64], names: tuple[str, ...]) -> tuple[Answer, str] | None:
        try:
            answer, version = self._connection.ask(features, names)
        except RefusedError as refusal:
            self._failed("refused", str(refusal))
            return None
        except RemoteError as failure:
            self._failed("failed", str(failure))
            return None
        self._answered(version)
        return answer, version

    def _answered(self, version: str) -> None:
        with self._lock:
            self._counts["answered"] += 1
            well, self._in_a_row, self._error = self._error is None and self._answering, 0, None
            self._version, self._answered_at = version, time.time()
            self._answering = not self._stopping.is_set()
        if not well:
            logger.info("remote model %s answers, version %s", self._endpoint.name, version)

    def _failed(self, outcome: str, error: str) -> None:
        with self._lock:
            self._counts[outcome] += 1
            told, self._error = self._error, error
            if outcome == "failed":
                self._in_a_row += 1
                if self._in_a_row >= FAILURES:
                    self._answering = False
                    self._lost.set()
        if told is None and not self._stopping.is_set():
            logger.warning("remote model %s: %s; another model answers", self._endpoint.name, error)

    def _run(self) -> None:
        while not self._stopping.is_set():
            if self._answering:
                self._lost.wait()
                self._lost.clear()
            elif self._ask(np.zeros((1, len(IMPROVED_NAMES))), IMPROVED_NAMES):
                continue
            self._stopping.wait(self._probe_seconds)
