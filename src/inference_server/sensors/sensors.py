"""The central service's side: takes batches of other sensors' flows, each once, and knows how they are."""

from __future__ import annotations

import asyncio
import logging
import queue
import threading
import time
from collections import Counter
from collections.abc import Callable, Collection
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from detection.refusal import refusal
from detection.scorer import ModelUnavailableError
from detection.worker import ScoringWorker
from flows.table import FlowTable
from flows.verdicts import Verdicts
from inference_server.bodies.flow_batch import decode_flows
from inference_server.remote_first import RemoteFirst
from inference_server.sensors.logged import Flows, logged_flows
from inference_server.sensors.marks import Mark, Marks, StreamId
from inference_server.sensors.messages import SensorReport
from inference_server.sensors.status import SensorHealth, SensorsStatus
from inference_server.settings import Settings
from inference_server.web.errors import (
    NOT_YET,
    BusyError,
    ConflictError,
    ModelNotAvailableError,
    RequestError,
    UnprocessableError,
)
from inference_server.web.off_loop import OffLoop

AT_ONCE: Final = 6
"""Batches that are decoded, scored and logged at once; so many fit the sink, and `logged.TAIL_BYTES`."""
WAITING: Final = 48
"""Batches that may wait for that, in memory; more are told to come back."""
MOST_SENSORS: Final = 4096
LOGGED_SECONDS: Final = 60.0
DAY_US: Final = 86_400_000_000
logger = logging.getLogger(__name__)

Scored = Callable[[FlowTable, Verdicts, Callable[[], None]], None]
"""Takes scored flows to logs, alerts and archive; calls back once they are logged."""


@dataclass(frozen=True, slots=True)
class Batch:
    """One batch as it came.

    Attributes:
        stream: whose it is.
        seq: its number, 1 or more; it rises from batch to batch.
        age_seconds: how long its oldest flow waited at the sensor.
        content: the flows, see `flow_batch`.
    """

    stream: StreamId
    seq: int
    age_seconds: float
    content: bytes


@dataclass(slots=True)
class _Sensor:
    """What is known of one sensor."""

    name: str
    last_seen: float
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    unmarked: tuple[StreamId, Mark, asyncio.Event] | None = None
    """What was scored and is to be marked, and whether it is logged yet."""
    streams: set[str] = field(default_factory=set)
    address: str | None = None
    caller: str | None = None
    attacks: int = 0
    repeated: int = 0
    lag_seconds: float | None = None
    clock_offset_seconds: float | None = None
    report: SensorReport | None = None


