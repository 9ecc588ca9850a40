"""What stock PyPI cicflowmeter 0.5.0 posts with -u: 82 keys, times in seconds, the local time."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from flows.schema import COMMON
from helpers.flows import EXAMPLE


def posted_record(**changes: Any) -> dict[str, Any]:
    """The example flow as cicflowmeter would post it."""
    record: dict[str, Any] = {
        "src_ip": "192.168.1.10",
        "dst_ip": "192.168.1.20",
        "src_port": 51234,
        "dst_port": 443,
        "protocol": 6,
        "timestamp": datetime.now().strftime("%Y-%m-%d %H:%M:%S"),
    }
    for feature in COMMON:
        scale = 1e-6 if feature.seconds_in_python else 1
        record[feature.python_key] = EXAMPLE[feature.name] * scale
    return record | changes
