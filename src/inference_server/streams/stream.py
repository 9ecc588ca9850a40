"""One capture that is streamed in while its verdicts are streamed out."""

from __future__ import annotations

import asyncio
import logging
import queue
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any, Final

import orjson

from capture.blocks import BlockReader
from capture.dialects import RULES
from capture.files import CLOCK_SLACK_US
from capture.meter import FlowMeter
from capture.rules import MICROSECONDS, LiveRules
from detection.refusal import refusal
from detection.scorer import ModelUnavailableError, Scorer
from detection.worker import ScoringWorker
from flows.table import FlowTable
from flows.verdicts import Verdicts
from inference_server.live_context import LiveContext
from inference_server.streams.pipes import AbandonedError, Inlet, Outlet
from inference_server.verdict_lines import verdict_lines
from inference_server.web.errors import UnprocessableError

SOURCE: Final = "stream"
NAME: Final = "stream"
MAX_FLOWS: Final = 65_536
"""Flows open at once, 640 bytes each; beyond that long silent ones end early."""
FULL_SECONDS: Final = 0.02
ANSWER_SECONDS: Final = 30.0
FIRST_SECONDS, SILENT_SECONDS = 60.0, 3600.0
"""How long the first bytes may take, and those after them: a client that is gone need not have said so."""
logger = logging.getLogger(__name__)


class CaptureStream:
    """Meters what comes in by the rules of live capture, and gives a line for each flow that ends.

    The last line is `{"summary": ...}`, which says how it ended.
    """

    def __init__(
        self,
        worker: ScoringWorker,
        scorer: Scorer,
        rules: LiveRules,
        *,
        sensor: str,
        on_end: Callable[[CaptureStream], None],
    ) -> None:
        """Begin, in the event loop, with a thread that reads what will be put into the inlet.

        Args:
            worker: who scores.
            scorer: the model that serves.
            rules: when flows end.
            sensor: this sensor's name.
            on_end: called from the thread when it ends.

        Raises:
            UnprocessableError: the model reads what the meter does not measure.
        """
        dialect = scorer.record.dialect
        if dialect not in RULES:
            raise UnprocessableError(
                f"The model reads dialect {dialect}, which captures are not measured in: {', '.join(RULES)}"
            )
        self.inlet = Inlet(self._quiet)
        self.outlet = Outlet()
        self.packets = self.flows = self.attacks = 0
        self._worker = worker
        self._on_end = on_end
        self._meter = FlowMeter(dialect, live_rules=rules, max_flows=MAX_FLOWS, sensor=sensor, interface=NAME)
        self._context = LiveContext(self._reads_context, flows=MAX_FLOWS)
        self._by_class: Counter[str] = Counter()
        self._model: dict[str, Any] = {}
        self._newest: tuple[int, float] | None = None
        self._began = time.monotonic()
        self._loop = asyncio.get_running_loop()
        self._begun: asyncio.Future[str | None] = self._loop.create_future()
        self._thread = threading.Thread(target=self._run, name="capture-stream", daemon=True)
        self._thread.start()

    async def begun(self) -> None:
        """Wait for the first bytes.

        Raises:
            UnprocessableError: they are not those of a capture.
        """
        if problem := await self._begun:
            raise UnprocessableError(problem)

    def abandon(self) -> None:
        """End it without a summary."""
        self.inlet.abandon()
        self.outlet.abandon()

    def _run(self) -> None:
        problem: str | None = None
        try:
            problem = self._read()
        except AbandonedError:
            self._say_begun(None)
            self.abandon()
        except (ModelUnavailableError, ValueError) as error:
            problem = str(error)
        except Exception:
            logger.exception("a capture stream failed")
            problem = "internal error; the service's log says more"
        try:
            self._say_begun(problem)
            self.outlet.put(orjson.dumps({"summary": self._summary(problem)}) + b"\n")
        except AbandonedError:
            pass
        finally:
            # Whoever still sends need not wait for room.
            self.inlet.abandon()
            self.outlet.finish()
            self._on_end(self)

    def _read(self) -> str | None:
        """Read to the end; return why it was no proper one."""
        reader = BlockReader(self.inlet, NAME)
        self._say_begun(None)
        self._judge_all(self._context.follow(self._meter))
        for block, index, count in reader:
            last = int(index.ts[count - 1])
            self._newest = last, time.monotonic()
            self._take(self._meter.feed(block, index, count))
            self._end_flows(last - CLOCK_SLACK_US)
        self._take(self._meter.flush())
        self._judge_all(self._context.follow(self._meter))
        self._judge_all(self._context.rest())
        return reader.problem

    def _quiet(self) -> None:
        """End flows by the clock while nothing comes."""
        at_us, when = self._newest or (None, self._began)
        silent = time.monotonic() - when
        if silent > (FIRST_SECONDS if at_us is None else SILENT_SECONDS):
            raise ValueError(f"nothing came for {silent:.0f} s")
        if at_us is not None:
            self._end_flows(at_us + int(silent * MICROSECONDS) - CLOCK_SLACK_US)

    def _end_flows(self, now_us: int) -> None:
        self._take(self._meter.expire(now_us))
        self._take(self._meter.drain())
        self._judge_all(self._context.follow(self._meter))
        self.packets = self._meter.counters().packets

    def _take(self, tables: Iterable[FlowTable]) -> None:
        for table in tables:
            self._judge_all(self._context.add(table))

    def _judge_all(self, tables: Iterable[FlowTable]) -> None:
        for table in tables:
            verdicts = self._score(table)
            self.outlet.put(b"".join(verdict_lines(table, verdicts, after=self.flows, source=SOURCE)))
            self.flows += len(table)
            self.attacks += int(verdicts.is_attack.sum())
            self._by_class.update(verdicts.labels().tolist())
            self._model = {
                "name": verdicts.model_name,
                "version": verdicts.model_version,
                "threshold": verdicts.threshold,
            }

    def _score(self, table: FlowTable) -> Verdicts:
        while True:
            scorer = self._worker.scorer
            why = scorer and refusal(scorer, table.dialect, table.feature_names)
            if why:
                raise ValueError(f"{why.message}: another model serves now; send the stream again")
            try:
                return self._worker.submit(table).result(ANSWER_SECONDS)
            except queue.Full:
                time.sleep(FULL_SECONDS)

    def _reads_context(self) -> bool:
        scorer = self._worker.scorer
        return scorer is not None and bool(scorer.record.context)

    def _summary(self, problem: str | None) -> dict[str, Any]:
        counters = self._meter.counters()
        return {
            "packets": counters.packets,
            "ignored": {reason: count for reason, count in counters.ignored.items() if count},
            "late": counters.late,
            "flows": self.flows,
            "attacks": self.attacks,
            "by_class": dict(self._by_class.most_common()),
            "model": self._model or None,
            "error": problem,
        }

    def _say_begun(self, problem: str | None) -> None:
        def say() -> None:
            if not self._begun.done():
                self._begun.set_result(problem)

        with suppress(RuntimeError):  # the loop is closed: nobody waits there
            self._loop.call_soon_threadsafe(say)
