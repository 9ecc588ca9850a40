"""Watches the registry: a new champion or challenger is loaded beside the old one and handed on."""

from __future__ import annotations

import gc
import logging
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Literal

from detection.model_cache import ModelCache
from detection.model_uri import ModelUri
from detection.registry import CHALLENGER, Registry, Version
from detection.scorer import Scorer

POLL_SECONDS: Final = 30.0
BACK_OFF_SECONDS: Final = (2.0, 60.0)
SETTLE_SECONDS: Final = 5.0
"""Between serving from the cache and asking the registry: MLflow's import must not delay the start."""

PATIENCE_SECONDS: Final = 10.0
"""A registry that lets a question wait for longer is said not to answer."""

REFUSED_SECONDS: Final = 3600.0
"""A version that failed its checks is fetched again after this, or when alias or version change."""

STOP_SECONDS: Final = 0.5

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ModelStatus:
    """What serves, and what is wrong with it.

    Attributes:
        champion: the model that serves, None before there is one.
        challenger: the model scored in its shadow, None without one or where both are the same version.
        source: who says that this is the champion: the registry, or the cache while it does not answer.
        error: why no champion serves, or why it may not be the one that is configured; None when well.
        challenger_error: why the challenger of the registry is not scored, None when well.
        failures: checks of the registry, and versions, that failed.
        checked_at: Unix time of the last check without a failure, None before it.
    """

    champion: Scorer | None = None
    challenger: Scorer | None = None
    source: Literal["registry", "cache"] | None = None
    error: str | None = "the model is being loaded"
    challenger_error: str | None = None
    failures: int = 0
    checked_at: float | None = None

    @property
    def problems(self) -> tuple[str, ...]:
        """What is wrong although a champion serves."""
        if self.champion is None:
            return ()
        serving = f"serving version {self.champion.model_version}"
        serving += " from the cache" if self.source == "cache" else ""
        champion = (f"{self.error}; {serving}",) if self.error else ()
        return champion + ((f"challenger: {self.challenger_error}",) if self.challenger_error else ())


@dataclass(frozen=True, slots=True)
class _Refusal:
    error: str
    pause: float
    until: float


