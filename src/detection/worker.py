"""The one thread that scores: flows of captures and of requests in turns, and second opinions when idle.

A turn scores what waits of one kind, and nothing waits for a turn to fill: an idle thread scores at once,
and what comes meanwhile shares the next turn. While both kinds wait, turns of at most 256 flows alternate,
so that captures and requests each get at least half of the turns and neither waits for more than one turn
of the other. While one kind waits alone, its turn is as large as scores in 5 ms (256 to 4,096 flows). A
request larger than that is scored in pieces by one model, and others get their turn between two pieces.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Collection
from concurrent.futures import Future
from typing import Final

from detection.captured_queue import CapturedQueue
from detection.novelty import Novelty
from detection.pace import FEWEST, Pace
from detection.refusal import refusal
from detection.remote.champion import ROWS, RemoteChampion
from detection.request_queue import Request, RequestBatch, RequestQueue
from detection.scorer import ModelUnavailableError, Scorer
from detection.shadow import Shadow, ShadowStatus
from detection.worker_counters import WorkerCounters
from flows.table import FlowTable
from flows.verdicts import Verdicts

CAPACITY: Final = 65_536
"""Flows that may wait, of captures and of requests each."""

REMOTE_FLOWS: Final = ROWS
"""Captured flows of a turn of the remote champion, which waits more than it works."""

REMOTE_SECONDS: Final = 0.1
"""Between two looks whether the remote champion answers again, while captured flows wait for it alone."""

BACK_OFF_SECONDS: Final = (0.05, 1.0)
_WAITS: Final = "waits"

logger = logging.getLogger(__name__)


class ScoringWorker:
    """Scores flow tables in a thread of its own.

    `scorer` may be set at any time, also to None; a turn is scored by one model. Without one captured
    tables wait and requests are refused. `challenger` may be set likewise: while nothing else waits it
    scores flows that have their verdicts already. So does a detector of novelty with those of captures.
    A remote champion judges captured flows instead of `scorer` while it answers.
    """

    def __init__(
        self,
        on_scored: Callable[[FlowTable, Verdicts], None],
        *,
        capacity: int = CAPACITY,
        also_scored: Collection[str] = (),
        novelty: Novelty | None = None,
        remote: RemoteChampion | None = None,
    ) -> None:
        """Make a worker that is not running yet.

        Args:
            on_scored: called from the worker's thread with captured flows and their verdicts.
            capacity: how many flows may wait, of captures and of requests each.
            also_scored: dialects whose captured flows are scored, with a warning, although the model's
                training flows were measured by another.
            novelty: has a second look at captured flows that are called benign.
            remote: judges captured flows, and `scorer` those that it does not.
        """
        self._on_scored = on_scored
        self._capacity = capacity
        self._also_scored = frozenset(also_scored)
        self._change = threading.Condition()
        self._captured = CapturedQueue()
        self._requests = RequestQueue(capacity)
        self._captures_next = False
        self._captures_from = 0.0
        self._pace = Pace()
        self._shadow = Shadow(also_scored=also_scored)
        self._novelty = novelty
        self._remote = remote
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
            self._shadow.set_models(scorer, self._shadow.challenger)
            self._warned.clear()
            self._change.notify_all()

    @property
    def challenger(self) -> Scorer | None:
        """The model that scores in shadow."""
        return self._shadow.challenger

    @challenger.setter
    def challenger(self, challenger: Scorer | None) -> None:
        with self._change:
            self._shadow.set_models(self._scorer, challenger)

    def challenger_status(self) -> ShadowStatus | None:
        """Return how the challenger compares with `scorer`, None without one."""
        return self._shadow.status()

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
                self._captured.put(table.take(slice(0, kept)) if shed else table)
                self._change.notify_all()
        return shed

    def submit(self, table: FlowTable) -> Future[Verdicts]:
        """Ask for the verdicts of a request's flows, all of one model.

        The future raises KeyError, naming them, when the table lacks features the model reads.

        Raises:
            ModelUnavailableError: there is no model, or the worker has stopped.
            queue.Full: too many flows of requests wait.
        """
        request = Request(table)
        with self._change:
            if self._stopping:
                raise ModelUnavailableError("the service is stopping")
            if self._scorer is None:
                raise ModelUnavailableError("no model is loaded yet")
            self._requests.put(request)
            self._change.notify_all()
        return request.future

    def look_again(self, table: FlowTable, verdicts: Verdicts) -> None:
        """Have the detector of novelty look at captured flows that were submitted, with their verdicts."""
        if self._novelty:
            self._novelty.offer(table, verdicts)
            with self._change:
                self._change.notify_all()

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
                while self._turn():
                    pass
                return
            except Exception:
                pause = shortest if self._counts["captured"] > done else min(2 * pause, longest)
                logger.exception("scoring failed and goes on in %.2f s", pause)
            with self._change:
                self._counts["restarts"] += 1
                self._captures_from = time.monotonic() + pause

    def _turn(self) -> bool:
        """Wait for work and do one turn of it; return whether there may be more."""
        with self._change:
            self._change.wait_for(self._has_work, self._patience())
            scorer = self._scorer
            captured = self._captures_due()
            requested = bool(self._requests)
            flows = FEWEST if captured and requested else self._pace.flows
            batch: RequestBatch | FlowTable | None = None
            if requested and not (captured and self._captures_next):
                batch = self._requests.take(flows, scorer)
            elif captured:
                batch = self._captured.take(REMOTE_FLOWS if self._remote_answers() else flows)
            elif self._stopping:
                self._shed_waiting()
                return False
            self._captures_next = isinstance(batch, RequestBatch)
        if isinstance(batch, RequestBatch):
            self._answer(batch)
        elif batch is not None:
            self._score_captured(batch, scorer)
        elif self._novelty and self._novelty.waiting:
            self._novelty.step()
        else:
            self._shadow.step()
        return True

    def _patience(self) -> float | None:
        """Return the seconds after which there may be work although nobody said so."""
        paused = self._captures_from - time.monotonic()
        if paused > 0:
            return paused
        return REMOTE_SECONDS if self._remote and self._captured else None

    def _has_work(self) -> bool:
        seconds = self._shadow.waiting or (self._novelty and self._novelty.waiting)
        return bool(self._stopping or self._requests or self._captures_due() or seconds)

    def _captures_due(self) -> bool:
        paused = time.monotonic() < self._captures_from and not self._stopping
        return bool(self._captured) and bool(self._scorer or self._remote_answers()) and not paused

    def _remote_answers(self) -> bool:
        return self._remote is not None and self._remote.answering

    def _shed_waiting(self) -> None:
        waiting = self._counts["waiting"]
        self._captured.clear()
        self._counts.update(shed=waiting, waiting=-waiting)

    def _score_captured(self, table: FlowTable, scorer: Scorer | None) -> None:
        outcome = "failed"
        try:
            verdicts = self._remote.judge(table) if self._remote else None
            began = time.perf_counter()
            if local := verdicts is None:
                if reason := self._refused_for(table, scorer) if scorer else _WAITS:
                    outcome = reason
                    return
                assert scorer is not None
                verdicts = scorer.score(table)
            self._on_scored(table, verdicts)
            if local:
                self._pace.took(len(table), time.perf_counter() - began)
            outcome = "captured"
            self._count_verdicts(verdicts)
        finally:
            self._settle(table, outcome)
        if self._novelty:
            self._novelty.offer(table, verdicts)
        self._shadow.offer(table, verdicts)

    def _settle(self, table: FlowTable, outcome: str) -> None:
        """Count what became of a captured table; one that nobody could judge yet waits on until the end."""
        with self._change:
            if outcome == _WAITS and not self._stopping:
                self._captured.put_back(table)
                self._captures_from = time.monotonic() + REMOTE_SECONDS
                return
            outcome = "shed" if outcome == _WAITS else outcome
            known = self._counts if outcome in ("captured", "failed", "shed") else self._refused
            known[outcome] += len(table)
            self._counts["waiting"] -= len(table)

    def _refused_for(self, table: FlowTable, scorer: Scorer) -> str | None:
        """Return why a model cannot read a captured table, None when it can."""
        why = refusal(scorer, table.dialect, table.feature_names, also_scored=self._also_scored)
        if why:
            message = f"{why.message}: captured flows get no verdict; serve another model"
            self._warn_once(scorer, message)
            return why.reason
        if strange := refusal(scorer, table.dialect, table.feature_names):
            told = f"{strange.message}, as it was told to: verdicts are not what the model's card says"
            self._warn_once(scorer, told)
        return None

    def _warn_once(self, scorer: Scorer, message: str) -> None:
        if (scorer, message) not in self._warned:
            self._warned.add((scorer, message))
            logger.warning("%s", message)

    def _answer(self, batch: RequestBatch) -> None:
        if not batch.pieces:
            return
        try:
            if batch.scorer is None:
                raise ModelUnavailableError("no model is loaded yet")
            table = batch.table()
            began = time.perf_counter()
            verdicts = batch.scorer.score(table)
            self._pace.took(len(table), time.perf_counter() - began)
            with self._change:
                self._counts["requested"] += len(table)
            self._count_verdicts(verdicts)
            batch.answer(verdicts)
        except Exception as error:
            batch.fail(error)
            return
        self._shadow.offer(table, verdicts)

    def _count_verdicts(self, verdicts: Verdicts) -> None:
        with self._change:
            self._counts.update(
                attacks=int(verdicts.is_attack.sum()), insufficient=int(verdicts.insufficient.sum())
            )
