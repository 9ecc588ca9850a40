"""Scoring captures on Ray: one capture a task of Ray Data, which runs it again where a node dies."""

from __future__ import annotations

import hashlib
import logging
import pickle
import platform
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, Final

import ray
import ray.data

from detection.scorer import Scorer
from flows.ray_cluster import connected
from inference_server.bulk.captures import Capture
from inference_server.bulk.engines import Work
from inference_server.bulk.packed_model import PackedModel
from inference_server.bulk.places import Place, place_named
from inference_server.bulk.scoring import Outcome, score_capture

SOURCE_ROOT: Final = Path(__file__).resolve().parents[2]


def score_on_ray(work: Work) -> Iterator[Outcome]:
    """Score captures on the cluster of RAY_ADDRESS, on all cores of this machine without one.

    Yields:
        What became of each, in the order in which they are done.

    Raises:
        ConnectionError: the cluster cannot be reached.
        ValueError: the model does not work on a node, or a node has another version of this program.
    """
    with connected():
        yield from _outcomes(work)


def _outcomes(work: Work) -> Iterator[Outcome]:
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    model, sources = ray.put(work.model), sources_sha256()
    tasks = ray.data.from_items(
        [{"capture": pickle.dumps(capture)} for capture in work.captures],
        override_num_blocks=len(work.captures),
    ).map(_scored, fn_args=(model, work.output, sources))
    try:
        for batch in tasks.iter_batches(batch_size=None, batch_format="pyarrow", prefetch_batches=0):
            for outcome in batch.column("outcome").to_pylist():
                yield pickle.loads(outcome)
    except ray.exceptions.RayTaskError as error:
        cause = error.cause
        raise (cause if isinstance(cause, ValueError) else ValueError(str(cause))) from None


def _scored(row: dict[str, Any], model: ray.ObjectRef, output: str, sources: str) -> dict[str, Any]:
    """Score one capture on a node."""
    if sources_sha256() != sources:
        raise ValueError(
            f"node {platform.node()} has another version of ML-IDS than where the command runs: install "
            "the same on all nodes"
        )
    packed, scorer, place = _prepared(model, output)
    capture: Capture = pickle.loads(row["capture"])
    return {"outcome": pickle.dumps(score_capture(capture, packed, scorer, place))}


@cache
def _prepared(model: ray.ObjectRef, output: str) -> tuple[PackedModel, Scorer, Place]:
    """Return what all captures of a run share; once a process."""
    packed: PackedModel = ray.get(model)
    return packed, packed.scorer(), place_named(output)


@cache
def sources_sha256() -> str:
    """Return a checksum of what makes flows and verdicts: nodes with another one would answer otherwise."""
    digest = hashlib.sha256()
    for room in ("flows", "capture", "context", "detection"):
        for path in sorted((SOURCE_ROOT / room).rglob("*.py")):
            digest.update(path.relative_to(SOURCE_ROOT).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()
