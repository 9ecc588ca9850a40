"""The metrics of captured flows that are scored elsewhere."""

from __future__ import annotations

from collections.abc import Iterator

from inference_server.central.status import CentralStatus


def central_samples(central: CentralStatus) -> Iterator[tuple[str, tuple[str, ...], float]]:
    """Yield name, labels and value of each metric."""
    yield "central_flows", (), central.handed_over
    yield "central_flows_delivered", (), central.delivered
    for reason, flows in (central.dropped | central.lost).items():
        yield "central_flows_dropped", (reason,), flows
    yield "central_flows_waiting", (), central.waiting + central.pending
    yield "central_oldest_seconds", (), central.oldest_seconds
    yield "central_spool_bytes", (), central.bytes
    yield "central_spool_limit_bytes", (), central.limit_bytes
    yield "central_sent_bytes", (), central.sent_bytes
    yield "central_failures", (), central.failures
    yield "central_back_pressure", (), central.back_pressure
    yield "thread_restarts", ("central",), central.restarts
    yield "thread_running", ("central-spool",), float(central.spool_running)
    yield "thread_running", ("central-sender",), float(central.sender_running)
