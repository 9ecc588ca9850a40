"""The process that analyses one uploaded capture: `python -m inference_server.uploads.analysis`.

It reads a Job from stdin, appends verdicts to a file, and tells on stdout, one JSON object a line, what
changes in the Upload. It ends by itself when nobody listens any more.
"""

from __future__ import annotations

import logging
import os
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO, Final

import numpy as np
import orjson
from pydantic import BaseModel

from capture.dialects import RULES
from capture.files import CaptureFile
from context.stage import ContextStage
from detection.model_cache import ModelCache
from detection.refusal import refusal
from detection.scorer import Scorer
from flows.table import FlowTable
from flows.verdicts import Verdicts
from inference_server.uploads.upload import Judge
from inference_server.verdict_lines import verdict_lines

SOURCE: Final = "upload"
NICENESS: Final = 10
"""The sensor comes first."""
MAX_FLOWS: Final = 1 << 20
"""Flows open at once, 640 bytes each; beyond that long silent ones end early."""
ROWS_AT_ONCE: Final = 4096
EXPLAINED_ATTACKS: Final = 1000
CACHE_SECONDS: Final = 5.0
"""The model that serves is in the cache moments after it began to."""
REPORT_SECONDS: Final = 0.2
READING_SHARE: Final = 0.3
"""Of the work: packets are metered in less time than their flows are judged and written."""


class Job(BaseModel):
    """What to analyse, with which model, and how far to go.

    Attributes:
        capture, verdicts: the files to read and to write.
        name: what messages call the capture.
        sensor: this sensor's name.
        state_dir, registry, model_uri, allow_pickle: of the `ModelCache`.
        model_name, model_version, threshold: the model that serves.
        max_ratio: bytes that a compressed byte may give.
        max_verdict_bytes: of the file of verdicts.
    """

    capture: Path
    verdicts: Path
    name: str
    sensor: str
    state_dir: Path
    registry: str
    model_uri: str
    allow_pickle: bool
    model_name: str
    model_version: str
    threshold: float
    max_ratio: float
    max_verdict_bytes: int


def report(**changes: Any) -> None:
    """Tell what changed in the Upload."""
    sys.stdout.buffer.write(orjson.dumps(changes, option=orjson.OPT_APPEND_NEWLINE))
    sys.stdout.buffer.flush()


def serving_model(job: Job) -> Scorer:
    """Return the model that serves, from the cache, at the threshold in force.

    Raises:
        ValueError: the cache does not hold it.
    """
    cache = ModelCache(
        job.state_dir, registry=job.registry, model_uri=job.model_uri, allow_pickle=job.allow_pickle
    )
    deadline = time.monotonic() + CACHE_SECONDS
    while True:
        found = cache.load()
        if found and (found[1].model_name, found[1].model_version) == (job.model_name, job.model_version):
            return found[1].with_threshold(job.threshold)
        if time.monotonic() > deadline:
            raise ValueError(
                f"model {job.model_name} version {job.model_version} serves, but is not in the model cache: "
                "see the log for why it could not be stored"
            )
        time.sleep(0.2)


