"""Requests that wait for verdicts, and how those of several share a call of the model."""

from __future__ import annotations

import queue
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future

import numpy as np

from detection.scorer import Scorer
from flows.table import FlowTable
from flows.verdicts import Verdicts, concat_verdicts


class Request:
    """The flows of one request; all of them are scored by one model.

    Attributes:
        table: the flows.
        future: their verdicts, once every flow has its own.
        scorer: the model, from the first piece on.
        taken: flows of the pieces handed out.
    """

    def __init__(self, table: FlowTable) -> None:
        self.table = table
        self.future: Future[Verdicts] = Future()
        self.scorer: Scorer | None = None
        self.taken = 0
        self._parts: list[Verdicts] = []

    @property
    def left(self) -> int:
        """Flows no piece has taken yet."""
        return len(self.table) - self.taken

    def piece(self, flows: int) -> FlowTable:
        """Hand out the next flows, at most so many."""
        start, self.taken = self.taken, min(self.taken + flows, len(self.table))
        whole = self.taken - start == len(self.table)
        return self.table if whole else self.table.take(slice(start, self.taken))

    def answer(self, verdicts: Verdicts) -> None:
        """Take a piece's verdicts; the last one's set the result."""
        self._parts.append(verdicts)
        if sum(map(len, self._parts)) == len(self.table):
            self.future.set_result(concat_verdicts(self._parts))


class RequestQueue:
    """Requests in the order they came, bounded by their flows; not safe to use from several threads.

    A request counts as half the capacity at most, so that one of 100,000 flows does not turn the others
    away.
    """

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._requests: deque[Request] = deque()
        self._waiting = 0
        self._counted = 0

    def __bool__(self) -> bool:
        return bool(self._requests)

    def put(self, request: Request) -> None:
        """Append a request.

        Raises:
            queue.Full: too many flows wait.
        """
        counted = self._weight(request)
        if self._counted + counted > self._capacity:
            raise queue.Full(f"{self._waiting} flows wait to be scored: send again later")
        self._requests.append(request)
        self._waiting += len(request.table)
        self._counted += counted

    def take(self, flows: int, scorer: Scorer | None) -> RequestBatch:
        """Return pieces of requests that one call of one model answers, together at most `flows`.

        The first in the queue go first. A request of more flows than fit gives a piece and goes to the
        end, so that others get their turn between two of its pieces. Those that were given up are dropped.

        Args:
            flows: at most so many.
            scorer: of the requests that have no model yet.
        """
        batch = RequestBatch()
        while self._requests and batch.flows < flows:
            request = self._requests[0]
            if batch.pieces and not batch.fits(request, request.scorer or scorer, flows):
                break
            self._requests.popleft()
            left = request.left
            wanted = self._wanted(request)
            if wanted:
                request.scorer = request.scorer or scorer
                batch.add(request, flows - batch.flows)
            if wanted and request.left:
                self._requests.append(request)
                self._waiting -= left - request.left
            else:
                self._counted -= self._weight(request)
                self._waiting -= left
        return batch

    def _weight(self, request: Request) -> int:
        return min(len(request.table), max(self._capacity // 2, 1))

    @staticmethod
    def _wanted(request: Request) -> bool:
        """Whether a request still waits for an answer: nobody gave it up and no piece failed."""
        if request.taken:
            return not request.future.done()
        return request.future.set_running_or_notify_cancel()


class RequestBatch:
    """Pieces of requests for one call of one model.

    Attributes:
        pieces: each with its request, in order.
        flows: how many they are together.
    """

    def __init__(self) -> None:
        self.pieces: list[tuple[Request, FlowTable]] = []
        self.flows = 0

    @property
    def scorer(self) -> Scorer | None:
        """The model that all of them are for."""
        return self.pieces[0][0].scorer

    def fits(self, request: Request, scorer: Scorer | None, flows: int) -> bool:
        """Return whether a request may join: its features, its model, and room for it.

        One that no batch of `flows` could hold whole may fill what room there is.
        """
        table, first = request.table, self.pieces[0][1]
        return (
            scorer is self.scorer
            and (table.feature_names, table.dialect) == (first.feature_names, first.dialect)
            and (request.left <= flows - self.flows or request.left > flows)
        )

    def add(self, request: Request, room: int) -> None:
        """Take a request's next flows, as many as there is room for."""
        piece = request.piece(room)
        self.pieces.append((request, piece))
        self.flows += len(piece)

    def table(self) -> FlowTable:
        """Return all pieces as one table, which has no more than features when it is of several."""
        return _features_of([piece for _, piece in self.pieces])

    def answer(self, verdicts: Verdicts) -> None:
        """Give every request its own verdicts."""
        start = 0
        for request, piece in self.pieces:
            request.answer(verdicts.take(slice(start, start + len(piece))))
            start += len(piece)

    def fail(self, error: Exception) -> None:
        """Let every request raise `error`, also those of which only a piece failed."""
        for request, _ in self.pieces:
            if not request.future.done():
                request.future.set_exception(error)


def _features_of(tables: Sequence[FlowTable]) -> FlowTable:
    first = tables[0]
    if len(tables) == 1:
        return first
    features = np.concatenate([table.features for table in tables])
    return FlowTable.from_features(features, first.feature_names, first.dialect)
