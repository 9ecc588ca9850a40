"""The demo: on the first start a capture of our own making goes the way live flows go."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from capture.files import CaptureFile
from context.stage import ContextStage
from detection.worker import ScoringWorker
from flows.table import FlowTable
from inference_server.container import in_container
from inference_server.live_capture import live_rules
from inference_server.settings import Settings

SENSOR: Final = "demo"
CAPTURE: Final = Path(__file__).parents[2] / "data" / "demo" / "demo.pcap"
PORTION: Final = 1000
"""Flows handed over at once; the next wait until these are scored, so that none are shed."""

MARKER: Final = "demo-replayed"

logger = logging.getLogger(__name__)


class Demo:
    """Replays the demo capture in a thread of its own, once per STATE_DIR."""

    def __init__(self, settings: Settings, worker: ScoringWorker, *, capture: Path = CAPTURE) -> None:
        self._capture = capture
        self._wanted = settings.demo
        self._marker = settings.state_dir / MARKER
        self._rules = live_rules(settings)
        self._worker = worker
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="demo", daemon=True)

    def start(self) -> None:
        """Begin the replay if there is to be one."""
        if self.due():
            self._thread.start()

    def stop(self) -> None:
        """Break the replay off; it is due again at the next start."""
        self._stop.set()

    def join(self, timeout: float) -> None:
        """Wait for the replay's end."""
        if self._thread.ident is not None:
            self._thread.join(timeout)

    def due(self) -> bool:
        """Return whether this start replays the capture."""
        if in_container() or not self._capture.is_file():
            return False
        return not self._marker.exists() if self._wanted is None else self._wanted

    def _run(self) -> None:
        try:
            flows = self._replay()
            if not self._stop.is_set():
                self._marker.touch()
                logger.info('demo capture replayed: %d flows, in the logs with "sensor":"demo"', flows)
        except (OSError, ValueError) as error:
            logger.warning("demo capture not replayed: %s", error)

    def _replay(self) -> int:
        flows = 0
        for table in self._tables():
            for start in range(0, len(table), PORTION):
                while self._worker.counters().waiting and not self._stop.wait(0.01):
                    pass
                if self._stop.is_set():
                    return flows
                portion = table.take(slice(start, start + PORTION))
                flows += len(portion) - self._worker.hand_over(portion)
        return flows

    def _tables(self) -> Iterator[FlowTable]:
        scorer = self._worker.scorer
        context = scorer is not None and bool(scorer.record.context)
        capture = CaptureFile(self._capture, live_rules=self._rules, sensor=SENSOR, starts=context)
        tables = capture.tables()
        yield from ContextStage().complete(tables, capture.take_starts) if context else tables
