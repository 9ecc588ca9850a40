from __future__ import annotations

import gc
import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient

from detection import watcher as module
from detection.mlflow_client import open_client
from detection.model_cache import ModelCache
from detection.model_uri import parse_model_uri
from detection.package import GOLDEN, RECORD, write_manifest
from detection.registration import register_package
from detection.registry import Registry
from detection.scorer import Scorer
from detection.watcher import ModelWatcher
from helpers.models import make_package, make_record
from helpers.server import wait_until

DOWN = "http://127.0.0.1:9"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, MlflowClient]:
    """One database for the module; every test has a model of its own name in it."""
    folder = tmp_path_factory.mktemp("registry")
    uri = f"sqlite:///{folder}/mlflow.db"
    client = open_client(uri)
    client.create_experiment("all", (folder / "files").as_uri())
    return uri, client


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    thresholds = (0.25, 0.5, 0.75)
    return [make_package(tmp_path_factory.mktemp("p"), make_record(threshold=t)) for t in thresholds]


@dataclass
class Watched:
    """A registered model of one test, and what a watcher of it handed on."""

    uri: str
    client: MlflowClient
    name: str
    files: Path
    champions: list[Scorer] = field(default_factory=list)
    challengers: list[Scorer | None] = field(default_factory=list)

    def promote(self, package: Path, alias: str = "champion") -> str:
        if self.client.get_experiment_by_name(self.name) is None:
            self.client.create_experiment(self.name, self.files.as_uri())
        return register_package(self.client, package, self.name, alias=alias)

    @contextmanager
    def watch(self, state: Path, wanted: str = "@champion", **options: Any) -> Iterator[ModelWatcher]:
        registry = Registry(
            tracking_uri=options.pop("uri", self.uri), state_dir=state, register_starter=False
        )
        model_uri = f"models:/{self.name}{wanted}"
        fast = {"poll_seconds": 0.02, "back_off": (0.02, 0.1), "settle_seconds": 0.0}
        watcher = ModelWatcher(
            registry,
            parse_model_uri(model_uri),
            ModelCache(state, registry=registry.name, model_uri=model_uri),
            on_champion=self.champions.append,
            on_challenger=self.challengers.append,
            **(fast | options),
        )
        watcher.start()
        try:
            yield watcher
        finally:
            watcher.stop()

    def served(self, version: str) -> Callable[[], bool]:
        return lambda: bool(self.champions) and self.champions[-1].model_version == version

    def versions(self) -> list[str]:
        return [scorer.model_version for scorer in self.champions]


@pytest.fixture
def watched(store: tuple[str, MlflowClient], tmp_path: Path, request: pytest.FixtureRequest) -> Watched:
    return Watched(*store, name=request.node.originalname.removeprefix("test_"), files=tmp_path / "files")


@pytest.fixture(autouse=True)
def _no_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")


def test_follows_the_alias(watched: Watched, packages: list[Path], tmp_path: Path) -> None:
    watched.promote(packages[0])
    with watched.watch(tmp_path) as watcher:
        wait_until(lambda: watcher.status().checked_at)
        status = watcher.status()
        assert (status.source, status.error, status.problems) == ("registry", None, ())
        watched.promote(packages[1])
        wait_until(watched.served("2"))
        watched.client.set_registered_model_alias(watched.name, "champion", "1")
        wait_until(watched.served("1"))
        wait_until(lambda: watcher.status().champion is watched.champions[-1])
    assert watched.versions() == ["1", "2", "1"]
    assert [scorer.record.threshold for scorer in watched.champions] == [0.25, 0.5, 0.25]


def test_garbage_collections_leave_out_what_was_loaded_at_the_first_check(
    watched: Watched, packages: list[Path], tmp_path: Path
) -> None:
    watched.promote(packages[0])
    gc.unfreeze()
    with watched.watch(tmp_path):
        wait_until(gc.get_freeze_count)
        spared = gc.get_freeze_count()
        wait_until(watched.served("1"))
    assert spared > 10_000
    assert gc.get_freeze_count() <= spared, "garbage of later checks is kept"
    gc.unfreeze()


def test_latest_follows_what_is_registered(watched: Watched, packages: list[Path], tmp_path: Path) -> None:
    watched.promote(packages[0], "other")
    with watched.watch(tmp_path, "/latest"):
        wait_until(watched.served("1"))
        watched.promote(packages[1], "other")
        wait_until(watched.served("2"))


