"""The last good model on disk: what a restart serves before, or without, the registry."""

from __future__ import annotations

import logging
import os
import shutil
import tempfile
import time
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict

from detection.package import load_package
from detection.registry import Version
from detection.scorer import Scorer

FOLDER: Final = "model-cache"
CURRENT: Final = "current.json"
UNFINISHED_SECONDS: Final = 600
"""A package that is not the current one for that long is a write that was broken off."""

logger = logging.getLogger(__name__)


class _Current(BaseModel):
    """Which package below the cache is the last good one, and of what."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    registry: str
    model_uri: str
    name: str
    number: str
    created: int
    package: str


class ModelCache:
    """One package below STATE_DIR/model-cache, replaced by renaming; problems are logged, never raised."""

    def __init__(self, state_dir: Path, *, registry: str, model_uri: str, allow_pickle: bool = False) -> None:
        """Describe the cache of what a URI means in a registry.

        Args:
            state_dir: the cache is below it; made when something is stored.
            registry: the registry's name, without passwords: it is written down.
            model_uri: the model that is configured.
            allow_pickle: whether the code of an estimator without a compiled form may run.
        """
        self._folder = state_dir / FOLDER
        self._registry = registry
        self._model_uri = model_uri
        self._allow_pickle = allow_pickle
        self._warned = False

    def load(self) -> tuple[Version, Scorer] | None:
        """Return the version that was stored last, checked as one of the registry is; None without one."""
        try:
            current = self._current()
            if current is None:
                return None
            if (current.registry, current.model_uri) != (self._registry, self._model_uri):
                logger.info("the cached model is %s of %s: not used", current.model_uri, current.registry)
                return None
            package = self._folder / Path(current.package).name
            scorer = load_package(
                package,
                model_name=current.name,
                model_version=current.number,
                allow_pickle=self._allow_pickle,
            )
        except (OSError, ValueError) as error:
            reason = " ".join(str(error).split())
            logger.warning("the cached model cannot be used, the registry is asked: %s", reason)
            return None
        return Version(current.name, current.number, current.created), scorer

    def store(self, version: Version, package: Path) -> None:
        """Keep the files of a package that was checked."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            kept = Path(tempfile.mkdtemp(prefix=f"{version.number}-", dir=self._folder))
            shutil.copytree(package, kept, dirs_exist_ok=True)
            self._make_current(version, kept.name)
            self._clear(kept.name)
        except OSError as error:
            if not self._warned:
                logger.warning(
                    "the model is not cached, a restart needs the registry: %s: %s; make STATE_DIR writable",
                    *(self._folder, error.strerror or error),
                )
            self._warned = True

    def _current(self) -> _Current | None:
        try:
            return _Current.model_validate_json((self._folder / CURRENT).read_bytes())
        except FileNotFoundError:
            return None

    def _make_current(self, version: Version, package: str) -> None:
        current = _Current(
            registry=self._registry,
            model_uri=self._model_uri,
            name=version.name,
            number=version.number,
            created=version.created,
            package=package,
        )
        unfinished = self._folder / f"{package}.json"
        unfinished.write_text(current.model_dump_json(), encoding="utf-8")
        os.replace(unfinished, self._folder / CURRENT)

    def _clear(self, kept: str) -> None:
        """Delete the package before, and what writes that were broken off left.

        Services that share a STATE_DIR may be writing: what is young stays until the next time.
        """
        for path in self._folder.iterdir():
            if path.name not in (kept, CURRENT) and time.time() - path.stat().st_mtime > UNFINISHED_SECONDS:
                shutil.rmtree(path) if path.is_dir() else path.unlink()
