"""The settings of a sensor whose flows are scored elsewhere."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Self
from urllib.parse import SplitResult, urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings

from inference_server.configuration.serving_settings import is_loopback


class CentralSettings(BaseSettings):
    """A part of `Settings`."""

    remote_scoring_url: str | None = Field(
        None,
        description="URL of a central service, `https://HOST:PORT`, that captured flows are sent to and "
        "scored by; no model is loaded here then; unset: they are scored here",
    )
    remote_scoring_key: SecretStr | None = Field(
        None, description="API key of role `predict` that the central service knows; unset: none is sent"
    )
    remote_scoring_ca_file: Path | None = Field(
        None,
        description="PEM file of the authority that signed its certificate; unset: those the system trusts",
    )
    remote_scoring_plain_http: bool = Field(
        False,
        description="true or false; true lets REMOTE_SCORING_URL begin with http:// for another machine: "
        "flows and key can be read on the way",
    )
    remote_spool_mb: int = Field(
        1024,
        ge=10,
        description="megabytes of flows in `<STATE_DIR>/spool.db` that wait to be sent, the oldest dropped, "
        "at least 10",
    )

    @field_validator("remote_scoring_ca_file")
    @classmethod
    def _has_certificates(cls, value: Path | None) -> Path | None:
        if value is None:
            return None
        path = value.expanduser().resolve()
        try:
            ssl.create_default_context(cafile=path)
        except OSError as error:
            raise ValueError(f"no PEM file of certificates: {error.strerror or error}") from None
        return path

    @model_validator(mode="after")
    def _is_private(self) -> Self:
        if self.remote_scoring_url is None:
            return self
        parts = urlsplit(self.remote_scoring_url)
        if not _names_a_service(parts):
            raise ValueError(
                "REMOTE_SCORING_URL: no URL such as https://central.example.org:8000; a key goes into "
                "REMOTE_SCORING_KEY"
            )
        if parts.scheme == "http" and not (is_loopback(parts.hostname) or self.remote_scoring_plain_http):
            raise ValueError(
                f"REMOTE_SCORING_URL={self.remote_scoring_url} would send flows and key in the clear: use "
                "https://, or set REMOTE_SCORING_PLAIN_HTTP=true if that is meant"
            )
        return self


def _names_a_service(parts: SplitResult) -> bool:
    try:
        parts.port  # noqa: B018 - raises when it is none
    except ValueError:
        return False
    extra = parts.username or parts.query or parts.fragment
    return parts.scheme in ("http", "https") and bool(parts.hostname) and not extra
