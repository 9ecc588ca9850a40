"""The state of the whole service: what /health, /metrics and the minute line are views of."""

from __future__ import annotations

from dataclasses import dataclass

from alerting.line_file import LineFileStatus
from alerting.sink import SinkStatus
from detection.scorer import Scorer
from detection.worker import WorkerCounters
from inference_server.live_capture import CaptureStatus


@dataclass(frozen=True, slots=True)
class ServiceStatus:
    """One look at every part.

    Attributes:
        scorer: the model that serves, None before there is one.
        model_error: why none serves, None when one does.
        model_load_failures: how often the registry gave none.
        capture: live capture.
        scoring: the scoring thread's counters.
        scoring_running: that thread is alive.
        sink: the log-writing thread.
        application_log: LOG_DIR/application.log.
    """

    scorer: Scorer | None
    model_error: str | None
    model_load_failures: int
    capture: CaptureStatus
    scoring: WorkerCounters
    scoring_running: bool
    sink: SinkStatus
    application_log: LineFileStatus
