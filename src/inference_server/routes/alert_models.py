"""The bodies of the alert routes as the OpenAPI document describes them."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Severity = Literal[1, 2, 3]


class Feedback(BaseModel):
    """What somebody said that an alert's flow really was."""

    verdict: Literal["true_positive", "false_positive"]
    label: str = Field(description="class, Benign of a false positive")
    note: str | None
    who: str | None = Field(description="name of the API key")
    at: str


class Alert(BaseModel):
    """An alert in short; its flow is the latest one."""

    id: str
    seq: int = Field(description="number of its last change")
    time: str = Field(description="of its last message, UTC")
    opened: str
    state: Literal["open", "closed"]
    revision: int
    count: int = Field(description="flows it counts")
    prediction: int = Field(description="class code")
    label: str
    family: str
    technique: str | None = Field(description="of MITRE ATT&CK")
    severity: Severity = Field(description="1 high, 2 medium, 3 low")
    p_attack_max: float
    src_ip: str | None
    src_port: int | None
    dst_ip: str | None
    dst_port: int | None
    proto: str | None
    sensor: str
    source: str = Field(description="sidecar: captured live; api: of a request; demo")
    model_version: str
    acknowledged: bool
    acknowledged_by: str | None
    acknowledged_at: str | None
    feedback: Feedback | None


class Alerts(BaseModel):
    """A page of alerts, the newest first."""

    alerts: list[Alert]
    cursor: str | None = Field(description="for the next page, null at the end")


class AlertInFull(Alert):
    """An alert with all that is known of it."""

    eve: dict[str, Any] = Field(description="its latest message, the object of docs/alert.schema.json")
    evidence: str | None = Field(description="path of the capture of its first packets")


class Label(BaseModel):
    """What an alert's flow really was."""

    model_config = ConfigDict(extra="forbid")

    verdict: Literal["true_positive", "false_positive"]
    label: str | None = Field(
        None,
        max_length=100,
        description="class of a true positive, in any data set's spelling; null: the alert's",
    )
    note: str | None = Field(None, max_length=2000)


class Counted(BaseModel):
    """How many alerts there are."""

    alerts: int
    flows: int = Field(description="that they count")
    by_label: dict[str, int]
    by_severity: dict[str, int]


class Bucket(Counted):
    """Alerts opened in a part of the time."""

    start: str


class Statistics(BaseModel):
    """Alerts over time, by when they were opened."""

    since: str
    until: str
    bucket_seconds: float
    total: Counted
    buckets: list[Bucket]


class TopAddress(BaseModel):
    """An address that alerts are about."""

    address: str
    alerts: int
    flows: int
    severity: Severity = Field(description="the worst")
    labels: list[str]
    last: str


class Top(BaseModel):
    """The addresses that most alerts are about."""

    sources: list[TopAddress]
    targets: list[TopAddress]
