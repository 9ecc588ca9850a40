"""What sensors and the central service say to each other besides flows."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import BaseModel, Field

FLOWS_PATH: Final = "/api/sensors/flows"
REPORT_PATH: Final = "/api/sensors/report"

SensorName = Annotated[
    str,
    Field(min_length=1, max_length=255, pattern=r"^[^\x00-\x1f\x7f]+$", description="the sensor's SENSOR_ID"),
]
StreamName = Annotated[
    str, Field(pattern=r"^[0-9a-f]{32}$", description="of the sensor's spool, whose batches it numbers")
]
Count = Annotated[int, Field(ge=0, le=2**53)]


class SensorReport(BaseModel):
    """How a sensor is, in its own words."""

    sensor: SensorName
    stream: StreamName
    version: str = Field(max_length=64)
    sent_us: Count = Field(description="when, by the sensor's clock, UTC microseconds")
    interfaces: Count = Field(description="that it captures on")
    interfaces_down: Count = Field(description="of these, those it cannot")
    kernel_drops: Count = Field(description="packets that the kernel dropped since its start")
    waiting_flows: Count = Field(description="flows it still has to send")
    spooled_bytes: Count = Field(description="what they take on its disk")
    oldest_seconds: float = Field(ge=0, description="how long the oldest of them has been waiting")
    dropped: dict[str, Count] = Field(
        max_length=16, description="flows it could not keep until they were taken, by reason"
    )


class Answer(BaseModel):
    """What the central service says to a batch, or to a report."""

    taken: bool = Field(description="false: it was taken before; or a report, which has no flows")
    host_context: bool = Field(description="the model reads what a host did lately: measure it")
