"""The one handler behind every transport: flows in, verdicts out, and into the logs."""

from __future__ import annotations

import asyncio
import queue
import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import Any, Final, ParamSpec, TypeVar

import numpy as np
from numpy.typing import NDArray

from alerting.sink import Sink
from detection.scorer import ModelUnavailableError, Scorer
from detection.worker import ScoringWorker
from flows.records import ParsedRecords
from flows.table import FlowTable
from flows.verdict_record import explanation_record, verdict_records
from flows.verdicts import Verdicts
from inference_server.bodies.arrow import verdict_columns
from inference_server.bodies.flows import read_flows, table_of
from inference_server.remote_first import RemoteFirst
from inference_server.web.errors import (
    NOT_YET,
    BusyError,
    ModelNotAvailableError,
    RemoteModelError,
    UnprocessableError,
)
from inference_server.web.request_body import Body

P = ParamSpec("P")
ResultT = TypeVar("ResultT")
SOURCE: Final = "api"
LARGE_BODY_BYTES: Final = 64_000
"""Bodies above this are parsed off the event loop: 76 features a flow take 40 to 80 us a flow."""

EXPLAINED_FLOWS: Final = 100
"""Flows of a request that can be explained: one takes as long as scoring dozens."""

UNEXPLAINED: Final = "A remote model judged these flows, which does not explain its verdicts"


class Explain(Enum):
    """Which flows of a request are explained."""

    NONE = auto()
    ALL = auto()
    """All, or the request is refused."""
    FEW = auto()
    """All if they are few enough, else none."""


@dataclass(frozen=True, slots=True)
class Judged:
    """The flows of a request, their verdicts, and what their sender should know."""

    table: FlowTable
    verdicts: Verdicts
    warnings: tuple[str, ...]


class Predictor:
    """Scores what requests bring."""

    def __init__(
        self,
        worker: ScoringWorker,
        sink: Sink,
        *,
        sensor: str,
        model_error: Callable[[], str | None],
        remote: RemoteFirst | None = None,
    ) -> None:
        self._worker = worker
        self._sink = sink
        self._sensor = sensor
        self._model_error = model_error
        self._remote = remote
        # As captured flows': those of one run and of two runs differ.
        self._uids = threading.Lock()
        self._next_uid = secrets.randbits(31) << 32

    async def predict(self, body: Body, dialect: str | None, *, explain: bool = False) -> dict[str, Any]:
        """Return the answer to a request's body; `dialect` None means the model's.

        Raises:
            RequestError: as `judge` does.
        """
        judged = await self.judge(body, dialect, Explain.ALL if explain else Explain.NONE)
        return await _run(len(body) > LARGE_BODY_BYTES, _answer, judged)

    async def detail(self, body: Body, dialect: str | None) -> dict[str, Any]:
        """Return 1.0 for each attack and 0.0 for every other flow, and beside them why.

        Raises:
            RequestError: as `judge` does.
        """
        judged = await self.judge(body, dialect, Explain.FEW)
        return await _run(len(body) > LARGE_BODY_BYTES, _details, judged)

    async def columns(self, body: Body, dialect: str | None) -> bytes:
        """Return codes, labels and probabilities as an Arrow IPC stream.

        Raises:
            RequestError: as `judge` does.
        """
        judged = await self.judge(body, dialect)
        return verdict_columns(judged.verdicts, judged.warnings)

    async def judge(self, body: Body, dialect: str | None, explain: Explain = Explain.NONE) -> Judged:
        """Score and log the flows of a request's body; `dialect` None means the model's.

        Raises:
            UnprocessableError: the body, or the dialect, is not usable, or its flows are too many to explain;
                says what to change.
            BodyTooLargeError: it holds too many flows.
            ModelNotAvailableError: no model serves yet.
            RemoteModelError: the remote model failed, and no other serves yet.
            BusyError: the scoring queue is full.
        """
        if self._remote and (judged := await self._remotely(body, dialect, explain, self._remote)):
            return judged
        parsed, scorer = await _run(len(body) > LARGE_BODY_BYTES, self._parse, body, dialect)
        too_many = _check_explained(parsed.table, explain)
        try:
            verdicts = await self._score(parsed.table)
        except KeyError:
            # Another model took over meanwhile, and reads other features.
            verdicts = await asyncio.to_thread(scorer.score, parsed.table)
        explained = explain is not Explain.NONE and not too_many
        if explained:
            verdicts = await asyncio.to_thread(_explained, parsed.table, verdicts, scorer)
        self._sink.put(parsed.table, verdicts, SOURCE)
        warnings = (*parsed.warnings, *_dialect_warnings(scorer, parsed.table.dialect))
        if explained and scorer.unexplained is not None:
            warnings += (f"The model {scorer.unexplained}, so that nothing explains its verdicts",)
        if explain is Explain.FEW and too_many:
            warnings += (f"Of more than {EXPLAINED_FLOWS} flows none is explained: send fewer a request",)
        return Judged(parsed.table, verdicts, warnings)

    async def _remotely(
        self, body: Body, dialect: str | None, explain: Explain, remote: RemoteFirst
    ) -> Judged | None:
        """Return what the remote model says, None where it says nothing."""
        parsed = await _run(len(body) > LARGE_BODY_BYTES, remote.parse, body, dialect)
        if parsed is None:
            return None
        _check_explained(parsed.table, explain)
        table = self._as_own(parsed.table)
        verdicts = await remote.judge(table)
        if verdicts is None:
            return None
        self._sink.put(table, verdicts, SOURCE)
        unexplained = (UNEXPLAINED,) if explain is not Explain.NONE else ()
        return Judged(table, verdicts, (*parsed.warnings, *unexplained))

    def _parse(self, body: Body, dialect: str | None) -> tuple[ParsedRecords, Scorer]:
        flows = read_flows(body)
        scorer = self._worker.scorer
        if scorer is None:
            raise self._unavailable()
        record = scorer.record
        dialect = dialect or record.dialect
        parsed = table_of(flows, dialect, record.features, record.context)
        return ParsedRecords(self._as_own(parsed.table), parsed.warnings), scorer

    def _as_own(self, table: FlowTable) -> FlowTable:
        return replace(table, sensor=self._sensor, flow_uid=self._take_uids(len(table)))

    def _unavailable(self) -> ModelNotAvailableError:
        if self._remote and (problem := self._remote.problem):
            return RemoteModelError(f"{NOT_YET}: {problem}; and no other serves: {self._model_error()}")
        return ModelNotAvailableError(f"{NOT_YET}: {self._model_error()}")

    def _take_uids(self, count: int) -> NDArray[np.uint64]:
        with self._uids:
            first = self._next_uid
            self._next_uid += count
        return np.arange(first, first + count, dtype=np.uint64)

    async def _score(self, table: FlowTable) -> Verdicts:
        try:
            return await asyncio.wrap_future(self._worker.submit(table))
        except queue.Full as error:
            raise BusyError(str(error)) from None
        except ModelUnavailableError as error:
            raise ModelNotAvailableError(f"{NOT_YET}: {error}") from None


