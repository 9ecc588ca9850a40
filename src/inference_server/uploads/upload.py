"""An uploaded capture: where it stands, and what was found in it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

State = Literal["receiving", "waiting", "running", "done", "failed"]


def utc_now() -> str:
    """Return the time, as answers say it."""
    return f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%fZ}"


class Judge(BaseModel):
    """The model that judged an upload's flows."""

    model_config = ConfigDict(frozen=True)

    name: str
    version: str
    threshold: float = Field(description="a flow is called an attack from this 1 - P(benign) on")


class Upload(BaseModel):
    """One uploaded capture; what `GET /api/captures/{id}` answers."""

    model_config = ConfigDict(frozen=True)

    id: str
    name: str = Field(description="the file's name as its sender gave it")
    state: State = "receiving"
    progress: float = Field(
        default=0.0,
        ge=0,
        le=1,
        description="of what the state says: bytes received, then bytes analysed; 1 at the end",
    )
    bytes: int = Field(default=0, description="of the file as it was sent")
    sha256: str | None = Field(default=None, description="of the file as it was sent")
    packets: int = 0
    ignored: dict[str, int] = Field(default={}, description="packets that joined no flow, by reason")
    flows: int = 0
    attacks: int = 0
    by_class: dict[str, int] = Field(
        default={}, description="flows by label, benign and insufficient included"
    )
    dialect: str | None = Field(default=None, description="the rules that measured the flows: the model's")
    model: Judge | None = None
    warnings: list[str] = Field(default=[], description="such as that the file is cut off")
    error: str | None = Field(default=None, description="why it failed; verdicts up to there stay")
    received: str = Field(default_factory=utc_now, description="when it came, UTC")
    started: str | None = Field(default=None, description="when the analysis began, UTC")
    ended: str | None = Field(default=None, description="when it was done or failed, UTC")
    seconds: float | None = Field(default=None, description="that the analysis took")

    @property
    def over(self) -> bool:
        """Whether nothing more will happen to it."""
        return self.state in ("done", "failed")
