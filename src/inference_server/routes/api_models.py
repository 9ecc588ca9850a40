"""The bodies of the API as the OpenAPI document describes them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from flows.schema import COMMON
from inference_server.bodies.arrow import ARROW
from inference_server.bodies.envelopes import INPUTS, INSTANCES, RECORDS, SPLIT
from inference_server.web.request_body import CSV, MAX_FLOWS, PANDAS_SPLIT


class Message(BaseModel):
    """The answer of `GET /`."""

    message: str


class Problem(BaseModel):
    """Every answer that is not 200."""

    detail: str
    missing: list[str] = Field([], description="canonical names of features that the body lacks")
    not_numeric: list[str] = Field([], description="keys of the body whose value is no number")
    conflicting: list[Annotated[list[str], Field(min_length=2, max_length=2)]] = Field(
        [], description="pairs of keys of the body that are one feature with two values"
    )


class SplitProblem(BaseModel):
    """Every answer of `POST /api/predictions` that is not 200; with a Problem's further lists."""

    error: str


class Model(BaseModel):
    """A version of a registered model."""

    name: str
    version: str


class Predictions(BaseModel):
    """The answer of `POST /predict`; every list has one entry a flow, in the order sent."""

    prediction: list[int] = Field(description="class codes, 0 is benign")
    label: list[str] = Field(description="class names, `benign` or `insufficient`")
    probability: list[float | None] = Field(
        description="1 - P(benign), which `threshold` is about; null when insufficient"
    )
    threshold: float = Field(description="a flow is called an attack from this probability on")
    model: Model
    verdicts: list[dict[str, Any]] = Field(description="the objects of docs/verdict.schema.json")
    warnings: list[str] = Field(description="what the sender should know about what was sent")


class ConnectionPrediction(BaseModel):
    """The answer of `POST /predict` to a KDD99 client."""

    prediction: str = Field(description="normal, dos, probe, r2l or u2r")
    confidence: float = Field(description="the probability of that")
    status: Literal["success"]


class ConnectionProblem(BaseModel):
    """Every answer to a KDD99 client that is not 200."""

    error: str
    status: Literal["failed"]


class Detail(BaseModel):
    """What is said of one flow beside its number."""

    label: str = Field(description="class name, `benign` or `insufficient`")
    probability: float | None = Field(
        description="1 - P(benign), which `threshold` is about; null when insufficient"
    )
    explanation: dict[str, Any] | None = Field(
        description="as in docs/verdict.schema.json; null when insufficient, or not explained"
    )


class DetailedPredictions(BaseModel):
    """The answer of `POST /api/predictions?detail=true`; lists have one entry a flow, in the order sent."""

    predictions: list[float] = Field(description="1.0 for an attack, 0.0 for every other flow")
    details: list[Detail]
    threshold: float = Field(description="a flow is called an attack from this probability on")
    model: Model
    warnings: list[str] = Field(description="what the sender should know about what was sent")


class Invocations(BaseModel):
    """The answer of `POST /invocations`, that of MLflow's scoring protocol."""

    predictions: list[int] = Field(description="class codes, 0 is benign, one a flow in the order sent")


