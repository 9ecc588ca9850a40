"""The one thread that scores: for captures, which must never wait, and for the API, which goes first."""

from __future__ import annotations

import logging
import queue
import threading
from collections import Counter, deque
from collections.abc import Callable, Collection
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Final

import numpy as np

from detection.scorer import ModelUnavailableError, Scorer
from flows.table import FlowTable, concat_tables
from flows.verdicts import Verdicts

CAPACITY: Final = 65_536
"""Flows that may wait, of captures and of requests each."""

BATCH_FLOWS: Final = 4096
"""Captured flows scored at once: a request waits no longer than such a batch takes."""

BACK_OFF_SECONDS: Final = (0.05, 1.0)

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class WorkerCounters:
    """Flows counted since the worker was made.

    handed_over = captured + shed + sum(refused) + failed + waiting.

    Attributes:
        handed_over: flows that captures handed over.
        captured: of these, scored.
        shed: not taken, because too many waited or the worker stopped.
        refused: not scored, because the model cannot read them; by reason.
        failed: lost with a batch whose scoring or delivery raised.
        waiting: not decided yet; at most `capacity`.
        capacity: how many flows may wait, of captures and of requests each.
        requested: flows scored for requests.
        attacks, insufficient: verdicts of either kind, of captures and requests.
        restarts: how often the work was taken up again after a failure.
    """

    handed_over: int
    captured: int
    shed: int
    refused: dict[str, int]
    failed: int
    waiting: int
    capacity: int
    requested: int
    attacks: int
    insufficient: int
    restarts: int


