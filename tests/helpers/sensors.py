"""Another sensor's flows, as the central service gets them and logs them."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import numpy as np

from alerting.prediction_log import INSUFFICIENT, NEGATIVE, POSITIVE
from flows.addresses import pack_address
from flows.table import FlowTable
from helpers.models import typical_table
from inference_server.bodies.flow_batch import MEDIA_TYPE, encode_flows
from inference_server.sensors.messages import FLOWS_PATH, REPORT_PATH

STREAM = "0" * 31 + "1"


def captured_table(codes: list[int], *, first_uid: int = 0, sensor: str = "edge-1") -> FlowTable:
    """Flows that a model of these tests gives these classes, from one host to another."""
    n = len(codes)
    table = typical_table(codes, sensor=sensor)
    identity: dict[str, Any] = {
        "flow_uid": np.arange(first_uid, first_uid + n, dtype=np.uint64),
        "src_addr": np.tile(np.frombuffer(pack_address("203.0.113.7"), np.uint8), (n, 1)),
        "dst_addr": np.tile(np.frombuffer(pack_address("198.51.100.1"), np.uint8), (n, 1)),
        "src_port": np.arange(n, dtype=np.int32) + 1024,
        "dst_port": np.full(n, 80, np.int32),
        "protocol": np.full(n, 6, np.int16),
        "start_us": np.full(n, 1_499_432_400_000_000),
        "end_us": np.full(n, 1_499_432_401_000_000),
        "sensor": sensor,
        "interface": "eth0",
    }
    return FlowTable.from_features(table.features, table.feature_names, table.dialect, **identity)


def send(
    client: httpx.Client, content: FlowTable | bytes, seq: int, *, stream: str = STREAM, **query: Any
) -> httpx.Response:
    """Send a batch as a sensor does."""
    sensor = content.sensor if isinstance(content, FlowTable) else "edge-1"
    return client.post(
        FLOWS_PATH,
        params={"sensor": sensor, "stream": stream, "seq": seq} | query,
        content=encode_flows(content) if isinstance(content, FlowTable) else content,
        headers={"Content-Type": MEDIA_TYPE},
    )


def report(client: httpx.Client, **changes: Any) -> httpx.Response:
    """Send a report as a sensor does."""
    told = {
        "sensor": "edge-1",
        "stream": STREAM,
        "version": "1.0",
        "sent_us": 0,
        "interfaces": 1,
        "interfaces_down": 0,
        "kernel_drops": 0,
        "waiting_flows": 0,
        "spooled_bytes": 0,
        "oldest_seconds": 0.0,
        "dropped": {},
    }
    return client.post(REPORT_PATH, json=told | changes)


def _objects(file: Path) -> Iterator[dict[str, Any]]:
    """The lines of a log, but those that a kill, or a look while it is written, cut off."""
    for line in file.read_text().splitlines() if file.exists() else ():
        with suppress(ValueError):
            yield json.loads(line)


def logged(log_dir: Path) -> list[dict[str, Any]]:
    """All lines of the prediction logs."""
    return [line for name in (POSITIVE, INSUFFICIENT, NEGATIVE) for line in _objects(log_dir / name)]


def logged_uids(log_dir: Path) -> Counter[tuple[str, int]]:
    """How often each flow is in the prediction logs, by sensor and uid."""
    return Counter((line["sensor"], int(line["flow_uid"], 16)) for line in logged(log_dir))