def test_a_fixed_version_is_asked_for_once(
    watched: Watched, packages: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    watched.promote(packages[0])
    asked = []
    find = Registry.find
    monkeypatch.setattr(Registry, "find", lambda self, wanted: asked.append(wanted) or find(self, wanted))
    with watched.watch(tmp_path, "/1"):
        wait_until(watched.served("1"))
        watched.promote(packages[1], "challenger")
        wait_until(lambda: watched.challengers)
    # Another test's service may still be stopping.
    ours = [str(wanted) for wanted in asked if wanted.name == watched.name]
    assert ours == [f"models:/{watched.name}/1"]
    assert watched.versions() == ["1"]


def test_the_challenger_comes_goes_and_is_promoted(
    watched: Watched, packages: list[Path], tmp_path: Path
) -> None:
    watched.promote(packages[0])
    with watched.watch(tmp_path) as watcher:
        watched.promote(packages[1], "challenger")
        wait_until(lambda: watcher.status().challenger)
        assert [scorer and scorer.model_version for scorer in watched.challengers] == ["2"]
        watched.client.delete_registered_model_alias(watched.name, "challenger")
        wait_until(lambda: watched.challengers[-1] is None)
        watched.client.set_registered_model_alias(watched.name, "challenger", "2")
        wait_until(lambda: watcher.status().challenger)
        # The champion is nobody's challenger.
        watched.client.set_registered_model_alias(watched.name, "champion", "2")
        wait_until(watched.served("2"))
        wait_until(lambda: watcher.status().challenger is None)
    assert [scorer and scorer.model_version for scorer in watched.challengers] == ["2", None, "2", None]


def _damaged(package: Path, folder: Path) -> Path:
    """A package whose golden batch another model answered."""
    (folder / "compiled").mkdir(parents=True)
    for file in ("compiled/model.npz", GOLDEN, RECORD, "card.md"):
        (folder / file).write_bytes((package / file).read_bytes())
    (folder / GOLDEN).write_bytes((make_package(folder.parent / "other", seed=9) / GOLDEN).read_bytes())
    write_manifest(folder)
    return folder


def test_a_version_that_fails_its_checks_leaves_the_old_one(
    watched: Watched, packages: list[Path], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    watched.promote(packages[0])
    with watched.watch(tmp_path) as watcher:
        wait_until(watched.served("1"))
        watched.promote(_damaged(packages[1], tmp_path / "damaged"))
        wait_until(lambda: watcher.status().error)
        (problem,) = watcher.status().problems
        assert problem.startswith(f"version 2 is not usable: models:/{watched.name}/2/compiled/golden.npz")
        assert problem.endswith("; serving version 1")
        failures = watcher.status().failures
        _several_polls(watcher)
        assert watcher.status().failures == failures, "it is fetched at every poll"
        assert caplog.text.count("version 2 is not usable") == 1
        watched.promote(packages[2])
        wait_until(watched.served("3"))
        wait_until(lambda: not watcher.status().problems)
    assert watched.versions() == ["1", "3"]


def test_a_challenger_that_fails_its_checks_is_said(
    watched: Watched, packages: list[Path], tmp_path: Path
) -> None:
    watched.promote(packages[0])
    watched.promote(_damaged(packages[1], tmp_path / "damaged"), "challenger")
    with watched.watch(tmp_path) as watcher:
        wait_until(lambda: watcher.status().problems)
        (problem,) = watcher.status().problems
    assert problem.startswith("challenger: version 2 is not usable: ")
    assert (watched.versions(), watched.challengers) == (["1"], [])


def test_a_version_that_cannot_be_fetched_is_fetched_later(
    watched: Watched, packages: list[Path], tmp_path: Path
) -> None:
    watched.promote(packages[0])
    hidden = tmp_path / "hidden"
    watched.files.rename(hidden)
    with watched.watch(tmp_path) as watcher:
        wait_until(lambda: "manifest.json cannot be fetched" in str(watcher.status().error))
        assert watcher.status().problems == ()
        hidden.rename(watched.files)
        wait_until(watched.served("1"))


def test_an_alias_that_was_removed_leaves_the_champion(
    watched: Watched, packages: list[Path], tmp_path: Path
) -> None:
    watched.promote(packages[0])
    with watched.watch(tmp_path) as watcher:
        wait_until(watched.served("1"))
        watched.client.delete_registered_model_alias(watched.name, "champion")
        wait_until(lambda: watcher.status().problems)
        (problem,) = watcher.status().problems
        assert "set the alias champion on one of its versions (1)" in problem
        assert problem.endswith("; serving version 1")
        watched.client.set_registered_model_alias(watched.name, "champion", "1")
        wait_until(lambda: not watcher.status().problems)
    assert watched.versions() == ["1"]


def test_a_model_that_was_made_anew_is_another_version_1(
    watched: Watched, packages: list[Path], tmp_path: Path
) -> None:
    watched.promote(packages[0])
    with watched.watch(tmp_path):
        wait_until(watched.served("1"))
        watched.client.delete_registered_model(watched.name)
        watched.promote(packages[1])
        wait_until(lambda: len(watched.champions) == 2)
    assert [scorer.record.threshold for scorer in watched.champions] == [0.25, 0.5]


def test_a_restart_serves_from_the_cache_until_the_registry_answers(
    watched: Watched, packages: list[Path], tmp_path: Path
) -> None:
    watched.promote(packages[0])
    with watched.watch(tmp_path):
        wait_until(watched.served("1"))
        wait_until((tmp_path / "model-cache" / "current.json").exists)
    with watched.watch(tmp_path, settle_seconds=600) as watcher:
        wait_until(lambda: watcher.status().champion)
        assert (watcher.status().source, watcher.status().problems) == ("cache", ())
        assert watcher.status().checked_at is None
    watched.promote(packages[1])
    with watched.watch(tmp_path) as watcher:
        wait_until(watched.served("2"))
        wait_until(lambda: watcher.status().source == "registry")
    assert watched.versions() == ["1", "1", "1", "2"]


def test_a_registry_that_is_down_is_said_once(
    watched: Watched, packages: list[Path], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    cache = ModelCache(tmp_path, registry=DOWN, model_uri=f"models:/{watched.name}@champion")
    cache.store(module.Version(watched.name, "7", 1), packages[0])
    with watched.watch(tmp_path, uri=DOWN) as watcher:
        wait_until(lambda: watcher.status().failures >= 3)
        (problem,) = watcher.status().problems
    assert problem.startswith(f"registry {DOWN} cannot be used (")
    assert problem.endswith("; serving version 7 from the cache")
    assert watched.versions() == ["7"]
    assert caplog.text.count("cannot be used") == 1


def test_without_anything_it_says_why_and_tries_again(
    watched: Watched, packages: list[Path], tmp_path: Path
) -> None:
    with watched.watch(tmp_path) as watcher:
        assert watcher.status().error
        wait_until(lambda: "has no model" in str(watcher.status().error))
        assert watcher.status().problems == ()
        watched.promote(packages[0])
        wait_until(watched.served("1"))


def test_a_registry_that_hangs_delays_nothing(
    watched: Watched, packages: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PATIENCE_SECONDS", 0.05)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        uri = f"http://127.0.0.1:{silent.getsockname()[1]}"
        cache = ModelCache(tmp_path, registry=uri, model_uri=f"models:/{watched.name}@champion")
        cache.store(module.Version(watched.name, "7", 1), packages[0])
        with watched.watch(tmp_path, uri=uri) as watcher:
            connection, _ = silent.accept()
            with connection:
                wait_until(lambda: watcher.status().problems)
                assert watcher.status().problems == (
                    f"registry {uri} does not answer; serving version 7 from the cache",
                )
                began = time.monotonic()
                watcher.stop()
                assert time.monotonic() - began < 5


def test_what_comes_after_the_stop_is_not_served(
    watched: Watched, packages: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    watched.promote(packages[0])
    loading, go_on = threading.Event(), threading.Event()
    load = Registry.load

    def slowly(*arguments: Any) -> Scorer:
        loading.set()
        go_on.wait(60)
        return load(*arguments)

    monkeypatch.setattr(Registry, "load", slowly)
    others = set(threading.enumerate())
    with watched.watch(tmp_path) as watcher:
        assert loading.wait(60)
        watcher.stop()
        go_on.set()
        wait_until(
            lambda: "model-watcher" not in {thread.name for thread in set(threading.enumerate()) - others}
        )
    assert watched.champions == []
    assert not (tmp_path / "model-cache").exists()


def test_a_fault_in_serving_does_not_end_the_watch(
    watched: Watched, packages: list[Path], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    watched.promote(packages[0])
    faults = iter([ZeroDivisionError("first"), None])

    class Faulty(list[Scorer]):
        def append(self, scorer: Scorer) -> None:
            if fault := next(faults):
                raise fault
            super().append(scorer)

    watched.champions = Faulty()
    with caplog.at_level(logging.WARNING), watched.watch(tmp_path):
        wait_until(watched.served("1"))
    assert "no model: first" in caplog.text


def _several_polls(watcher: ModelWatcher) -> None:
    """Wait until the registry was asked a few times more."""
    asked = 0
    last = None
    deadline = time.monotonic() + 60
    while asked < 6:
        now = watcher._asking_since
        asked += now is not None and now != last
        last = now or last
        assert time.monotonic() < deadline
        time.sleep(0.001)
