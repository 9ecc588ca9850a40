"""The metrics of sensors that send their flows here."""

from __future__ import annotations

from collections.abc import Iterator

from inference_server.sensors.status import SILENT_SECONDS, SensorsStatus

Sample = tuple[str, tuple[str, ...], float]


def sensor_samples(status: SensorsStatus) -> Iterator[Sample]:
    """Yield the samples of every sensor."""
    for reason, batches in status.refused.items():
        yield "sensor_batches_refused", (reason,), batches
    yield "sensor_flows_skipped", (), status.skipped
    for each in status.sensors:
        sensor = (each.sensor,)
        yield "sensor_up", sensor, float(each.silent_seconds <= SILENT_SECONDS)
        yield "sensor_flows", sensor, each.flows
        yield "sensor_batches_repeated", sensor, each.repeated
        if each.lag_seconds is not None:
            yield "sensor_lag_seconds", sensor, each.lag_seconds
        if each.clock_offset_seconds is not None:
            yield "sensor_clock_offset_seconds", sensor, each.clock_offset_seconds
        if each.report:
            yield "sensor_flows_dropped", sensor, each.dropped
            yield "sensor_waiting_flows", sensor, each.report.waiting_flows
