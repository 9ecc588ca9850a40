"""All captures that are being streamed in."""

from __future__ import annotations

import threading
from collections import Counter
from typing import Final

from capture.rules import LiveRules
from detection.worker import ScoringWorker
from inference_server.settings import Settings
from inference_server.streams.status import StreamsStatus
from inference_server.streams.stream import CaptureStream
from inference_server.web.errors import NOT_YET, BusyError, ModelNotAvailableError

STOP_SECONDS: Final = 1.0


class Streams:
    """Opens streams, as many at once as the settings allow; safe to use from several threads."""

    def __init__(self, settings: Settings, worker: ScoringWorker) -> None:
        """Describe who scores, and when flows end: as in live capture."""
        self._worker = worker
        self._sensor = settings.sensor_id
        self._limit = settings.streams_at_once
        self._rules = LiveRules(settings.close_linger, settings.capture_idle_seconds)
        self._open: set[CaptureStream] = set()
        self._counts: Counter[str] = Counter()
        self._change = threading.Condition()

    def open(self) -> CaptureStream:
        """Begin a stream, in the event loop.

        Raises:
            ModelNotAvailableError: no model serves yet.
            BusyError: as many as may be are open.
            UnprocessableError: the model reads what the meter does not measure.
        """
        scorer = self._worker.scorer
        if scorer is None:
            raise ModelNotAvailableError(f"{NOT_YET}: try again once /ready says so")
        with self._change:
            if len(self._open) >= self._limit:
                raise BusyError(f"{len(self._open)} streams are open, no more may be (STREAMS_AT_ONCE)")
            stream = CaptureStream(self._worker, scorer, self._rules, sensor=self._sensor, on_end=self._ended)
            self._open.add(stream)
            self._counts["opened"] += 1
        return stream

    def stop(self) -> None:
        """End all streams."""
        with self._change:
            for stream in self._open:
                stream.abandon()
            self._change.wait_for(lambda: not self._open, STOP_SECONDS)

    def status(self) -> StreamsStatus:
        """Return counters and state."""
        with self._change:
            counts = Counter(self._counts)
            for stream in self._open:
                counts.update(_counted(stream))
            active = len(self._open)
        names = ("opened", "packets", "flows", "attacks")
        return StreamsStatus(**{name: counts[name] for name in names}, active=active)

    def _ended(self, stream: CaptureStream) -> None:
        with self._change:
            self._open.discard(stream)
            self._counts.update(_counted(stream))
            self._change.notify_all()


def _counted(stream: CaptureStream) -> dict[str, int]:
    return {"packets": stream.packets, "flows": stream.flows, "attacks": stream.attacks}
