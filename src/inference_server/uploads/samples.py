"""The metrics of captures that are sent, whole or without end."""

from __future__ import annotations

from collections.abc import Iterable

from inference_server.streams.status import StreamsStatus
from inference_server.uploads.status import UploadsStatus


def upload_samples(
    uploads: UploadsStatus, streams: StreamsStatus
) -> Iterable[tuple[str, tuple[str, ...], float]]:
    """Yield name, labels and value of each metric."""
    for state in ("received", "done", "failed", "deleted"):
        yield "uploads", (state,), getattr(uploads, state)
    yield "upload_flows", ("attack",), uploads.attacks
    yield "upload_flows", ("other",), uploads.flows - uploads.attacks
    yield "uploads_active", (), uploads.active
    yield "thread_running", ("uploads",), float(uploads.running)
    yield "streams", (), streams.opened
    yield "stream_packets", (), streams.packets
    yield "stream_flows", ("attack",), streams.attacks
    yield "stream_flows", ("other",), streams.flows - streams.attacks
    yield "streams_active", (), streams.active
