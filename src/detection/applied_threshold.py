"""The operating threshold that an operator applied: a file beside the registry, for one model version."""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, ValidationError

from detection.scorer import Scorer

Threshold = Annotated[float, Field(gt=0, le=1)]


class AppliedThreshold(BaseModel):
    """What `ml-ids calibrate --apply` found.

    Attributes:
        model_name, model_version: the only model it holds for.
        threshold: the operating threshold.
        alerts_per_day: how many flagged flows a day were allowed.
        flows, seconds: how much traffic said so.
        made_at: when.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    model_name: str
    model_version: str
    threshold: Threshold
    alerts_per_day: FiniteFloat
    flows: int
    seconds: FiniteFloat
    made_at: datetime

    def holds_for(self, scorer: Scorer) -> bool:
        """Return whether it was made for this version of this model."""
        return (self.model_name, self.model_version) == (scorer.model_name, scorer.model_version)


def read_applied(path: Path) -> AppliedThreshold | None:
    """Return the applied threshold, None when there is none.

    Raises:
        ValueError: the file cannot be read, or is not one; the message says what to do.
    """
    try:
        return AppliedThreshold.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValidationError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not what ml-ids calibrate writes"
        raise ValueError(f"{path}: {reason}: run ml-ids calibrate --apply, or --reset") from None


def write_applied(path: Path, applied: AppliedThreshold) -> None:
    """Apply a threshold: the file is there as a whole or not at all.

    Raises:
        OSError: it cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".unfinished-{os.getpid()}-{path.name}")
    try:
        with unfinished.open("w") as file:
            file.write(applied.model_dump_json(indent=1) + "\n")
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)