class Analysis:
    """Meters and scores one capture."""

    def __init__(self, job: Job, scorer: Scorer) -> None:
        """Open what is to be read.

        Raises:
            OSError: it is not there.
            ValueError: the model reads what the meter cannot measure.
        """
        self._job = job
        self._scorer = scorer
        dialect = scorer.record.dialect
        if dialect not in RULES:
            raise ValueError(
                f"model {scorer.model_name} version {scorer.model_version} reads dialect {dialect}, which "
                f"captures are not measured in: {', '.join(RULES)}"
            )
        self._capture = CaptureFile(
            job.capture,
            dialect=dialect,
            sensor=job.sensor,
            name=job.name,
            max_flows=MAX_FLOWS,
            max_ratio=job.max_ratio,
            starts=bool(scorer.record.context),
        )
        self._flows = 0
        self._explained = 0
        self._by_class: Counter[str] = Counter()
        self._attacks = 0
        self._read = 0
        self._told_at = 0.0

    def run(self) -> None:
        """Analyse all of it; report on the way, and the summary at the end.

        Raises:
            OSError: the capture cannot be read, or the verdicts not be written.
            ValueError: it is no capture, the model cannot judge its flows, or a limit was passed.
        """
        scorer = self._scorer
        judge = Judge(name=scorer.model_name, version=scorer.model_version, threshold=scorer.threshold)
        report(dialect=scorer.record.dialect, model=judge.model_dump())
        try:
            with self._job.verdicts.open("wb") as file:
                for table in self._tables():
                    self._judge(table, file)
        finally:
            report(**self._so_far())
        self._look_at_the_end()

    def _tables(self) -> Iterator[FlowTable]:
        tables = self._capture.tables(self._have_read)
        if self._scorer.record.context:
            tables = ContextStage(kept=MAX_FLOWS).complete(tables, self._capture.take_starts)
        for table in tables:
            for start in range(0, len(table), ROWS_AT_ONCE):
                yield table.take(slice(start, start + ROWS_AT_ONCE))

    def _judge(self, table: FlowTable, file: BinaryIO) -> None:
        if why := refusal(self._scorer, table.dialect, table.feature_names):
            raise ValueError(why.message)
        verdicts = self._with_explanations(table, self._scorer.score(table))
        file.writelines(verdict_lines(table, verdicts, after=self._flows, source=SOURCE))
        file.flush()
        self._flows += len(table)
        self._attacks += int(verdicts.is_attack.sum())
        self._by_class.update(verdicts.labels().tolist())
        self._tell()
        if file.tell() > self._job.max_verdict_bytes:
            raise ValueError(
                f"{self._flows:,} verdicts take more than UPLOADS_DISK_MB leaves: raise it, delete other "
                "uploads, or send the capture in parts"
            )

    def _with_explanations(self, table: FlowTable, verdicts: Verdicts) -> Verdicts:
        attacks = np.flatnonzero(verdicts.is_attack)[: EXPLAINED_ATTACKS - self._explained]
        if not len(attacks):
            return verdicts
        self._explained += len(attacks)
        found = dict(zip(attacks.tolist(), self._scorer.explain(table.take(attacks)), strict=True))
        return replace(verdicts, explanations=tuple(map(found.get, range(len(table)))))

    def _have_read(self, size: int) -> None:
        self._read = size
        self._tell()

    def _tell(self) -> None:
        if time.monotonic() - self._told_at >= REPORT_SECONDS:
            self._told_at = time.monotonic()
            report(progress=self._progress(), **self._so_far())

    def _progress(self) -> float:
        """Return what is done: most flows of a file end, and are judged, when all of it was read."""
        counters = self._capture.counters()
        read = min(self._read / max(self._capture.size, 1), 1.0)
        judged = self._flows / max(counters.flows_opened - counters.flows_dropped, 1)
        return read * (READING_SHARE + (1 - READING_SHARE) * min(judged, 1.0))

    def _so_far(self) -> dict[str, Any]:
        counters = self._capture.counters()
        return {
            "packets": counters.packets,
            "ignored": {reason: count for reason, count in counters.ignored.items() if count},
            "flows": self._flows,
            "attacks": self._attacks,
            "by_class": dict(self._by_class.most_common()),
        }

    def _look_at_the_end(self) -> None:
        problem, packets = self._capture.problem, self._capture.counters().packets
        if problem is None:
            return
        if self._capture.over_limit or not packets:
            raise ValueError(problem)
        report(warnings=[f"{problem}; {packets:,} packets, {self._flows:,} flows up to there"])


def main() -> None:
    """Do one job."""
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
    os.nice(NICENESS)
    job = Job.model_validate_json(sys.stdin.buffer.read())
    try:
        Analysis(job, serving_model(job)).run()
    except BrokenPipeError:
        raise
    except OSError as error:
        report(error=f"{job.name}: {error.strerror or error}")
    except ValueError as error:
        report(error=str(error))


if __name__ == "__main__":
    main()
