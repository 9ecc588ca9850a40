"""The settings of who is served, where, and how much of it at once."""

from __future__ import annotations

import ipaddress
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import AliasChoices, Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode

from inference_server.web.api_keys import parse_api_keys

Secrets = Annotated[tuple[SecretStr, ...], NoDecode]
MEGABYTE = 1_000_000
SECOND_NAMES = ("ml_ids_api_keys",)


class ServingSettings(BaseSettings):
    """A part of `Settings`."""

    host: str = Field(
        "127.0.0.1",
        description="address to listen on; anything but loopback needs API_KEYS or ALLOW_UNAUTHENTICATED",
    )
    port: int = Field(8000, ge=0, le=65535, description="TCP port to listen on, 0 to 65535 (0: any free one)")
    api_keys: Secrets = Field(
        (),
        validation_alias=AliasChoices("api_keys", *SECOND_NAMES),
        description="comma list of keys, one of which a request must bring, each as `name:role:key` with "
        "role `read`, `predict` or `admin`, or as the key alone, which is then named by its place (`key-1`) "
        "and has role `predict`; also read from ML_IDS_API_KEYS; unset: none is asked for",
    )
    allow_unauthenticated: bool = Field(
        False, description="true or false; true serves other machines without API_KEYS"
    )
    metrics_public: bool = Field(
        True,
        description="true or false; false asks `GET /metrics` for a key of role `read`, when keys are set",
    )
    tls_cert_file: Path | None = Field(
        None,
        description="PEM file of the server's certificate and those it hangs on; `ml-ids serve` answers "
        "HTTPS with it, and nothing else; unset: HTTP",
    )
    tls_key_file: Path | None = Field(
        None, description="PEM file of the certificate's key; unset: it is in TLS_CERT_FILE"
    )
    tls_key_password: SecretStr | None = Field(None, description="what that key is encrypted with, if it is")
    requests_per_minute: int = Field(
        0,
        ge=0,
        description="requests a minute of one caller, by key or else by address, that are answered: more get "
        "429; those of `/`, `/health`, `/ready`, `/ping`, `/docs` do not count; at least 0; 0: any number",
    )
    max_concurrent_requests: int = Field(
        256,
        ge=1,
        description="requests that are answered at once, at least 1: more get 503, but `/health`, `/ready`, "
        "`/ping` and `/metrics` always answer; WebSockets do not count",
    )
    max_body_mb: float = Field(
        10.0, gt=0, le=1000, description="megabytes of flows in one request, more than 0, at most 1000"
    )
    access_log: bool = Field(
        True, description="true or false; false writes no `<LOG_DIR>/access.log`, a line a request"
    )

    @field_validator("api_keys", mode="before")
    @classmethod
    def _split_keys(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        return tuple(part for part in (item.strip() for item in value.split(",")) if part)

    @field_validator("api_keys")
    @classmethod
    def _are_keys(cls, value: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
        parse_api_keys(value)
        return value

    @field_validator("tls_cert_file", "tls_key_file")
    @classmethod
    def _absolute_file(cls, value: Path | None) -> Path | None:
        return value and value.expanduser().resolve()

    @model_validator(mode="after")
    def _guard_open_bind(self) -> Self:
        if not (is_loopback(self.host) or self.api_keys or self.allow_unauthenticated):
            raise ValueError(
                f"HOST={self.host} serves other machines without a key: set API_KEYS, or "
                "ALLOW_UNAUTHENTICATED=true if that is meant"
            )
        return self

    @model_validator(mode="after")
    def _has_a_certificate(self) -> Self:
        if self.tls_key_file and not self.tls_cert_file:
            raise ValueError("TLS_KEY_FILE is set without TLS_CERT_FILE: set both, or neither")
        return self

    @property
    def max_body_bytes(self) -> int:
        """MAX_BODY_MB in bytes."""
        return int(self.max_body_mb * MEGABYTE)


@lru_cache(maxsize=64)
def is_loopback(host: str) -> bool:
    """Return whether only this machine can reach an address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