class Health(BaseModel):
    """The answer of `GET /health`."""

    status: Literal["healthy", "degraded", "drift"] = Field(
        description="`drift`: nothing is wrong but that the traffic is unlike the model's training flows"
    )
    reasons: list[str] = Field(description="why the status is not healthy")
    model_initialized: bool
    model: dict[str, Any] | None = Field(
        description="name, version, dialect, features, the threshold in force and the record's; source: "
        "`registry`, or `cache` as long as the registry has not confirmed it; checked_at: the last look at "
        "the registry without a failure"
    )
    drift: dict[str, Any] | None = Field(
        description="whether the last hour's captured flows drift, how many they are, and the features whose "
        "population stability index is above 0.25"
    )
    challenger: dict[str, Any] | None = Field(
        description="name, version and dialect of the model of the alias `challenger`; under `compared` the "
        "flows it scored in shadow and its disagreements with the model that serves"
    )
    kdd_model: dict[str, Any] | None = Field(
        description="with KDD_MODEL_NAME, name and version of the model that answers KDD99 clients, or why "
        "none does"
    )
    novelty: dict[str, Any] | None = Field(
        description="with NOVELTY_MODEL_NAME, the detector that has a second look at flows called benign, or "
        "why none does; flows looked at, novel, skipped and waiting"
    )
    capture: dict[str, Any] = Field(description="state and counters of each interface")
    scoring: dict[str, Any] = Field(description="the scoring thread")
    sink: dict[str, Any] = Field(description="the thread that writes the logs, verdicts and log lines")
    archive: dict[str, Any] = Field(description="the thread that archives captured flows, and its files")
    alerts: dict[str, Any] = Field(
        description="attack verdicts taken, aggregated and suppressed by rule; alerts opened, closed and "
        "open; the outbox, and what each transport delivered"
    )
    stores: list[dict[str, Any]] = Field(
        description="what is on disk: files, bytes, their limit, and files deleted because of their age"
    )
    benign: list[dict[str, Any]] = Field(
        description="with PUBLISH_BENIGN, one a queue: benign flows offered, published, dropped and waiting"
    )
    events: dict[str, Any] = Field(
        description="what is the case with the sensor itself, and the messages told of it"
    )
    uploads: dict[str, Any] = Field(description="captures that were sent, and what their analyses found")
    http: dict[str, Any] = Field(
        description="requests being answered and how many may be, open WebSockets, answers by status"
    )
    streams: dict[str, Any] = Field(description="captures that are sent without end")
    sensors: dict[str, Any] = Field(description="how many other sensors send their flows here")
    central: dict[str, Any] | None = Field(
        description="with REMOTE_SCORING_URL, what became of captured flows on the way there"
    )
    resident_bytes: int = Field(
        description="resident set of the process, with each interface's ring_bytes and the used part of its "
        "table_bytes"
    )


class Ready(BaseModel):
    """The answer of `GET /ready`."""

    ready: bool
    missing: list[str] = Field(description="what keeps the service from its job")


def flows_request_body() -> dict[str, Any]:
    """Return the OpenAPI description of a body of flows."""
    flows = {"type": "array", "items": {"type": "object"}, "minItems": 1, "maxItems": MAX_FLOWS}
    bodies = [_flow_schema(), {"title": "flows"} | flows, *_envelope_schemas(flows)]
    return {
        "required": True,
        "content": {
            "application/json": {"schema": {"anyOf": bodies}},
            CSV: {"schema": {"type": "string", "description": "a line of titles, then one a flow"}},
            ARROW: {
                "schema": {
                    "type": "string",
                    "format": "binary",
                    "description": "an Arrow IPC stream: a column a feature, null is NaN; not compressed",
                }
            },
        },
    }


def _flow_schema() -> dict[str, Any]:
    return {
        "type": "object",
        "title": "flow",
        "description": "one flow: all features the model reads, in any data set's spelling (shown is the "
        "canonical one), of which host context is NaN where it is left out; the five-tuple, timestamp, flow "
        "id and label are kept in the log, other keys are ignored and warned of",
        "properties": {
            feature.name: {"type": "number", "description": f"{feature.unit}: {feature.formula}"}
            for feature in COMMON
        },
        "additionalProperties": True,
    }


def split_request_body() -> dict[str, Any]:
    """Return the OpenAPI description of a body of columns and data."""
    return {"required": True, "content": {PANDAS_SPLIT: {"schema": _split_schema()}}}


def _split_schema() -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {
            "columns": {"type": "array", "items": {"type": "string"}, "minItems": 1},
            "data": {
                "type": "array",
                "items": {"type": "array", "minItems": 1},
                "minItems": 1,
                "maxItems": MAX_FLOWS,
            },
            "index": {"description": "ignored"},
        },
        "required": ["columns", "data"],
        "additionalProperties": False,
    }


def _envelope_schemas(flows: dict[str, Any]) -> list[dict[str, Any]]:
    columns = {"type": "object", "additionalProperties": {"type": "array"}}
    either = {"oneOf": [flows, columns]}
    contents = {SPLIT: _split_schema(), RECORDS: flows, INSTANCES: either, INPUTS: either}
    return [
        {
            "type": "object",
            "title": name,
            "description": "as in MLflow's scoring protocol; null is NaN",
            "properties": {name: content, "params": {"description": "ignored"}},
            "required": [name],
            "additionalProperties": False,
        }
        for name, content in contents.items()
    ]
