"""Scoring one capture into one file: what every engine calls."""

from __future__ import annotations

import hashlib
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Final, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, ValidationError

from context.notes import with_context
from detection.scorer import Scorer
from flows.parquet_files import ParquetFlowWriter
from flows.scored import with_verdicts
from flows.table import FlowTable
from inference_server.bulk.captures import Capture
from inference_server.bulk.packed_model import PackedModel
from inference_server.bulk.places import Place
from inference_server.capture_reading import CaptureReading

NOTE: Final = "ml-ids.scored"
ROWS_AT_ONCE: Final = 1 << 14
COUNTED_BITS: Final = 32
"""So many bits of a uid count the flows of one meter."""


class Origin(BaseModel):
    """What a result was made of; the same again gives the same file.

    Attributes:
        capture, size, content: as those of `Capture`.
        model_sha256: of the model's package.
        model_name, model_version, threshold: in force.
        program: the version of this program.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())

    capture: str
    size: int
    content: str
    model_sha256: str
    model_name: str
    model_version: str
    threshold: float
    program: str = version("ml-ids")

    @classmethod
    def of(cls, capture: Capture, model: PackedModel) -> Origin:
        """Return what the result of a capture would be made of."""
        return cls(
            capture=capture.url,
            size=capture.size,
            content=capture.content,
            model_sha256=model.sha256,
            model_name=model.name,
            model_version=model.version,
            threshold=model.threshold,
        )

    def first_uid(self) -> int:
        """Return what the uids of the flows count from: random to a meter, here the same each time."""
        digest = hashlib.sha256(f"{self.capture}\0{self.size}\0{self.content}".encode()).digest()
        return int.from_bytes(digest[:4], "big") >> 1 << COUNTED_BITS


class Result(BaseModel):
    """What a file of results says of itself.

    Attributes:
        origin: what it was made of.
        packets: of the capture.
        labels: flows by verdict.
        warnings: what a person should know of the capture.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    origin: Origin
    packets: int
    labels: dict[str, int]
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a capture.

    Attributes:
        capture: it.
        state: scored, kept as it was scored before, or failed.
        result: what is in its file; None when it failed.
        problem: why it failed, in a line.
    """

    capture: Capture
    state: Literal["scored", "kept", "failed"]
    result: Result | None = None
    problem: str = ""


def kept_result(capture: Capture, model: PackedModel, place: Place) -> Result | None:
    """Return what the capture's file says of itself; None where there is none of this capture and model.

    Raises:
        OSError: the place cannot be asked.
    """
    try:
        noted = place.metadata(capture.result).get(NOTE.encode())
    except FileNotFoundError:
        return None
    try:
        result = Result.model_validate_json(noted) if noted else None
    except ValidationError:
        return None
    return result if result and result.origin == Origin.of(capture, model) else None


def score_capture(capture: Capture, model: PackedModel, scorer: Scorer, place: Place) -> Outcome:
    """Score a capture into its file, unless that is there already.

    Args:
        capture: what is scored.
        model: what is noted in the file.
        scorer: the same model, loaded.
        place: where the file goes.
    """
    try:
        if kept := kept_result(capture, model, place):
            return Outcome(capture, "kept", kept)
        with tempfile.TemporaryDirectory(prefix="ml-ids-score-") as folder:
            scratch = Path(folder)
            file, size, content = capture.fetched(scratch)
            # What was read is what is noted, also when it has changed since it was looked for.
            origin = Origin.of(replace(capture, size=size, content=content), model)
            result = _write(scratch / "result", file, origin, scorer)
            place.put(scratch / "result", capture.result)
    except (OSError, ValueError) as error:
        return Outcome(capture, "failed", problem=_line(capture, error))
    return Outcome(capture, "scored", result)


def _write(output: Path, file: Path, origin: Origin, scorer: Scorer) -> Result:
    reading = CaptureReading(file, name=origin.capture, context=bool(scorer.record.context))
    labels: Counter[str] = Counter()
    with ParquetFlowWriter(output) as writer:
        for table in _tables(reading, scorer):
            verdicts = scorer.score(table)
            labels.update(verdicts.labels().tolist())
            scored = with_verdicts(table, verdicts)
            uids = (table.flow_uid & np.uint64((1 << COUNTED_BITS) - 1)) + np.uint64(origin.first_uid())
            more = scored.extras | {"p_label": verdicts.p_label}
            writer.write(replace(scored, flow_uid=uids, extras=more))
        result = Result(
            origin=origin,
            packets=reading.packets,
            labels=dict(sorted(labels.items())),
            warnings=tuple(reading.warnings),
        )
        writer.note(NOTE, result.model_dump_json())
    return result


def _tables(reading: CaptureReading, scorer: Scorer) -> Iterator[FlowTable]:
    for table in reading.tables():
        whole = with_context(table) if scorer.record.context else table
        if missing := scorer.missing(whole.feature_names):
            raise ValueError(f"the model reads what captures do not tell: {', '.join(missing)}")
        for start in range(0, len(whole), ROWS_AT_ONCE):
            yield whole.take(slice(start, start + ROWS_AT_ONCE))


def _line(capture: Capture, error: Exception) -> str:
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    text = " ".join(reason.split())
    return text if text.startswith(capture.url) else f"{capture.url}: {text}"