def _check_explained(table: FlowTable, explain: Explain) -> bool:
    """Return whether flows are too many to explain.

    Raises:
        UnprocessableError: they are, and explanations of all were asked for.
    """
    too_many = len(table) > EXPLAINED_FLOWS
    if explain is Explain.ALL and too_many:
        raise UnprocessableError(
            f"explain: at most {EXPLAINED_FLOWS} flows a request are explained, these are "
            f"{len(table)}: send fewer, or leave explain out"
        )
    return too_many


async def _run(in_thread: bool, function: Callable[P, ResultT], *args: P.args, **kwargs: P.kwargs) -> ResultT:
    return await asyncio.to_thread(function, *args, **kwargs) if in_thread else function(*args, **kwargs)


def _explained(table: FlowTable, verdicts: Verdicts, scorer: Scorer) -> Verdicts:
    """Return verdicts and explanations of one model, although another may serve since the request came."""
    if not scorer.made(verdicts):
        verdicts = scorer.score(table)
    return replace(verdicts, explanations=scorer.explain(table))


def _answer(judged: Judged) -> dict[str, Any]:
    verdicts = judged.verdicts
    records = verdict_records(judged.table, verdicts, source=SOURCE)
    return {
        "prediction": verdicts.code.tolist(),
        "label": [record["label"] for record in records],
        "probability": verdicts.p_attack.tolist(),
        "threshold": verdicts.threshold,
        "model": {"name": verdicts.model_name, "version": verdicts.model_version},
        "verdicts": records,
        "warnings": judged.warnings,
    }


def _details(judged: Judged) -> dict[str, Any]:
    verdicts = judged.verdicts
    explanations = verdicts.explanations or (None,) * len(verdicts)
    rows = zip(verdicts.labels().tolist(), verdicts.p_attack.tolist(), explanations, strict=True)
    return {
        "predictions": verdicts.is_attack.astype(float).tolist(),
        "details": [
            {"label": label, "probability": p_attack, "explanation": why and explanation_record(why)}
            for label, p_attack, why in rows
        ],
        "threshold": verdicts.threshold,
        "model": {"name": verdicts.model_name, "version": verdicts.model_version},
        "warnings": judged.warnings,
    }


def _dialect_warnings(scorer: Scorer, dialect: str) -> list[str]:
    trained_on = scorer.record.dialect
    if dialect == trained_on:
        return []
    return [
        f"The model was trained on dialect {trained_on}; flows of dialect {dialect} measure some features "
        "otherwise, so that its verdicts are less reliable"
    ]
