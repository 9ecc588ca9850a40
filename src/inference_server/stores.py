"""Everything that the service keeps on disk, with the limits that the settings give it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Final, TypedDict

from alerting import alert_log, prediction_log
from alerting.evidence_files import EvidenceFiles
from alerting.housekeeping import DAY_SECONDS, Store, unlink
from alerting.rotating_file import FILES, rotated_files
from flows.archive import SUFFIX
from inference_server.settings import Settings
from inference_server.telemetry import application_log
from inference_server.uploads.uploads import Uploads
from inference_server.web import access_log

MEGABYTE: Final = 1_000_000
LOGS: Final = (
    prediction_log.POSITIVE,
    prediction_log.INSUFFICIENT,
    prediction_log.NEGATIVE,
    alert_log.NAME,
    access_log.NAME,
    application_log.NAME,
)


class LogLimits(TypedDict):
    """What logs are made with."""

    max_bytes: int
    files: int
    span_seconds: float


def log_limits(settings: Settings) -> LogLimits:
    """Return the limits of a log, whose files reach back as far as KEEP_DAYS if they are not full before."""
    return LogLimits(
        max_bytes=settings.log_max_mb * MEGABYTE // FILES,
        files=FILES,
        span_seconds=settings.keep_days * DAY_SECONDS / (FILES - 1),
    )


def configured_stores(
    settings: Settings, evidence: EvidenceFiles | None, uploads: Uploads
) -> Iterator[Store]:
    """Yield every store; `evidence` and `uploads` own theirs, no evidence is written where that is None."""
    for name in LOGS:
        yield Store(name, partial(rotated_files, settings.log_dir / name), settings.log_max_mb * MEGABYTE)
    if evidence:
        yield Store("evidence", evidence.files, settings.evidence_disk_mb * MEGABYTE, evidence.forget)
    yield Store("uploads", uploads.files, settings.uploads_disk_mb * MEGABYTE, uploads.expire)
    archive = int(settings.flow_archive_gb * 1000 * MEGABYTE)
    # FLOW_ARCHIVE_GB=0 leaves what is there to whoever put it there.
    yield Store("flows", partial(_flow_files, settings.flows_dir), archive, unlink if archive else None)
    for name, file, megabytes in (
        ("outbox", settings.outbox_file, settings.outbox_max_mb),
        ("alert book", settings.alerts_file, settings.alerts_max_mb),
        *([("spool", settings.spool_file, settings.remote_spool_mb)] if settings.remote_scoring_url else []),
    ):
        yield Store(name, partial(file.parent.glob, f"{file.name}*"), megabytes * MEGABYTE, None)


def _flow_files(directory: Path) -> Iterator[Path]:
    # Unlike a glob, it does not mind an hour's folder that goes while it looks.
    for folder, _, files in os.walk(directory):
        yield from (Path(folder, file) for file in files if file.endswith(SUFFIX))