class ModelWatcher:
    """Serves the cached model, then follows the registry, in a thread of its own.

    A version that cannot be had, or fails its checks, leaves what serves in its place.
    """

    def __init__(
        self,
        registry: Registry,
        wanted: ModelUri,
        cache: ModelCache,
        *,
        on_champion: Callable[[Scorer], None],
        on_challenger: Callable[[Scorer | None], None],
        poll_seconds: float = POLL_SECONDS,
        back_off: tuple[float, float] = BACK_OFF_SECONDS,
        settle_seconds: float = SETTLE_SECONDS,
    ) -> None:
        """Make a watcher that is not running yet.

        Args:
            registry: who is asked.
            wanted: the model that is to serve; a fixed version is asked for until it was had once.
            cache: where the last good champion is kept.
            on_champion: called from the watcher's thread with a model that was checked.
            on_challenger: the same for the alias challenger of that model; with None when it is gone.
            poll_seconds: time between two checks.
            back_off: first and longest time between checks while the registry is away or nothing serves.
            settle_seconds: how long the registry is left alone after serving from the cache.
        """
        self._registry = registry
        self._wanted = wanted
        self._cache = cache
        self._on_champion = on_champion
        self._on_challenger = on_challenger
        self._poll = poll_seconds
        self._shortest, self._longest = back_off
        self._settle = settle_seconds
        self._champion: Version | None = None
        self._challenger: Version | None = None
        self._refusals: dict[Version, _Refusal] = {}
        self._status = ModelStatus()
        self._asking_since: float | None = None
        self._told: tuple[str, ...] = ()
        self._stop = threading.Event()
        self._asked = threading.Event()
        self._checks = 0
        self._checked = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="model-watcher", daemon=True)

    def start(self) -> None:
        """Start watching."""
        self._thread.start()

    def stop(self) -> None:
        """Give up; a call of the network that hangs ends with the process."""
        self._stop.set()
        self._asked.set()
        if self._thread.ident is not None:
            self._thread.join(STOP_SECONDS)

    def check_now(self, timeout: float) -> bool:
        """Ask the registry at once, also for what failed its checks; return whether that was done in time."""
        with self._checked:
            # One that is under way may have asked before.
            wanted = self._checks + (1 if self._asking_since is None else 2)
            self._asked.set()
            return self._checked.wait_for(lambda: self._checks >= wanted, timeout)

    def status(self) -> ModelStatus:
        """Return the state of this moment."""
        status, asking = self._status, self._asking_since
        if asking is not None and time.monotonic() - asking > PATIENCE_SECONDS and status.error is None:
            return replace(status, error=f"registry {self._registry.name} does not answer")
        return status

    def _run(self) -> None:
        if self._serve_cached():
            self._pause(self._settle)
        pause = self._shortest
        while not self._stop.is_set():
            self._asking_since = time.monotonic()
            answered = self._check()
            with self._checked:
                self._asking_since = None
                self._checks += 1
                self._checked.notify_all()
            _spare_collector()
            if answered and self._status.champion:
                pause = self._shortest
                self._pause(self._poll)
            else:
                self._pause(pause)
                pause = min(2 * pause, max(self._longest, self._poll))

    def _pause(self, seconds: float) -> None:
        """Wait, unless somebody asks for a check or the end comes."""
        if self._asked.wait(seconds):
            self._asked.clear()
            self._refusals = {}

    def _serve_cached(self) -> bool:
        found = self._cache.load()
        if found is None:
            return False
        version, scorer = found
        self._serve(version, scorer, "cache")
        return True

    def _check(self) -> bool:
        """Ask the registry once and follow what it says; return whether that was possible."""
        try:
            self._follow()
        except Exception as failure:  # whatever it is, the watch goes on
            logger.debug("the check", exc_info=True)
            self._failed()
            self._conclude(_text(failure), self._status.challenger_error)
            return False
        return True

    def _follow(self) -> None:
        champion, error = self._find_champion()
        challenger = self._registry.alias(self._wanted.name, CHALLENGER)
        self._refusals = {v: known for v, known in self._refusals.items() if v in (champion, challenger)}
        if champion:
            error = self._follow_champion(champion)
        if challenger == self._champion:
            challenger = None
        self._conclude(error, self._follow_challenger(challenger))

    def _find_champion(self) -> tuple[Version | None, str | None]:
        if self._wanted.kind == "version" and self._status.source == "registry":
            return self._champion, None
        try:
            return self._registry.find(self._wanted), None
        except LookupError as absence:
            self._failed()
            return None, str(absence)

    def _follow_champion(self, version: Version) -> str | None:
        """Serve a version; return why that cannot be done."""
        if version == self._champion:
            self._status = replace(self._status, source="registry")
            return None
        with tempfile.TemporaryDirectory(prefix="ml-ids-model-") as folder:
            loaded = self._load(version, Path(folder))
            if isinstance(loaded, str):
                return loaded
            self._serve(version, loaded, "registry")
            if self._champion == version:
                self._cache.store(version, Path(folder))
        return None

    def _follow_challenger(self, version: Version | None) -> str | None:
        """Shadow a version; return why that cannot be done, in which case there is no challenger."""
        if version == self._challenger:
            return None
        loaded: Scorer | str | None = None
        if version:
            with tempfile.TemporaryDirectory(prefix="ml-ids-model-") as folder:
                loaded = self._load(version, Path(folder))
        if isinstance(loaded, str):
            self._shadow(None, None)
            return loaded
        self._shadow(version, loaded)
        return None

    def _load(self, version: Version, folder: Path) -> Scorer | str:
        """Return the model of a version, or why it cannot be had; one that failed rests for a while."""
        known = self._refusals.get(version)
        if known and time.monotonic() < known.until:
            return known.error
        try:
            scorer = self._registry.load(version, folder)
        except Exception as failure:
            logger.debug("%s", version, exc_info=True)
            pause = REFUSED_SECONDS
            if isinstance(failure, OSError):  # it may be had another time
                pause = min(2 * known.pause if known else self._shortest, REFUSED_SECONDS)
            error = f"version {version.number} is not usable: {_text(failure)}"
            self._refusals[version] = _Refusal(error, pause, time.monotonic() + pause)
            self._failed()
            return error
        self._refusals.pop(version, None)
        return scorer

    def _serve(self, version: Version, scorer: Scorer, source: Literal["registry", "cache"]) -> None:
        if self._stop.is_set():
            return
        self._on_champion(scorer)
        self._champion = version
        self._status = replace(self._status, champion=scorer, source=source, error=None)
        logger.info("champion: %s, from the %s", version, source)

    def _shadow(self, version: Version | None, scorer: Scorer | None) -> None:
        if self._stop.is_set() or version == self._challenger:
            return
        self._on_challenger(scorer)
        self._challenger = version
        self._status = replace(self._status, challenger=scorer)
        logger.info("challenger: %s", version or "none")

    def _failed(self) -> None:
        self._status = replace(self._status, failures=self._status.failures + 1)

    def _conclude(self, error: str | None, challenger_error: str | None) -> None:
        well = not (error or challenger_error)
        self._status = replace(
            self._status,
            error=error,
            challenger_error=challenger_error,
            checked_at=time.time() if well else self._status.checked_at,
        )
        told = self._status.problems or (f"no model: {error}",) * (not well)
        if not self._stop.is_set():
            for text in told:
                if text not in self._told:
                    logger.warning("%s", text)
            if self._told and well:
                logger.info("registry %s: all is well again", self._registry.name)
        self._told = told


def _text(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def _spare_collector() -> None:
    """Leave out of garbage collections what was loaded until the first check: mostly MLflow.

    They stay for good, and looking through them would hold every request up for a fifth of a second.
    """
    if not gc.get_freeze_count():
        gc.collect()
        gc.freeze()
