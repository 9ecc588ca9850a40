"""The thread that sends batches to the central service, one after the other, however long that takes."""

from __future__ import annotations

import logging
import random
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import httpx

from alerting.outbox.back_off import back_off
from inference_server.bodies.flow_batch import MEDIA_TYPE
from inference_server.central.keeper import Keeper
from inference_server.central.spool import DELIVERED, REJECTED, SpooledBatch
from inference_server.sensors.messages import FLOWS_PATH, REPORT_PATH

REPORT_SECONDS: Final = 10.0
LONGEST_SECONDS: Final = 30.0
"""Between two attempts; flows are wanted sooner than alerts of them."""
LONGEST_RETRY_AFTER: Final = 300.0
RESTART_SECONDS: Final = 5.0
ANSWER_SECONDS: Final = 0.5
SAY_EVERY_SECONDS: Final = 60.0
TIMEOUT: Final = httpx.Timeout(10.0, read=90.0)
COME_BACK: Final = (429, 503)
NEVER: Final = (400, 413, 422)
_SHOWN: Final = 300
logger = logging.getLogger(__name__)
# Its line a request is a line a second.
logging.getLogger("httpx").setLevel(logging.WARNING)


@dataclass(frozen=True, slots=True)
class _Failure:
    why: str
    retry_after: float | None = None
    for_good: bool = False


class Sender:
    """Sends what the keeper has, and every 10 s a report."""

    def __init__(
        self,
        url: str,
        keeper: Keeper,
        report: Callable[[str], dict[str, Any]],
        *,
        sensor: str,
        key: str | None = None,
        ca_file: str | None = None,
    ) -> None:
        """Make a sender that is not running yet.

        Args:
            url: of the central service.
            keeper: has the batches.
            report: makes a report of a stream's id.
            sensor: this sensor's name.
            key: API key.
            ca_file: who signed the central service's certificate; None: those the system trusts.

        Raises:
            OSError: `ca_file` is no PEM file of certificates.
        """
        self.failures = 0
        self.back_pressure = 0
        self.sent_bytes = 0
        self.restarts = 0
        self.host_context = False
        self.error: str | None = None
        self.delivered_at: str | None = None
        self._keeper = keeper
        self._report = report
        self._sensor = sensor
        self._client = httpx.Client(
            base_url=url,
            headers={"User-Agent": "ml-ids"} | ({"X-API-Key": key} if key else {}),
            verify=ssl.create_default_context(cafile=ca_file),
            timeout=TIMEOUT,
            follow_redirects=False,
        )
        self._failed_in_a_row = 0
        self._report_at = 0.0
        self._said_at = float("-inf")
        self._closing = threading.Event()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="central-sender", daemon=True)

    @property
    def running(self) -> bool:
        """Whether the thread is alive."""
        return self._thread.is_alive()

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self, timeout: float) -> None:
        """Send what there is, for at most `timeout` seconds and while that works, and end the thread."""
        self._closing.set()
        if self._thread.ident is not None:
            self._thread.join(timeout)
        self._stop.set()

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self._work()
                break
            except Exception:
                self.restarts += 1
                logger.exception("sending flows failed; it goes on")
                self._stop.wait(RESTART_SECONDS)
        self._client.close()

    def _work(self) -> None:
        asked = self._keeper.ask()
        while not self._stop.is_set():
            self._report_if_due()
            try:
                batch = asked.result(ANSWER_SECONDS)
            except TimeoutError:
                continue
            if batch is None or not self._deliver(batch):
                return
            asked = self._keeper.ask()

    def _deliver(self, batch: SpooledBatch) -> bool:
        """Send a batch until it is taken, or refused for good; False when the end came before."""
        while not self._stop.is_set():
            failure = self._send(batch)
            if failure is None or failure.for_good:
                self._keeper.settle(batch.seq, REJECTED if failure else DELIVERED)
                return True
            if self._closing.is_set():
                return False
            self._failed_in_a_row += 1
            self._pause(failure.retry_after or min(back_off(self._failed_in_a_row), LONGEST_SECONDS))
        return False

    def _send(self, batch: SpooledBatch) -> _Failure | None:
        age = max(time.time() - batch.oldest_us / 1e6, 0.0)
        query = {"sensor": self._sensor, "stream": self._keeper.stream, "seq": batch.seq, "age_seconds": age}
        self.sent_bytes += len(batch.body)
        failure = self._post(
            FLOWS_PATH, params=query, content=batch.body, headers={"Content-Type": MEDIA_TYPE}
        )
        if failure is None:
            self._failed_in_a_row = 0
            self.delivered_at = datetime.now(UTC).isoformat(timespec="seconds")
        elif failure.for_good:
            logger.error("%d flows are refused for good and dropped: %s", batch.flows, failure.why)
        return failure

    def _report_if_due(self) -> None:
        stream = self._keeper.stream
        if stream is None or time.monotonic() < self._report_at or self._closing.is_set():
            return
        self._report_at = time.monotonic() + REPORT_SECONDS
        self._post(REPORT_PATH, json=self._report(stream))

    def _pause(self, seconds: float) -> None:
        """Wait, reporting when it is time."""
        ends = time.monotonic() + seconds
        while not self._closing.is_set() and (left := ends - time.monotonic()) > 0:
            self._closing.wait(min(left, REPORT_SECONDS))
            if ends > time.monotonic():
                self._report_if_due()

    def _post(self, path: str, **request: Any) -> _Failure | None:
        """Send a request and note what the central service wants; return what went wrong."""
        try:
            answer = self._client.post(path, **request)
            failure = self._judged(answer)
        except (httpx.HTTPError, ValueError, KeyError, TypeError) as error:
            failure = _Failure(f"no answer of a central service: {type(error).__name__}: {error}"[:_SHOWN])
        # That a report was heard does not say that flows are taken.
        if failure or path == FLOWS_PATH or not self._failed_in_a_row:
            self.error = failure.why if failure else None
        if failure:
            self.failures += 1
            self.back_pressure += failure.retry_after is not None
            self._say(failure.why)
        return failure

    def _judged(self, answer: httpx.Response) -> _Failure | None:
        if answer.is_success:
            self.host_context = bool(answer.json()["host_context"])
            return None
        why = f"HTTP {answer.status_code}: {answer.text}"[:_SHOWN]
        retry_after = None
        if answer.status_code in COME_BACK:
            told = answer.headers.get("retry-after", "")
            seconds = float(told) if told.isdecimal() else 1.0
            # Some more, so that sensors that were turned away together do not come back together.
            retry_after = min(max(seconds, 1.0), LONGEST_RETRY_AFTER) * random.uniform(1.0, 1.5)
        return _Failure(why, retry_after, for_good=answer.status_code in NEVER)

    def _say(self, error: str) -> None:
        now = time.monotonic()
        if now - self._said_at >= SAY_EVERY_SECONDS:
            self._said_at = now
            logger.warning("the central service took no flows, %d times so far: %s", self.failures, error)
