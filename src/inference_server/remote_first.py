"""Requests' flows to the remote champion: whatever features they have, off the event loop."""

from __future__ import annotations

from typing import Final

from context.features import CONTEXT_NAMES
from detection.remote.champion import RemoteChampion
from flows.dialects import IMPROVED
from flows.records import ParsedRecords
from flows.schema import BY_NAME
from flows.table import FlowTable
from flows.titles import read_titles
from flows.verdicts import Verdicts
from inference_server.bodies.flows import read_flows, table_of, titles_of
from inference_server.web.off_loop import OffLoop
from inference_server.web.request_body import Body

THREADS: Final = 16
"""Requests that are with the remote model at once; each thread waits, and hardly works."""

_FEATURES: Final = (*BY_NAME, *CONTEXT_NAMES)


class RemoteFirst:
    """Asks a remote champion for the verdicts of requests.

    Attributes:
        champion: the remote champion, which starts and stops with this.
    """

    def __init__(self, champion: RemoteChampion, *, at_once: int) -> None:
        """Ask `champion`, for at most so many requests at once."""
        self.champion = champion
        self._threads = OffLoop("remote-model-requests", threads=THREADS, at_once=at_once)

    @property
    def problem(self) -> str | None:
        """What is wrong with the remote model, None when it is well."""
        return self.champion.status().problem

    def start(self) -> None:
        """Start probing."""
        self.champion.start()

    def stop(self) -> None:
        """Ask no more."""
        self._threads.stop()
        self.champion.stop()

    def parse(self, body: Body, dialect: str | None) -> ParsedRecords | None:
        """Return the flows of a body, with the features they have; None where the champion is not asked.

        Raises:
            UnprocessableError: they are none that any model could judge.
            BodyTooLargeError: they are too many.
        """
        if not self.champion.answering:
            return None
        flows = read_flows(body)
        sent = [read_titles(titles, _FEATURES, frozenset(_FEATURES)).where for titles in titles_of(flows)]
        names = tuple(name for name in _FEATURES if any(name in where for where in sent))
        return table_of(flows, dialect or IMPROVED, names, frozenset(names)) if names else None

    async def judge(self, table: FlowTable) -> Verdicts | None:
        """Return the verdicts of the remote champion, None where it gives none.

        Raises:
            BusyError: too many requests are with it.
        """
        return await self._threads.run(self.champion.judge, table)
