"""The settings of alerts: what makes one, how long it is kept, and for whom."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, field_validator
from pydantic_settings import BaseSettings, NoDecode

from detection.model_uri import parse_model_uri
from flows.addresses import Network, parse_network

Networks = Annotated[tuple[Annotated[Network, BeforeValidator(parse_network)], ...], NoDecode]


class AlertSettings(BaseSettings):
    """A part of `Settings`."""

    publish_mode: Literal["alert", "flow"] = Field(
        "alert",
        description="`alert` makes one alert of what a source does in ALERT_WINDOW_SECONDS, a class; `flow` "
        "one of every captured attack flow; those of requests are always alerts of their own",
    )
    alert_window_seconds: float = Field(
        300.0, ge=1, le=86_400, description="seconds until an alert is closed with its count, 1 to 86400"
    )
    alert_rules: Path | None = Field(
        None,
        description="YAML file of rules that suppress alerts, see [alerts.md](alerts.md); read again when it "
        "changes; unset: every attack raises an alert",
    )
    novelty_model_name: str | None = Field(
        None,
        description="the detector, such as `models:/ml-ids-novelty@champion`, that has a second look at "
        "captured flows called benign, see [alerts.md](alerts.md); unset: there is none",
    )
    novelty_alerts_per_hour: int = Field(
        10, ge=1, description="alerts of novelty opened an hour, at least 1; further ones are counted"
    )
    evidence_disk_mb: int = Field(
        512,
        ge=0,
        description="megabytes in LOG_DIR/evidence, where the first packets of alerts are kept; the oldest "
        "are deleted; 0: none are written",
    )
    outbox_max_mb: int = Field(
        512,
        ge=1,
        description="megabytes of messages in `<STATE_DIR>/outbox.db`, at least 1; when full, the oldest "
        "that are delivered go first, then the oldest of all",
    )
    outbox_dead_after_hours: float = Field(
        72.0,
        gt=0,
        description="hours the service tries to deliver a message, more than 0; it is dead then, until "
        "`ml-ids outbox retry`",
    )
    outbox_keep_hours: float = Field(
        24.0, ge=0, description="hours that delivered messages stay in the outbox, at least 0"
    )
    alerts_max_mb: int = Field(
        512,
        ge=1,
        description="megabytes of alerts, with their flows, in `<STATE_DIR>/alerts.db`, at least 1; when "
        "full, the oldest are deleted, labels last of all",
    )
    own_networks: Networks = Field(
        tuple(map(parse_network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"))),
        description="comma list of networks that `GET /api/blocklist` never names; what ALERT_RULES names as "
        "a source, loopback, link-local and multicast addresses are never named either",
    )

    @field_validator("novelty_model_name")
    @classmethod
    def _names_a_detector(cls, value: str | None) -> str | None:
        return value and str(parse_model_uri(value))

    @field_validator("own_networks", mode="before")
    @classmethod
    def _split_networks(cls, value: Any) -> Any:
        return [part for part in value.split(",") if part.strip()] if isinstance(value, str) else value
