"""What a run of training is made of, for MLflow: the data, the code, the versions and the parameters."""

from __future__ import annotations

import hashlib
import platform
import subprocess
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from detection.mlflow_client import without_passwords
from training.dataset import LabelledFlows
from training.recipe import Recipe

if TYPE_CHECKING:
    from mlflow import MlflowClient

PACKAGES: Final = ("ml-ids", "numpy", "scikit-learn", "catboost", "optuna", "torch")
UNKNOWN: Final = "unknown"
LONGEST: Final = 5000
"""Characters of a parameter or tag that MLflow's database keeps."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a model comes from.

    Attributes:
        params: what was chosen: data, estimator, its parameters, seed.
        tags: what it was done with: sha256 of the data, git commit, versions.
    """

    params: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)


def origin_of(
    parts: Sequence[LabelledFlows], locations: Sequence[object], chosen: Mapping[str, object]
) -> Origin:
    """Return the origin of a model of these flows, read from these locations, by what was chosen."""
    dropped: Counter[str] = Counter()
    for part in parts:
        dropped.update(part.dropped)
    params = {
        "data": without_passwords(", ".join(str(location) for location in locations)),
        "flows": str(sum(len(part) for part in parts)),
        "rows read": str(sum(part.rows_read for part in parts)),
        "dropped": ", ".join(f"{count} {reason}" for reason, count in dropped.items()) or "none",
        **{name: str(value) for name, value in chosen.items()},
    }
    tags = {
        "data_sha256": ", ".join(flows_sha256(part) for part in parts),
        "git_commit": git_commit(),
        **{f"version/{name}": known for name, known in versions().items()},
    }
    return Origin(
        {name: text[:LONGEST] for name, text in params.items()},
        {name: text[:LONGEST] for name, text in tags.items()},
    )


def recipe_params(recipe: Recipe) -> dict[str, object]:
    """Return what a recipe chose, by name."""
    return {
        "estimator": recipe.kind.name,
        "seed": recipe.seed,
        "binary": str(recipe.binary).lower(),
        **{f"param/{name}": value for name, value in recipe.params.items()},
    }


def flows_sha256(flows: LabelledFlows) -> str:
    """Return the sha256 of what is trained on: names, dialect, features and classes, as they were read."""
    digest = hashlib.sha256("\0".join((flows.dialect, *flows.names)).encode())
    for array in (flows.features, flows.codes):
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def git_commit() -> str:
    """Return the commit of the checkout that runs, with `-dirty` when files differ from it."""
    git = ("git", "-C", str(Path(__file__).resolve().parent))
    try:
        commit = _answer(*git, "rev-parse", "HEAD")
        return commit + ("-dirty" if _answer(*git, "status", "--porcelain", "--untracked-files=no") else "")
    except (OSError, subprocess.SubprocessError):
        return UNKNOWN


def _answer(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=10).stdout.strip()


def versions() -> dict[str, str]:
    """Return the versions of Python and of the packages that make models, those that are installed."""
    found = {"Python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def log_run(
    client: MlflowClient,
    experiment: str,
    name: str,
    origin: Origin,
    metrics: Mapping[str, float],
    artifacts: Path | None = None,
) -> str:
    """Log one run that registers nothing, such as an evaluation, and return its id.

    Args:
        client: of the tracking server or database.
        experiment: its id.
        name: of the run.
        origin: what it was made of.
        metrics: figures by name.
        artifacts: a folder to keep with it.

    Raises:
        mlflow.exceptions.MlflowException: it cannot be logged.
    """
    from mlflow.entities import Metric, Param

    now = int(time.time() * 1000)
    run: Any = client.create_run(experiment, run_name=name, tags=dict(origin.tags))
    items = list(metrics.items())
    # MLflow takes 1,000 figures at once.
    for first in range(0, len(items) or 1, 500):
        client.log_batch(
            run.info.run_id,
            metrics=[Metric(key, float(value), now, 0) for key, value in items[first : first + 500]],
            params=[Param(key, value) for key, value in origin.params.items()] if first == 0 else [],
        )
    if artifacts is not None:
        client.log_artifacts(run.info.run_id, str(artifacts))
    client.set_terminated(run.info.run_id)
    return str(run.info.run_id)
