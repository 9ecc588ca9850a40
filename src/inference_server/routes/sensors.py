"""The routes that sensors send their flows to, and the one that tells how they are."""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import Response

from inference_server.bodies.flow_batch import ENCODING, MEDIA_TYPE
from inference_server.routes.api_models import Problem
from inference_server.sensors.marks import StreamId
from inference_server.sensors.messages import (
    FLOWS_PATH,
    REPORT_PATH,
    Answer,
    SensorName,
    SensorReport,
    StreamName,
)
from inference_server.sensors.sensors import Batch
from inference_server.sensors.status import SensorHealth, State
from inference_server.service import Service
from inference_server.telemetry.health import utc_text
from inference_server.web.api_keys import Role
from inference_server.web.auth import SECURITY
from inference_server.web.request_body import read_body
from inference_server.web.responses import OrjsonResponse

GUARDED: Final[dict[int | str, dict[str, Any]]] = {
    401: {"model": Problem, "description": "No accepted API key"},
    403: {"model": Problem, "description": "A key that does not allow this"},
}
HEARD: Final[dict[int | str, dict[str, Any]]] = GUARDED | {
    409: {"model": Problem, "description": "The name is taken, or too many sensors are known"},
}
TAKEN: Final[dict[int | str, dict[str, Any]]] = GUARDED | {
    409: {"model": Problem, "description": "The same, or the model cannot read these flows"},
    413: {"model": Problem, "description": "More than MAX_BODY_MB, or 10,000 flows"},
    422: {"model": Problem, "description": "No batch of flows; says why"},
    503: {"model": Problem, "description": "No model serves yet, or too much is under way (Retry-After)"},
}
BODY: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "description": f"the columns of this project's Parquet files as an Arrow IPC stream, in {ENCODING}",
        "content": {MEDIA_TYPE: {"schema": {"type": "string", "format": "binary"}}},
    }
}
Seq = Annotated[int, Query(ge=1, le=2**53, description="of the batch; higher from batch to batch")]
Age = Annotated[float, Query(ge=0, description="seconds that its oldest flow waited at the sensor")]
router = APIRouter(dependencies=SECURITY)


class Sensor(BaseModel):
    """How a sensor is."""

    sensor: str
    state: State = Field(
        description="`behind`: flows have been waiting there for 30 s; `silent`: no word for 60 s; `gone`: "
        "for a day"
    )
    address: str | None
    key: str | None = Field(description="name of the API key it brought")
    version: str | None
    last_seen: str | None
    silent_seconds: float
    batches: int = Field(description="taken, over all starts of this service")
    flows: int
    attacks: int = Field(description="since the start of this service")
    repeated: int = Field(description="batches it sent more than once since then; each was scored once")
    lag_seconds: float | None = Field(description="of the last batch, from its oldest flow to its verdicts")
    clock_offset_seconds: float | None = Field(description="how far its clock is ahead, the way included")
    streams: int = Field(description="more than 1: two sensors have one name, or one lost its STATE_DIR")
    interfaces: int | None
    interfaces_down: int | None
    kernel_drops: int | None
    waiting_flows: int | None = Field(description="that it still has to send")
    oldest_seconds: float | None = Field(description="how long the oldest of them has been waiting")
    spooled_bytes: int | None
    dropped: dict[str, int] = Field(description="flows it could not keep until they were taken, by reason")


@router.post(FLOWS_PATH, response_model=Answer, responses=TAKEN, openapi_extra=BODY, name="take_sensor_flows")
async def take_sensor_flows(
    request: Request,
    sensor: Annotated[SensorName, Query()],
    stream: Annotated[StreamName, Query()],
    seq: Seq,
    age_seconds: Age = 0.0,
) -> Response:
    """Score, log and alert of a sensor's captured flows as if they were captured here, each batch once."""
    service, caller = _allowed(request, Role.PREDICT)
    body = await read_body(request, service.settings.max_body_bytes)
    batch = Batch(StreamId(sensor, stream), seq, age_seconds, body.content)
    taken = await service.sensors.take(batch, address=_address(request), caller=caller)
    return _answer(service, taken)


@router.post(REPORT_PATH, response_model=Answer, responses=HEARD, name="hear_sensor_report")
async def hear_sensor_report(request: Request, report: SensorReport) -> Response:
    """Hear how a sensor is."""
    service, caller = _allowed(request, Role.PREDICT)
    await service.sensors.hear(report, address=_address(request), caller=caller)
    return _answer(service, False)


@router.get("/api/sensors", response_model=list[Sensor], responses=GUARDED, name="list_sensors")
async def list_sensors(request: Request) -> Response:
    """Tell how every sensor is that sends its flows here."""
    service, _ = _allowed(request, Role.READ)
    return OrjsonResponse([_sensor(each) for each in service.sensors.status().sensors])


def _sensor(health: SensorHealth) -> dict[str, Any]:
    report = health.report
    told = report.model_dump() if report else {}
    return {
        "sensor": health.sensor,
        "state": health.state,
        "address": health.address,
        "key": health.caller,
        "last_seen": utc_text(health.last_seen),
        "silent_seconds": health.silent_seconds,
        "batches": health.batches,
        "flows": health.flows,
        "attacks": health.attacks,
        "repeated": health.repeated,
        "lag_seconds": health.lag_seconds,
        "clock_offset_seconds": health.clock_offset_seconds,
        "streams": health.streams,
        "dropped": told.get("dropped", {}),
        **{name: told.get(name) for name in TOLD},
    }


TOLD: Final = (
    "version",
    "interfaces",
    "interfaces_down",
    "kernel_drops",
    "waiting_flows",
    "oldest_seconds",
    "spooled_bytes",
)


def _answer(service: Service, taken: bool) -> Response:
    return OrjsonResponse({"taken": taken, "host_context": service.sensors.reads_context()})


def _allowed(request: Request, role: Role) -> tuple[Service, str | None]:
    service: Service = request.app.state.service
    return service, service.keys.require(request, role)


def _address(request: Request) -> str | None:
    return request.client.host if request.client else None
