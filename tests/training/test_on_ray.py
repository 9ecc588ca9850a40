"""Fitting on a cluster of two nodes gives the model that fitting here gives."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from flows.parquet_files import write_parquet
from helpers.ray_cluster import ray_cluster
from helpers.server import wait_until
from helpers.training_tables import labelled_table

ML_IDS = Path(sys.executable).parent / "ml-ids"
SECONDS = 400


def training(folder: Path, engine: str, environment: dict[str, str]) -> subprocess.Popen[str]:
    command = [ML_IDS, "train", "--data", folder / "flows.parquet", "--sample", "3000"]
    command += ["--engine", engine, "--param", "trees=20"]
    state = {"STATE_DIR": str(folder / engine)}
    return subprocess.Popen(
        command,
        env=os.environ | environment | state,
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    )


def models(folder: Path, engine: str) -> set[bytes]:
    """Return the compiled models of a registry: the starter and what was trained."""
    return {path.read_bytes() for path in (folder / engine).rglob("compiled/model.npz")}


@pytest.mark.slow
def test_a_model_fitted_on_ray_is_the_one_fitted_here(tmp_path: Path) -> None:
    write_parquet(labelled_table(9000), tmp_path / "flows.parquet")
    with ray_cluster() as cluster:
        on_ray = training(tmp_path, "ray", cluster.environment)
        second = cluster.nodes[1]
        wait_until(lambda: on_ray.poll() is not None or second.busy("PoolActor"), seconds=SECONDS)
        assert on_ray.poll() is None
        _, told = on_ray.communicate(timeout=SECONDS)
        assert on_ray.returncode == 0, told
    here = training(tmp_path, "local", {})
    _, told = here.communicate(timeout=SECONDS)
    assert here.returncode == 0, told
    assert models(tmp_path, "ray") == models(tmp_path, "local")
    assert len(models(tmp_path, "ray")) == 2
