"""The settings of what requests may bring beside single flows: captures and streams of them."""

from __future__ import annotations

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings

from detection.model_uri import parse_model_uri


class RequestSettings(BaseSettings):
    """A part of `Settings`."""

    kdd_model_name: str | None = Field(
        None,
        description="the model, such as `models:/kdd99@champion`, that judges what KDD99 clients send to "
        "`POST /predict`; unset: they get 503",
    )
    upload_max_mb: int = Field(
        1024, ge=1, description="megabytes of one capture that `POST /api/captures` takes, at least 1"
    )
    upload_max_ratio: float = Field(
        250.0,
        ge=1,
        description="bytes that a byte of a compressed capture may give once it gave 67 MB, at least 1",
    )
    upload_max_seconds: float = Field(
        900.0,
        gt=0,
        description="seconds that receiving an uploaded capture may take, and as many that analysing it may, "
        "more than 0",
    )
    uploads_waiting: int = Field(
        8,
        ge=1,
        description="uploaded captures that may be received or wait at once, at least 1; one is analysed at "
        "a time",
    )
    uploads_disk_mb: int = Field(
        4096,
        ge=1,
        description="megabytes of uploaded captures and their verdicts in `<STATE_DIR>/uploads`, at least 1; "
        "the oldest finished ones are deleted",
    )
    streams_at_once: int = Field(
        4,
        ge=0,
        description="captures that `POST /api/stream` reads at once, at least 0; each takes up to 60 MB",
    )

    @field_validator("kdd_model_name")
    @classmethod
    def _names_a_kdd_model(cls, value: str | None) -> str | None:
        return value and str(parse_model_uri(value))