class Sensors:
    """Takes flows and reports; used from the event loop, but `status`, which any thread may call."""

    def __init__(
        self,
        settings: Settings,
        worker: ScoringWorker,
        scored: Scored,
        *,
        model_error: Callable[[], str | None],
        also_scored: Collection[str] = (),
        remote: RemoteFirst | None = None,
    ) -> None:
        """Make one that has not looked at the disk yet.

        Args:
            settings: the service's.
            worker: scores.
            scored: called from the event loop with scored flows.
            model_error: says why no model serves.
            also_scored: dialects whose flows are scored although the model was trained on another's.
            remote: the remote champion, which is asked first.
        """
        self._settings = settings
        self._worker = worker
        self._scored = scored
        self._model_error = model_error
        self._also_scored = frozenset(also_scored)
        self._remote = remote
        self._file = Marks(settings.sensors_file)
        self._off_loop = OffLoop("sensors", threads=2, at_once=2 * (AT_ONCE + WAITING))
        self._at_once = asyncio.Semaphore(AT_ONCE)
        self._under_way = 0
        self._marks: dict[StreamId, Mark] | None = None
        self._logged: Future[dict[str, Flows]] = Future()
        self._sensors: dict[str, _Sensor] = {}
        self._refused: Counter[str] = Counter()
        self._skipped = 0
        self._error: str | None = None

    async def take(self, batch: Batch, *, address: str | None, caller: str | None) -> bool:
        """Score the flows of a batch and log them; False when that was done before.

        Raises:
            BusyError: too much is under way, or nothing can be written; it is to be sent again.
            ConflictError: the model cannot read these flows, or the sensor's name is taken.
            ModelNotAvailableError: no model serves yet.
            RequestError: it is no batch; says why.
        """
        began = time.monotonic()
        try:
            sensor = await self._heard(batch.stream, address, caller)
            if sensor.turn.locked():
                raise BusyError(f"A batch of sensor {sensor.name} is being taken already")
            if self._under_way >= AT_ONCE + WAITING:
                raise BusyError(f"{self._under_way} batches of sensors are being taken already")
            self._under_way += 1
            try:
                async with sensor.turn, self._at_once:
                    taken = await self._take(sensor, batch)
            finally:
                self._under_way -= 1
        except RequestError as error:
            self._refused[_reason(error)] += 1
            raise
        if taken:
            sensor.lag_seconds = batch.age_seconds + time.monotonic() - began
        return taken

    async def hear(self, report: SensorReport, *, address: str | None, caller: str | None) -> None:
        """Take a sensor's report.

        Raises:
            BusyError, ConflictError: as `take` does.
        """
        sensor = await self._heard(StreamId(report.sensor, report.stream), address, caller)
        sensor.report = report
        sensor.clock_offset_seconds = report.sent_us / 1e6 - time.time()

    def reads_context(self) -> bool:
        """Whether the model reads what hosts did lately, which sensors must measure then."""
        scorer = self._worker.scorer
        return scorer is not None and bool(scorer.record.context)

    def status(self) -> SensorsStatus:
        """Return what is known of every sensor."""
        sensors, now = self._sensors.copy(), time.time()
        marks: dict[str, list[Mark]] = {}
        for stream, mark in (self._marks or {}).copy().items():
            marks.setdefault(stream.sensor, []).append(mark)
        known = tuple(_health(sensors[name], marks.get(name, []), now) for name in sorted(sensors))
        return SensorsStatus(known, dict(self._refused.copy()), self._skipped, self._error)

    def start(self) -> None:
        """Read which batches were taken before; another thread reads the logs."""
        if not self._settings.sensors_file.exists():
            self._logged.set_result({})
            return
        try:
            self._load()
        except OSError as error:
            self._error = str(error)
            logger.error("batches of sensors cannot be taken: %s", error)
        threading.Thread(target=self._read_logs, name="sensors-logs", daemon=True).start()

    def stop(self) -> None:
        """Take nothing more."""
        self._off_loop.stop()
        self._file.close()

    async def _take(self, sensor: _Sensor, batch: Batch) -> bool:
        await self._settle(sensor)
        mark = self._marks_now().get(batch.stream, Mark())
        if batch.seq <= mark.seq:
            sensor.repeated += 1
            return False
        table = await self._off_loop.run(decode_flows, batch.content, self._settings.max_body_bytes)
        if table.sensor != sensor.name:
            raise UnprocessableError(f"The flows are of sensor {table.sensor!r}, not {sensor.name!r}")
        verdicts, fresh = None, await self._not_logged(table)
        if len(fresh):
            verdicts = await self._score(fresh)
        # Nothing waits from here to the mark: who is cancelled leaves both or neither.
        logged = asyncio.Event()
        if verdicts is None:
            logged.set()
        else:
            sensor.attacks += int(verdicts.is_attack.sum())
            self._scored(fresh, verdicts, _from_a_thread(logged))
        now_us = time.time_ns() // 1000
        mark = Mark(batch.seq, mark.batches + 1, mark.flows + len(table), now_us)
        sensor.unmarked = (batch.stream, mark, logged)
        await self._settle(sensor)
        return True

    async def _settle(self, sensor: _Sensor) -> None:
        """Mark what was scored, once it is logged."""
        if sensor.unmarked is None:
            return
        stream, mark, logged = sensor.unmarked
        try:
            await asyncio.wait_for(logged.wait(), LOGGED_SECONDS)
        except TimeoutError:
            raise BusyError(f"Verdicts have been waiting to be logged for {LOGGED_SECONDS:.0f} s") from None
        try:
            await self._off_loop.run(self._file.put, stream, mark)
        except OSError as error:
            self._error = str(error)
            raise BusyError(f"The batch cannot be marked as taken: {error}") from None
        self._error = None
        self._marks_now()[stream] = mark
        sensor.unmarked = None

    async def _not_logged(self, table: FlowTable) -> FlowTable:
        """Return the flows that are not in the logs: a sensor's first batch may be, but for the mark."""
        before = (await asyncio.wrap_future(self._logged)).pop(table.sensor, None)
        if not before:
            return table
        flows = zip(table.flow_uid.tolist(), table.revision.tolist(), strict=True)
        known = np.array([flow in before for flow in flows])
        self._skipped += int(known.sum())
        return table.take(~known)

    async def _score(self, table: FlowTable) -> Verdicts:
        if self._remote and (verdicts := await self._remote.judge(table)):
            return verdicts
        scorer = self._worker.scorer
        if scorer is None:
            raise ModelNotAvailableError(f"{NOT_YET}: {self._model_error()}")
        names = table.feature_names
        if why := refusal(scorer, table.dialect, names, also_scored=self._also_scored):
            raise ConflictError(f"{why.message}: serve another model")
        try:
            return await asyncio.wrap_future(self._worker.submit(table))
        except queue.Full as error:
            raise BusyError(str(error)) from None
        except ModelUnavailableError as error:
            raise ModelNotAvailableError(f"{NOT_YET}: {error}") from None
        except KeyError:
            raise BusyError("Another model took over meanwhile") from None

    async def _heard(self, stream: StreamId, address: str | None, caller: str | None) -> _Sensor:
        if stream.sensor == self._settings.sensor_id:
            raise ConflictError(
                f"{stream.sensor} is the central service's own name: give the sensor another SENSOR_ID"
            )
        if self._marks is None:
            try:
                await self._off_loop.run(self._load)
            except OSError as error:
                self._error = str(error)
                raise BusyError(f"Batches cannot be marked as taken: {error}") from None
        sensor = self._sensors.get(stream.sensor)
        if sensor is None:
            if len(self._sensors) >= MOST_SENSORS:
                raise ConflictError(f"{MOST_SENSORS} sensors are known already: use another central service")
            sensor = self._sensors[stream.sensor] = _Sensor(stream.sensor, time.time())
        sensor.last_seen, sensor.address, sensor.caller = time.time(), address, caller
        sensor.streams.add(stream.stream)
        return sensor

    def _load(self) -> None:
        self._file.forget(time.time_ns() // 1000 - int(self._settings.keep_days * DAY_US))
        marks = self._file.load()
        for stream, mark in marks.items():
            sensor = self._sensors.setdefault(stream.sensor, _Sensor(stream.sensor, 0.0))
            sensor.last_seen = max(sensor.last_seen, mark.taken_us / 1e6)
        self._marks = marks

    def _marks_now(self) -> dict[StreamId, Mark]:
        assert self._marks is not None
        return self._marks

    def _read_logs(self) -> None:
        try:
            self._logged.set_result(logged_flows(self._settings.log_dir, but=self._settings.sensor_id))
        except Exception:
            logger.exception("the logs cannot be read: flows that a kill came between may be logged twice")
            self._logged.set_result({})


def _from_a_thread(logged: asyncio.Event) -> Callable[[], None]:
    loop = asyncio.get_running_loop()

    def done() -> None:
        with suppress(RuntimeError):  # the loop is closed: nobody waits there
            loop.call_soon_threadsafe(logged.set)

    return done


def _reason(error: RequestError) -> str:
    known = {BusyError: "busy", ModelNotAvailableError: "no model", ConflictError: "conflict"}
    return known.get(type(error), "unreadable")


def _health(sensor: _Sensor, marks: list[Mark], now: float) -> SensorHealth:
    return SensorHealth(
        sensor=sensor.name,
        address=sensor.address,
        caller=sensor.caller,
        last_seen=sensor.last_seen,
        silent_seconds=max(now - sensor.last_seen, 0.0),
        batches=sum(mark.batches for mark in marks),
        flows=sum(mark.flows for mark in marks),
        attacks=sensor.attacks,
        repeated=sensor.repeated,
        lag_seconds=sensor.lag_seconds,
        clock_offset_seconds=sensor.clock_offset_seconds,
        streams=len(sensor.streams),
        report=sensor.report,
    )
