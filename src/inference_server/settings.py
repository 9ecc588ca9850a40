"""The service's settings: environment variables and `.env`, under the predecessors' names."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Annotated, Any, Literal, Self, get_args

from dotenv import dotenv_values
from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict

from capture.options import LIVE_FLOWS
from capture.rules import EARLY_SECONDS, UNANSWERED_SECONDS, LiveRules
from detection.mlflow_client import embedded_uri
from detection.model_uri import parse_model_uri
from inference_server.configuration.alert_settings import AlertSettings
from inference_server.configuration.central_settings import CentralSettings
from inference_server.configuration.promotion_settings import PromotionSettings
from inference_server.configuration.remote_model_settings import RemoteModelSettings
from inference_server.configuration.request_settings import RequestSettings
from inference_server.configuration.secret_files import SecretFiles, from_files, variables_with
from inference_server.configuration.serving_settings import SECOND_NAMES, ServingSettings

Names = Annotated[tuple[str, ...], NoDecode]
Ages = Annotated[tuple[float, ...], NoDecode]
ENV_FILE = Path(".env")
LIBRARY_PREFIXES = ("AWS_", "MLFLOW_")
LIBRARY_SECRETS = (
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "MLFLOW_TRACKING_USERNAME",
    "MLFLOW_TRACKING_PASSWORD",
    "MLFLOW_TRACKING_TOKEN",
)


class Settings(
    ServingSettings, RequestSettings, CentralSettings, AlertSettings, RemoteModelSettings, PromotionSettings
):
    """Each field is the environment variable of its name in capitals; an empty value means unset."""

    model_config = SettingsConfigDict(
        env_file=ENV_FILE, extra="ignore", env_ignore_empty=True, frozen=True, allow_inf_nan=False
    )

    dashboard: bool = Field(True, description="true or false; false takes the pages at `/dashboard` away")
    log_dir: Path = Field(Path("var/logs"), description="directory of the prediction and application logs")
    state_dir: Path = Field(Path("var"), description="directory of the embedded registry and other state")
    log_max_mb: int = Field(
        1000,
        ge=10,
        description="megabytes of each log and of alerts.json, in ten files, the oldest of which is deleted, "
        "at least 10",
    )
    keep_days: float = Field(
        90.0,
        ge=1,
        le=36_500,
        description="days that logs, alerts, evidence and archived flows stay on disk, within their limits, "
        "1 to 36500",
    )
    log_negative_predictions: bool = Field(
        False, description="true or false; true also writes benign flows to negative_predictions.log"
    )
    mlflow_tracking_uri: str | None = Field(
        None, description="MLflow registry; unset: `sqlite:///<STATE_DIR>/mlflow.db`"
    )
    mlflow_model_name: str = Field(
        "models:/ml-ids@champion",
        description="the model to serve: `models:/NAME@ALIAS`, `models:/NAME/VERSION`, `/latest` or `/STAGE`",
    )
    model_poll_seconds: float = Field(
        30.0,
        ge=1,
        le=86_400,
        description="seconds between two looks at the registry for another version of the model, 1 to 86400",
    )
    register_starter: bool = Field(
        False, description="true or false; true registers the starter model in a registry of your own as well"
    )
    allow_pickle_models: bool = Field(
        False,
        description="true or false; true also serves models that were never compiled by `ml-ids models "
        "import`: loading one runs the code in its file, so trust everyone who may write to the registry",
    )
    start_cicflowmeter: bool = Field(True, description="`false` turns live capture off; anything else is on")
    capture_extractor: Literal["ml-ids", "cicflowmeter"] = Field(
        "ml-ids",
        description="what live capture measures with: `ml-ids`, the own meter, or `cicflowmeter`, that of "
        "PyPI, installed by `ml-ids setup-extractor`; its flows are scored although it measures differently",
    )
    cic_interface: Names = Field(
        (), description="comma list of interfaces to capture on; unset: that of the default route"
    )
    capture_filter: str = Field(
        "",
        description="capture only what this expression of pcap-filter(7) matches, such as "
        "`not host 10.0.0.5`; needs libpcap; unset: everything",
    )
    capture_own_traffic: bool = Field(
        False,
        description="true or false; false leaves out PORT on the loopback interface, and TCP between this "
        "host and the addresses and ports of MLFLOW_TRACKING_URI, MLFLOW_S3_ENDPOINT_URL, "
        "AWS_ENDPOINT_URL (also _S3, _SNS, _SQS), AWS_SAGEMAKER_HOST, MODEL_URI, SQS_QUEUE_URL, WEBHOOK_URL, "
        "SMTP_HOST, SYSLOG_ADDRESS and REMOTE_SCORING_URL; "
        "requests to the API from other machines are captured",
    )
    capture_promiscuous: bool = Field(
        True, description="true or false; true also captures frames that are addressed to other machines"
    )
    capture_snaplen: int = Field(
        262_144,
        ge=96,
        le=262_144,
        description="bytes of each packet kept as evidence, 96 to 262144; flows are always measured on whole "
        "packets, whose lengths are features",
    )
    capture_max_flows: int = Field(
        LIVE_FLOWS,
        ge=1024,
        description="flows kept at once on an interface, 640 bytes each, at least 1024; when full, long "
        "silent ones end early",
    )
    detection_threshold: float | None = Field(
        None,
        gt=0,
        le=1,
        description="a flow is called an attack from this 1 - P(benign) on, above 0, at most 1; unset: what "
        "`ml-ids calibrate --apply` found for this version of the model, else the model's own",
    )
    flow_archive_gb: float = Field(
        1.0,
        ge=0,
        description="gigabytes of scored captured flows kept as hourly Parquet in `<STATE_DIR>/flows`, the "
        "oldest deleted, at least 0; 0: none are kept, and nothing is deleted",
    )
    data_cache_gb: float = Field(
        20.0,
        gt=0,
        description="gigabytes of downloaded training data kept in `<STATE_DIR>/data`, more than 0; what "
        "was not used for the longest time is deleted",
    )
    evidence_mb: int = Field(
        32,
        ge=0,
        description="megabytes of memory for the most recent packets, of all interfaces together; 0: none",
    )
    capture_silence_seconds: float = Field(
        300.0, gt=0, description="seconds without a packet after which `/health` says degraded, more than 0"
    )
    capture_idle_seconds: float = Field(
        60.0,
        gt=0,
        le=120,
        description="seconds without a packet after which a live flow ends, more than 0, at most 120",
    )
    capture_early_seconds: Ages = Field(
        EARLY_SECONDS,
        description="comma list of up to 4 ages in seconds, ascending, at which an open live flow is scored "
        "provisionally, if packets came since the last time; empty: none",
    )
    capture_unanswered_seconds: float = Field(
        UNANSWERED_SECONDS,
        ge=0,
        lt=120,
        description="age in seconds at which an open live flow that was not answered is scored "
        "provisionally, at least 0, below 120; 0: none",
    )
    close_linger: float = Field(
        2.0,
        gt=0,
        le=120,
        description="seconds a closed live TCP flow waits for late packets, more than 0, at most 120",
    )
    sensor_id: str = Field(
        default_factory=socket.gethostname,
        description="this sensor's name in every verdict; unset: host name",
    )
    demo: bool | None = Field(
        None,
        description="`1` replays the demo capture at every start, `0` never; unset: once; "
        "never where ML_IDS_CONTAINER is set",
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Read secrets from the files of NAME_FILE, too; pydantic-settings calls this."""
        files = SecretFiles(settings_cls, [*secret_fields(), *SECOND_NAMES])
        return init_settings, env_settings, files, dotenv_settings

    @field_validator("cic_interface", "capture_early_seconds", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        return tuple(part for part in (item.strip() for item in value.split(",")) if part)

    @field_validator("start_cicflowmeter", mode="before")
    @classmethod
    def _only_false_disables(cls, value: Any) -> bool:
        return str(value).strip().lower() != "false"

    @field_validator("capture_early_seconds")
    @classmethod
    def _are_ages(cls, value: tuple[float, ...]) -> tuple[float, ...]:
        return LiveRules(early_seconds=value).early_seconds

    @field_validator("mlflow_model_name")
    @classmethod
    def _names_a_model(cls, value: str) -> str:
        return str(parse_model_uri(value))

    @field_validator("sensor_id")
    @classmethod
    def _is_not_the_demo(cls, value: str) -> str:
        if value == "demo":
            raise ValueError("demo marks the flows of the demo capture")
        return value

    @field_validator("log_dir", "state_dir", "alert_rules")
    @classmethod
    def _absolute(cls, value: Path | None) -> Path | None:
        return value and value.expanduser().resolve()

    @model_validator(mode="after")
    def _are_scored_in_one_place(self) -> Self:
        if self.remote_scoring_url and self.remote_model_url:
            raise ValueError(
                f"REMOTE_SCORING_URL and {self.remote_model_setting} are set: flows are scored in one place; "
                "unset one of them"
            )
        return self

    @property
    def tools_dir(self) -> Path:
        """Where programs that are not part of the project are installed."""
        return self.state_dir / "tools"

    @property
    def threshold_file(self) -> Path:
        """Where an applied operating threshold is."""
        return self.state_dir / "threshold.json"

    @property
    def flows_dir(self) -> Path:
        """Where scored flows are archived."""
        return self.state_dir / "flows"

    @property
    def data_dir(self) -> Path:
        """Where downloaded training data are."""
        return self.state_dir / "data"

    @property
    def uploads_dir(self) -> Path:
        """Where uploaded captures and their verdicts are."""
        return self.state_dir / "uploads"

    @property
    def outbox_file(self) -> Path:
        """Where messages are until they are delivered."""
        return self.state_dir / "outbox.db"

    @property
    def alerts_file(self) -> Path:
        """Where alerts are for people to look at."""
        return self.state_dir / "alerts.db"

    @property
    def spool_file(self) -> Path:
        """Where flows are until a central service took them."""
        return self.state_dir / "spool.db"

    @property
    def sensors_file(self) -> Path:
        """Which batches of which sensors were taken."""
        return self.state_dir / "sensors.db"

    @property
    def tracking_uri(self) -> str:
        """The registry's address; the embedded one's when none is set."""
        return self.mlflow_tracking_uri or embedded_uri(self.state_dir)


def load_settings(**overrides: Any) -> Settings:
    """Read the settings; `overrides` win over the environment, which wins over `.env`.

    Raises:
        ValueError: a value is wrong; the message names each variable and what it expects.
    """
    try:
        return Settings(**overrides)
    except ValidationError as error:
        lines = [_explain(detail) for detail in error.errors()]
        raise ValueError("\n".join(lines)) from None


def secret_fields() -> list[str]:
    """Return the fields that may also be read from the file of NAME_FILE."""
    # That one may hold a password.
    fields = Settings.model_fields.items()
    return [name for name, field in fields if _holds_secrets(field.annotation)] + ["mlflow_tracking_uri"]


def _holds_secrets(annotation: Any) -> bool:
    return annotation is SecretStr or any(map(_holds_secrets, get_args(annotation)))


def export_library_variables(env_file: Path = ENV_FILE) -> None:
    """Put `.env`'s AWS_* and MLFLOW_* where boto3 and MLflow read them; the environment wins.

    Their secrets may stand in files, as the settings' own.

    Raises:
        ValueError: such a file cannot be read; names the variable.
    """
    for name, value in dotenv_values(env_file).items():
        if value and name.startswith(LIBRARY_PREFIXES):
            os.environ.setdefault(name, value)
    os.environ.update(from_files(variables_with(env_file), LIBRARY_SECRETS))


def _explain(detail: ErrorDetails) -> str:
    problem = detail["msg"].removeprefix("Value error, ")
    if not detail["loc"]:
        return problem
    field = str(detail["loc"][0])
    given = "" if field in secret_fields() else f"={detail['input']}"
    meaning = Settings.model_fields[field].description
    return f"{field.upper()}{given}: {problem}. {field.upper()} is: {meaning}"
