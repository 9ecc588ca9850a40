"""An alert as lists and live messages show it: JSON-ready, a flat object."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import numpy as np
from sqlalchemy import Row, select

from alerting.book.tables import ALERTS
from flows.addresses import address_text
from flows.labels import BY_CODE
from flows.times import rfc3339

_HIDDEN: Final = {"words"}
SUMMARY: Final = select(*(column for column in ALERTS.c if column.name not in _HIDDEN))
"""The columns that `summaries` reads."""


def summaries(rows: Iterable[Row[Any]]) -> list[dict[str, Any]]:
    """Return the alerts of rows of `SUMMARY`."""
    found = list(rows)
    stamps = [(row.changed_us, row.opened_us, row.acknowledged_us or 0, row.judged_us or 0) for row in found]
    texts = rfc3339(np.array(stamps, np.int64).ravel())
    return [_summary(row, texts[4 * at : 4 * at + 4]) for at, row in enumerate(found)]


def _summary(row: Row[Any], times: list[str | None]) -> dict[str, Any]:
    label = BY_CODE[row.code]
    changed, opened, acknowledged, judged = times
    return {
        "id": row.alert_id,
        "seq": row.seq,
        "time": changed,
        "opened": opened,
        "state": row.state,
        "revision": row.revision,
        "count": row.count,
        "prediction": row.code,
        "label": label.name,
        "family": label.family,
        "technique": label.technique or None,
        "severity": row.severity,
        "p_attack_max": row.p_attack_max,
        "src_ip": address_text(row.src_addr),
        "src_port": _known(row.src_port),
        "dst_ip": address_text(row.dst_addr),
        "dst_port": _known(row.dst_port),
        "proto": row.proto,
        "sensor": row.sensor,
        "source": row.source,
        "model_version": row.model_version,
        "acknowledged": row.acknowledged_us is not None,
        "acknowledged_by": row.acknowledged_by,
        "acknowledged_at": acknowledged if row.acknowledged_us is not None else None,
        "feedback": row.verdict
        and {
            "verdict": row.verdict,
            "label": BY_CODE[row.verdict_code].name,
            "note": row.note,
            "who": row.judged_by,
            "at": judged,
        },
    }


def _known(port: int) -> int | None:
    return port if port >= 0 else None
