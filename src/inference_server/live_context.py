"""Host context of live flows, measured while a model reads it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator

from capture.meter import FlowMeter
from context.stage import ContextStage
from flows.table import FlowTable

logger = logging.getLogger(__name__)


class LiveContext:
    """One interface's host context; used by its capture thread, but for `waiting`.

    While nobody reads context, starts are not noted and tables pass as they are.
    """

    def __init__(self, wanted: Callable[[], bool], *, flows: int) -> None:
        """Make what measures nothing yet.

        Args:
            wanted: whether a model reads context now.
            flows: flows that may be open at once: so many contexts are kept.
        """
        self._wanted = wanted
        self._flows = flows
        self._stage: ContextStage | None = None
        self._forgotten = self._crowded_out = self._hurried = False

    @property
    def waiting(self) -> int:
        """Flows that wait until their context is known: at most until they are 2 s old."""
        stage = self._stage
        return stage.waiting if stage else 0

    def follow(self, meter: FlowMeter) -> Iterator[FlowTable]:
        """Take the starts that the meter noted; yield the tables whose context is known by them.

        When context is wanted from now on, or not any more, so are the starts.
        """
        wanted = self._wanted()
        if self._stage is None:
            if wanted:
                meter.note_starts(True)
                self._stage = ContextStage(kept=self._flows, since=meter.next_uid)
            return
        self._stage.learn(meter.take_starts())
        yield from self._stage.ready()
        self._tell(self._stage, meter)
        if not wanted:
            yield from self._stage.rest()
            meter.note_starts(False)
            self._stage = None

    def add(self, table: FlowTable) -> Iterator[FlowTable]:
        """Take a table in; yield those whose context is known, in the order they came."""
        if self._stage is None:
            yield table
        else:
            yield from self._stage.add(table)

    def rest(self) -> Iterator[FlowTable]:
        """Yield what still waits."""
        if self._stage is not None:
            yield from self._stage.rest()

    def _tell(self, stage: ContextStage, meter: FlowMeter) -> None:
        """Say once what makes contexts less than they should be."""
        if stage.forgotten and not self._forgotten:
            self._forgotten = True
            logger.warning("host context: flows have none because too many are open; raise CAPTURE_MAX_FLOWS")
        if stage.crowded_out and not self._crowded_out:
            self._crowded_out = True
            logger.warning("host context: windows of 60 s are shorter: more flows begin than they hold")
        if meter.starts_hurried and not self._hurried:
            self._hurried = True
            logger.warning("host context: flows are looked at before they are 2 s old: too many begin")
