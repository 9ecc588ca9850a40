"""Alerts over time, as charts want them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from flows.labels import BY_CODE


def statistics(
    counted: Iterable[tuple[int, int, int, int, int]], since: datetime, until: datetime, buckets: int
) -> dict[str, Any]:
    """Return the body of GET /api/statistics.

    Args:
        counted: (bucket, class code, severity, alerts, flows).
        since, until: what the buckets share evenly.
        buckets: how many there are, empty ones included.
    """
    step = (until - since) / buckets
    made = [_Bucket() for _ in range(buckets)]
    total = _Bucket()
    for bucket, code, severity, alerts, flows in counted:
        for each in (made[bucket], total):
            each.add(BY_CODE[code].name, severity, alerts, flows)
    return {
        "since": _text(since),
        "until": _text(until),
        "bucket_seconds": step.total_seconds(),
        "total": total.body(),
        "buckets": [{"start": _text(since + at * step), **each.body()} for at, each in enumerate(made)],
    }


class _Bucket:
    def __init__(self) -> None:
        self.alerts = self.flows = 0
        self.by_label: Counter[str] = Counter()
        self.by_severity: Counter[int] = Counter()

    def add(self, label: str, severity: int, alerts: int, flows: int) -> None:
        self.alerts += alerts
        self.flows += flows
        self.by_label[label] += alerts
        self.by_severity[severity] += alerts

    def body(self) -> dict[str, Any]:
        return {
            "alerts": self.alerts,
            "flows": self.flows,
            "by_label": dict(self.by_label),
            "by_severity": {str(level): self.by_severity[level] for level in (1, 2, 3)},
        }


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
