from __future__ import annotations

import logging
import os
import time
from pathlib import Path

import pytest

from detection.model_cache import CURRENT, FOLDER, ModelCache
from detection.package import RECORD
from detection.registry import Version
from helpers.models import make_package, make_record

ONE = Version("ids", "1", 1000)
TWO = Version("ids", "2", 2000)


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> dict[Version, Path]:
    return {
        version: make_package(tmp_path_factory.mktemp("package"), make_record(threshold=threshold))
        for version, threshold in ((ONE, 0.25), (TWO, 0.75))
    }


def cache_of(
    state: Path, *, registry: str = "http://r", model_uri: str = "models:/ids@champion"
) -> ModelCache:
    return ModelCache(state, registry=registry, model_uri=model_uri)


def test_gives_back_what_was_stored_last(tmp_path: Path, packages: dict[Version, Path]) -> None:
    assert cache_of(tmp_path).load() is None
    for version in (ONE, TWO):
        cache_of(tmp_path).store(version, packages[version])
        found = cache_of(tmp_path).load()
        assert found is not None
        assert found[0] == version
        assert (found[1].model_name, found[1].model_version) == ("ids", version.number)
        assert found[1].record.threshold == (0.25 if version == ONE else 0.75)


def test_a_cache_of_another_registry_or_name_is_not_used(
    tmp_path: Path, packages: dict[Version, Path], caplog: pytest.LogCaptureFixture
) -> None:
    cache_of(tmp_path).store(ONE, packages[ONE])
    with caplog.at_level(logging.INFO):
        assert cache_of(tmp_path, registry="http://s").load() is None
        assert cache_of(tmp_path, model_uri="models:/ids/1").load() is None
    assert caplog.text.count("models:/ids@champion of http://r: not used") == 2
    assert cache_of(tmp_path).load() is not None


@pytest.mark.parametrize("file", [CURRENT, RECORD, "compiled/model.npz"])
@pytest.mark.parametrize("damage", [b"", b"{}", None])
def test_a_damaged_cache_is_said_and_replaced(
    tmp_path: Path,
    packages: dict[Version, Path],
    caplog: pytest.LogCaptureFixture,
    file: str,
    damage: bytes | None,
) -> None:
    cache_of(tmp_path).store(ONE, packages[ONE])
    (path,) = (tmp_path / FOLDER).rglob(Path(file).name)
    path.unlink()
    if damage is not None:
        path.write_bytes(damage)
    assert cache_of(tmp_path).load() is None
    assert ("cannot be used, the registry is asked" in caplog.text) == (file != CURRENT or damage is not None)
    cache_of(tmp_path).store(TWO, packages[TWO])
    assert cache_of(tmp_path).load() is not None


def test_a_state_directory_that_cannot_be_written_is_said_once(
    tmp_path: Path, packages: dict[Version, Path], caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / FOLDER).touch()
    cache = cache_of(tmp_path)
    assert cache.load() is None
    caplog.clear()
    cache.store(ONE, packages[ONE])
    cache.store(TWO, packages[TWO])
    assert caplog.text.count("the model is not cached") == 1


def test_old_packages_and_unfinished_ones_are_deleted(tmp_path: Path, packages: dict[Version, Path]) -> None:
    cache_of(tmp_path).store(ONE, packages[ONE])
    (tmp_path / FOLDER / "9-broken-off").mkdir()
    for path in (tmp_path / FOLDER).iterdir():
        os.utime(path, (time.time() - 3600,) * 2)
    (tmp_path / FOLDER / "7-being-written").mkdir()
    cache_of(tmp_path).store(TWO, packages[TWO])
    left = {path.name.partition("-")[0] for path in (tmp_path / FOLDER).iterdir()}
    assert left == {"2", "7", CURRENT}