class ScoringWorker:
    """Scores flow tables in a thread of its own.

    `scorer` may be set at any time, also to None; a batch is scored by one model. Without one captured
    tables wait and requests are refused.
    """

    def __init__(
        self,
        on_scored: Callable[[FlowTable, Verdicts], None],
        *,
        capacity: int = CAPACITY,
        also_scored: Collection[str] = (),
    ) -> None:
        """Make a worker that is not running yet.

        Args:
            on_scored: called from the worker's thread with captured flows and their verdicts.
            capacity: how many flows may wait, of captures and of requests each.
            also_scored: dialects whose captured flows are scored, with a warning, although the model's
                training flows were measured by another.
        """
        self._on_scored = on_scored
        self._capacity = capacity
        self._also_scored = frozenset(also_scored)
        self._change = threading.Condition()
        self._tables: deque[FlowTable] = deque()
        self._requests: deque[tuple[FlowTable, Future[Verdicts]]] = deque()
        self._requests_waiting = 0
        self._counts: Counter[str] = Counter()
        self._refused: Counter[str] = Counter()
        self._warned: set[tuple[Scorer, str]] = set()
        self._scorer: Scorer | None = None
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="scoring", daemon=True)

    @property
    def scorer(self) -> Scorer | None:
        """The model that scores."""
        return self._scorer

    @scorer.setter
    def scorer(self, scorer: Scorer | None) -> None:
        with self._change:
            self._scorer = scorer
            self._warned.clear()
            self._change.notify_all()

    @property
    def running(self) -> bool:
        """Whether the thread is alive."""
        return self._thread.is_alive()

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self, timeout: float) -> bool:
        """Take nothing more, score what waits, and return whether that was done in `timeout` seconds.

        What waits for a model is shed.
        """
        with self._change:
            self._stopping = True
            self._change.notify_all()
            if self._thread.ident is None:
                self._shed_waiting()
                return True
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def hand_over(self, table: FlowTable) -> int:
        """Take a capture's flows without waiting; return how many were shed, which are the last ones."""
        with self._change:
            room = 0 if self._stopping else max(self._capacity - self._counts["waiting"], 0)
            shed = max(len(table) - room, 0)
            kept = len(table) - shed
            self._counts.update(handed_over=len(table), shed=shed, waiting=kept)
            if kept:
                self._tables.append(table.take(slice(0, kept)) if shed else table)
                self._change.notify_all()
        return shed

    def submit(self, table: FlowTable) -> Future[Verdicts]:
        """Ask for the verdicts of a request's flows.

        The future raises KeyError, naming them, when the table lacks features the model reads.

        Raises:
            ModelUnavailableError: there is no model, or the worker has stopped.
            queue.Full: too many flows of requests wait.
        """
        with self._change:
            if self._stopping:
                raise ModelUnavailableError("the service is stopping")
            if self._scorer is None:
                raise ModelUnavailableError("no model is loaded yet")
            if self._requests and self._requests_waiting + len(table) > self._capacity:
                raise queue.Full(f"{self._requests_waiting} flows wait to be scored: send again later")
            future: Future[Verdicts] = Future()
            self._requests.append((table, future))
            self._requests_waiting += len(table)
            self._change.notify_all()
        return future

    def counters(self) -> WorkerCounters:
        """Return the counters, all of one moment."""
        with self._change:
            counts = {
                name: self._counts[name]
                for name in WorkerCounters.__slots__
                if name not in ("refused", "capacity")
            }
            return WorkerCounters(refused=dict(self._refused), capacity=self._capacity, **counts)

    def _run(self) -> None:
        shortest, longest = BACK_OFF_SECONDS
        pause = shortest
        while True:
            done = self._counts["captured"]
            try:
                self._work()
                return
            except Exception:
                pause = shortest if self._counts["captured"] > done else min(2 * pause, longest)
                logger.exception("scoring failed and goes on in %.2f s", pause)
            with self._change:
                self._counts["restarts"] += 1
                self._change.wait_for(lambda: self._stopping, pause)

    def _work(self) -> None:
        while True:
            with self._change:
                self._change.wait_for(self._has_work)
                requests = list(self._requests)
                self._requests.clear()
                self._requests_waiting = 0
                scorer = self._scorer
                batch = self._next_batch() if scorer is not None else []
                if self._stopping and not requests and not batch:
                    self._shed_waiting()
                    return
            self._answer(requests, scorer)
            if batch and scorer is not None:
                self._score_batch(batch, scorer)

    def _has_work(self) -> bool:
        return bool(self._stopping or self._requests or (self._tables and self._scorer is not None))

    def _next_batch(self) -> list[FlowTable]:
        """Take tables that can be joined, up to a batch; called with the lock held."""
        batch: list[FlowTable] = []
        flows = 0
        while self._tables and (not batch or _joinable(batch[0], self._tables[0])):
            if batch and flows + len(self._tables[0]) > BATCH_FLOWS:
                break
            batch.append(self._tables.popleft())
            flows += len(batch[-1])
        if flows > BATCH_FLOWS:
            self._tables.appendleft(batch[0].take(slice(BATCH_FLOWS, None)))
            batch[0] = batch[0].take(slice(0, BATCH_FLOWS))
        return batch

    def _shed_waiting(self) -> None:
        waiting = self._counts["waiting"]
        self._tables.clear()
        self._counts.update(shed=waiting, waiting=-waiting)

    def _score_batch(self, batch: list[FlowTable], scorer: Scorer) -> None:
        flows = sum(len(table) for table in batch)
        outcome = "failed"
        try:
            if reason := self._refusal(batch[0], scorer):
                outcome = reason
                return
            table = concat_tables(batch)
            verdicts = scorer.score(table)
            self._on_scored(table, verdicts)
            outcome = "captured"
            self._count_verdicts(verdicts)
        finally:
            with self._change:
                known = self._counts if outcome in ("captured", "failed") else self._refused
                known[outcome] += flows
                self._counts["waiting"] -= flows

    def _refusal(self, table: FlowTable, scorer: Scorer) -> str | None:
        """Return why a model cannot read a captured table, None when it can."""
        model = f"model {scorer.model_name} version {scorer.model_version}"
        dialects = f"{model} reads dialect {scorer.record.dialect}, the sensor measures {table.dialect}"
        foreign = table.dialect != scorer.record.dialect
        if foreign and table.dialect not in self._also_scored:
            reason, why = "dialect", dialects
        elif missing := scorer.missing(table.feature_names):
            reason, why = (
                "features",
                f"{model} reads features the sensor does not measure: {', '.join(missing)}",
            )
        else:
            if foreign:
                told = f"{dialects}, as it was told to: verdicts are not what the model's card says"
                self._warn_once(scorer, told)
            return None
        self._warn_once(scorer, f"{why}: captured flows get no verdict; serve another model")
        return reason

    def _warn_once(self, scorer: Scorer, message: str) -> None:
        if (scorer, message) not in self._warned:
            self._warned.add((scorer, message))
            logger.warning("%s", message)

    def _answer(self, requests: list[tuple[FlowTable, Future[Verdicts]]], scorer: Scorer | None) -> None:
        """Score requests, those of the same features together."""
        groups: dict[tuple[str, ...], list[tuple[FlowTable, Future[Verdicts]]]] = {}
        for table, future in requests:
            if future.set_running_or_notify_cancel():
                groups.setdefault(table.feature_names, []).append((table, future))
        for group in groups.values():
            try:
                if scorer is None:
                    raise ModelUnavailableError("no model is loaded yet")
                self._answer_group(group, scorer)
            except Exception as error:
                for _, future in group:
                    if not future.done():
                        future.set_exception(error)

    def _answer_group(self, group: list[tuple[FlowTable, Future[Verdicts]]], scorer: Scorer) -> None:
        first = group[0][0]
        merged = first
        if len(group) > 1:
            features = np.concatenate([table.features for table, _ in group])
            merged = FlowTable.from_features(features, first.feature_names, first.dialect)
        verdicts = scorer.score(merged)
        with self._change:
            self._counts["requested"] += len(merged)
        self._count_verdicts(verdicts)
        start = 0
        for table, future in group:
            future.set_result(verdicts.take(slice(start, start + len(table))))
            start += len(table)

    def _count_verdicts(self, verdicts: Verdicts) -> None:
        with self._change:
            self._counts.update(
                attacks=int(verdicts.is_attack.sum()), insufficient=int(verdicts.insufficient.sum())
            )


def _joinable(one: FlowTable, other: FlowTable) -> bool:
    return all(
        getattr(one, name) == getattr(other, name)
        for name in ("feature_names", "dialect", "sensor", "interface")
    )
