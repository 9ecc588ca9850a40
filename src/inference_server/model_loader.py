"""Loads the model in a thread of its own, again and again until the registry gives one."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Final, Generic, TypeVar

ModelT = TypeVar("ModelT")
BACK_OFF_SECONDS: Final = (2.0, 60.0)
logger = logging.getLogger(__name__)


class ModelLoader(Generic[ModelT]):
    """Calls `load` until it succeeds, with a growing pause, and hands the model to `loaded`."""

    def __init__(
        self,
        load: Callable[[], ModelT],
        loaded: Callable[[ModelT], None],
        *,
        back_off: tuple[float, float] = BACK_OFF_SECONDS,
    ) -> None:
        self._load = load
        self._loaded = loaded
        self._pause, self._longest_pause = back_off
        self._stop = threading.Event()
        self._failures = 0
        self._error: str | None = "the model is being loaded"
        self._thread = threading.Thread(target=self._run, name="model-loader", daemon=True)

    def start(self) -> None:
        """Start loading."""
        self._thread.start()

    def stop(self) -> None:
        """Give up; a load that is under way ends with the process."""
        self._stop.set()

    @property
    def error(self) -> str | None:
        """Why there is no model yet, None when there is one."""
        return self._error

    @property
    def failures(self) -> int:
        """How many attempts failed."""
        return self._failures

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                model = self._load()
                if not self._stop.is_set():
                    self._loaded(model)
                self._error = None
                return
            except Exception as error:
                self._failures += 1
                self._error = f"{type(error).__name__}: {error}" if not str(error) else str(error)
                logger.warning("no model: %s; next attempt in %.0f s", self._error, self._pause)
                logger.debug("the attempt", exc_info=True)
            self._stop.wait(self._pause)
            self._pause = min(2 * self._pause, self._longest_pause)
