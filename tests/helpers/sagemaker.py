"""What SageMaker does around a container: folders; and a `docker` that only tells how it was called."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

DEMO = Path(__file__).parents[2] / "data" / "demo" / "test.h5"
QUICK = {"nr_iterations": "15", "tree_depth": "4", "random_seed": "1", "sagemaker_program": "x"}
CHANNELS = (("training", "train"), ("validation", "val"), ("testing", "test"))


def laid_out(prefix: Path, parameters: dict[str, str]) -> Path:
    """Lay out what SageMaker mounts, around the demonstration flows; returns `prefix`."""
    (prefix / "input" / "config").mkdir(parents=True)
    (prefix / "input" / "config" / "hyperparameters.json").write_text(json.dumps(parameters))
    for channel, file in CHANNELS:
        (prefix / "input" / "data" / channel).mkdir(parents=True)
        shutil.copy(DEMO, prefix / "input" / "data" / channel / f"{file}.h5")
    return prefix


def docker_that(script: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put a `docker` before the others that runs a line of shell; returns the file of its calls."""
    told, program = folder / "docker.txt", folder / "bin" / "docker"
    program.parent.mkdir(exist_ok=True)
    program.write_text(f'#!/bin/sh\necho "$@" >> {told}\n[ "$1" != login ] || cat >/dev/null\n{script}\n')
    program.chmod(0o755)
    if str(program.parent) not in os.environ["PATH"]:
        monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
    return told
