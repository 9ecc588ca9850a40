"""The composition root: every part of the running service, and how they are joined."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from alerting.flow_archive import FlowArchive
from alerting.housekeeping import Housekeeping
from alerting.prediction_log import PredictionLog
from alerting.sink import Sink
from capture.evidence import Wanted
from detection.drift import Drift
from detection.scorer import Scorer
from detection.worker import ScoringWorker
from flows.dialects import IMPROVED
from flows.table import FlowTable
from flows.verdicts import Verdicts
from inference_server import demo
from inference_server.alerts import SIDECAR, Alerts
from inference_server.central.scoring import SCORED_ELSEWHERE, configured_central
from inference_server.champion import configured_registry, configured_uploads, configured_watcher
from inference_server.explaining import LatestModels
from inference_server.kdd99 import Kdd99
from inference_server.kernels import Kernels
from inference_server.live_capture import LiveCapture, captured_dialect
from inference_server.model_desk import ModelDesk
from inference_server.novelty import NoveltyModel
from inference_server.operating_threshold import OperatingThreshold
from inference_server.predict import Predictor
from inference_server.remote_model import configured_remote
from inference_server.sensors.sensors import Sensors
from inference_server.settings import Settings
from inference_server.stores import configured_stores, log_limits
from inference_server.streams.streams import Streams
from inference_server.telemetry.application_log import ApplicationLog
from inference_server.telemetry.health import health_body, missing_for_ready
from inference_server.telemetry.metrics import Metrics
from inference_server.telemetry.minute_report import MinuteReport
from inference_server.telemetry.operational_events import OperationalEvents
from inference_server.telemetry.resident import ResidentSet, resident_bytes
from inference_server.telemetry.status import ServiceStatus
from inference_server.transports import configured_benign_streams, configured_transports
from inference_server.web.access_log import AccessLog
from inference_server.web.auth import KeyCheck
from inference_server.web.http_traffic import HttpTraffic
from inference_server.web.off_loop import OffLoop
from inference_server.web.public_text import PublicText

STOP_SECONDS: Final = 3.0
SWITCH_SECONDS: Final = 0.0005
"""How long a thread keeps the interpreter while another waits. A request changes threads several times; at
the default of 5 ms the slowest of them take a fifth longer beside 15 others."""
GIGABYTE: Final = 1_000_000_000
logger = logging.getLogger(__name__)


class Service:
    """capture, demo ──▶ worker ──▶ sink ──▶ alerts, logs, with the API's flows joining at the worker.

    What the worker scored of live capture is archived too.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.application_log = ApplicationLog(settings.log_dir, **log_limits(settings))
        self.archive = FlowArchive(settings.flows_dir, int(settings.flow_archive_gb * GIGABYTE))
        self.models = LatestModels()
        self.alerts = Alerts(settings, self.models.explain, self._evidence, configured_transports(settings))
        self.alert_book = self.alerts.book
        self.off_loop = OffLoop("off-loop")
        log = PredictionLog(
            settings.log_dir, negatives=settings.log_negative_predictions, **log_limits(settings)
        )
        self.benign = configured_benign_streams(settings)
        self.sink = Sink(log, self.alerts.stream, benign=self.benign)
        self.drift = Drift()
        registry = configured_registry(settings)
        # Choosing an extractor of another dialect is the consent to score its flows.
        consented = {captured_dialect(settings)} - {IMPROVED}
        self.novelty = NoveltyModel(settings, registry, self._novel, consented)
        self.remote = configured_remote(settings)
        self.worker = self._scoring_worker(consented)
        self.threshold = OperatingThreshold(settings, self._score_with)
        self.watcher = configured_watcher(settings, registry, self._serve, self._shadow)
        self.model_desk = ModelDesk(
            settings.mlflow_model_name,
            registry,
            self.watcher,
            self.status,
            self.alert_book.judged,
            settings.promotion_margins,
        )
        self.registry_calls = OffLoop("registry-calls", threads=1, at_once=8)
        self.central = configured_central(settings, lambda: self.capture.status())
        hand_over = self.central.put if self.central else self.worker.hand_over
        self.capture = LiveCapture(settings, hand_over, reads_context=self._reads_context)
        self.demo = demo.Demo(settings, self.worker)
        self.kernels = Kernels()
        self.report = MinuteReport(self.status)
        self.resident_set = ResidentSet()
        self.uploads = configured_uploads(settings, lambda: self.worker.scorer)
        self.streams = Streams(settings, self.worker)
        self.kdd99 = Kdd99(settings, registry)
        stores = tuple(configured_stores(settings, self.alerts.evidence, self.uploads))
        self.housekeeping = Housekeeping(stores, settings.keep_days)
        self.events = OperationalEvents(
            self.status,
            self.alerts.outbox.put,
            sensor=settings.sensor_id,
            silence_seconds=settings.capture_silence_seconds,
            folders=tuple(dict.fromkeys((settings.log_dir, settings.state_dir))),
        )
        self.metrics = Metrics(self.status)
        self._make_what_requests_meet(settings, consented)

    def _make_what_requests_meet(self, settings: Settings, consented: set[str]) -> None:
        self.keys = KeyCheck(settings)
        self.public_text = PublicText(settings)
        self.access_log = AccessLog(settings.log_dir, enabled=settings.access_log, **log_limits(settings))
        self.http = HttpTraffic(settings.max_concurrent_requests, self.access_log)
        self.sensors = Sensors(
            settings,
            self.worker,
            self._sent,
            model_error=self._model_error,
            also_scored=consented,
            remote=self.remote,
        )
        self.predictor = Predictor(
            self.worker,
            self.sink,
            sensor=settings.sensor_id,
            model_error=self._model_error,
            remote=self.remote,
        )

    def start(self) -> None:
        """Start every thread; returns at once."""
        sys.setswitchinterval(SWITCH_SECONDS)
        self.application_log.open()
        self.access_log.start()
        self.alerts.start()
        for stream in self.benign:
            stream.start()
        self.sink.start()
        self.archive.start()
        self.worker.start()
        if self.settings.aws_keys_are_swapped:
            logger.warning(
                "AWS_SECRET_KEY holds an access key, and is used as one: swap it with AWS_ACCESS_KEY"
            )
        if self.remote:
            self.remote.start()
        self.sensors.start()
        if self.central:
            self.central.start()
        else:
            logger.info("loading %s", self.settings.mlflow_model_name)
        self.kernels.then(self._start_kernels_callers)
        self.threshold.start()
        self.report.start()
        self.resident_set.start()
        self.uploads.start()
        self.housekeeping.start()
        self.events.start()

    def _start_kernels_callers(self) -> None:
        self.kdd99.start()
        if not self.central:
            self.watcher.start()
            self.novelty.start()
        self.capture.start()

    def stop(self, seconds: float = STOP_SECONDS) -> None:
        """Stop from the source to the end, so that open flows still reach the logs."""
        deadline = time.monotonic() + seconds
        self.off_loop.stop()
        self.registry_calls.stop()
        self.kernels.stop()
        self.watcher.stop()
        self.kdd99.stop()
        self.novelty.stop()
        self.threshold.stop()
        if self.remote:
            self.remote.stop()
        self.demo.stop()
        self.report.stop()
        self.resident_set.stop()
        self.uploads.stop()
        self.streams.stop()
        self.sensors.stop()
        self.housekeeping.stop()
        self.events.stop()
        self.capture.stop(seconds / 2)
        if self.central:
            self.central.stop(max(0.5, deadline - time.monotonic() - 0.5))
        self.worker.stop(max(0.5, deadline - time.monotonic() - 0.5))
        self.sink.stop(max(0.5, deadline - time.monotonic()))
        self.archive.stop(max(0.5, deadline - time.monotonic()))
        for stream in self.benign:
            stream.stop(max(0.1, deadline - time.monotonic() - 1.0))
        self.alerts.stop(max(0.5, deadline - time.monotonic()))
        self.access_log.stop(max(0.5, deadline - time.monotonic()))
        logger.info("stopped")
        self.application_log.close()

    def status(self) -> ServiceStatus:
        """Look at every part."""
        return ServiceStatus(
            scorer=self.worker.scorer,
            model=self.watcher.status(),
            capture=self.capture.status(),
            scoring=self.worker.counters(),
            scoring_running=self.worker.running,
            shadow=self.worker.challenger_status(),
            drift=self.drift.status(),
            sink=self.sink.status(),
            archive=self.archive.status(),
            alerts=self.alerts.status(),
            threshold=self.threshold.status(),
            benign=tuple(stream.status() for stream in self.benign),
            events=self.events.status(),
            http=self.http.status(),
            access_log=self.access_log.status(),
            application_log=self.application_log.status(),
            resident_bytes=resident_bytes(),
            stores=self.housekeeping.status(),
            housekeeping_running=self.housekeeping.running,
            uploads=self.uploads.status(),
            streams=self.streams.status(),
            kdd=self.kdd99.status(),
            novelty=self.novelty.status(),
            remote=self.remote.champion.status() if self.remote else None,
            sensors=self.sensors.status(),
            central=self.central.status() if self.central else None,
        )

    def health(self) -> dict[str, Any]:
        """Return the body of /health."""
        return health_body(self.status(), self.settings.capture_silence_seconds)

    def missing(self) -> list[str]:
        """Return what keeps the service from its job."""
        return [self.public_text(text) for text in missing_for_ready(self.status())]

    def _scoring_worker(self, consented: set[str]) -> ScoringWorker:
        remote = self.remote.champion if self.remote else None
        return ScoringWorker(self._scored, also_scored=consented, novelty=self.novelty.judge, remote=remote)

    def _scored(self, table: FlowTable, verdicts: Verdicts) -> None:
        if table.sensor == demo.SENSOR:
            self.sink.put(table, verdicts, demo.SENSOR)
        else:
            self.sink.put(table, verdicts, SIDECAR)
            self.archive.put(table, verdicts)
            self.drift.add(table, verdicts)

    def _sent(self, table: FlowTable, verdicts: Verdicts, logged: Callable[[], None]) -> None:
        """Take flows that another sensor captured where those captured here go."""
        self.sink.put(table, verdicts, SIDECAR, logged)
        self.archive.put(table, verdicts)
        self.drift.add(table, verdicts)
        self.worker.look_again(table, verdicts)

    def _evidence(self, wanted: Sequence[Wanted], path: Path) -> int:
        return self.capture.evidence(wanted, path)

    def _novel(self, table: FlowTable, verdicts: Verdicts) -> None:
        self.sink.alert(table, verdicts, demo.SENSOR if table.sensor == demo.SENSOR else SIDECAR)

    def _model_error(self) -> str | None:
        return SCORED_ELSEWHERE if self.central else self.watcher.status().error

    def _reads_context(self) -> bool:
        if self.central:
            return self.central.host_context()
        models = (self.worker.scorer, self.worker.challenger, self.novelty.judge.detector)
        return any(model is not None and model.record.context for model in models)

    def _shadow(self, challenger: Scorer | None) -> None:
        self.worker.challenger = challenger

    def _score_with(self, scorer: Scorer) -> None:
        self.worker.scorer = scorer

    def _serve(self, scorer: Scorer) -> None:
        first = self.worker.scorer is None
        self.models.serve(scorer)
        self.drift.watch(scorer.record)
        self.threshold.champion(scorer)
        if first:
            self._say_started(scorer)
            self.demo.start()
        scorer.warm_up()

    def _say_started(self, scorer: Scorer) -> None:
        interfaces = ", ".join(status.interface for status in self.capture.status().interfaces) or "none"
        logger.info(
            "started: interface %s, dialect %s, model %s version %s",
            *(interfaces, captured_dialect(self.settings), scorer.model_name, scorer.model_version),
        )
