"""Compiles the kernels on the very first start, in processes of its own.

The compiler takes some 400 MB that a process never gives back; what it made is loaded from the cache.
"""

from __future__ import annotations

import logging
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final

import numpy as np

from capture.warm_up import warm_up_files, warm_up_live_capture
from context.stage import ContextStage
from detection.drift import Drift
from detection.package import load_package
from detection.registry import STARTER
from flows.dialects import IMPROVED
from flows.jit import CACHE_DIRECTORY
from flows.schema import IMPROVED_NAMES
from flows.starts import START
from flows.table import FlowTable

MODULE: Final = "inference_server.kernels"
MARKER: Final = "compiled"
STOP_SECONDS: Final = 1.0
logger = logging.getLogger(__name__)


def _capture() -> None:
    warm_up_live_capture()
    warm_up_files()
    ContextStage(starts=1, kept=1).learn(np.zeros(1, START))


def _detection() -> None:
    scorer = load_package(STARTER)
    drift = Drift()
    drift.watch(scorer.record)
    for names in (IMPROVED_NAMES, scorer.record.features):
        for rows in (1, 64):
            flows = FlowTable.from_features(np.ones((rows, len(names))), names, IMPROVED)
            drift.add(flows, scorer.score(flows))
    scorer.warm_up()


PARTS: Final[dict[str, Callable[[], None]]] = {"capture": _capture, "detection": _detection}


class Kernels:
    """What must be compiled before the threads that call it start."""

    def __init__(self, cache: Path | None = CACHE_DIRECTORY) -> None:
        self._cache = cache
        self._processes: list[subprocess.Popen[bytes]] = []
        self._lock = threading.Lock()
        self._stopping = False
        self._thread: threading.Thread | None = None

    def then(self, go_on: Callable[[], None]) -> None:
        """Call `go_on` once all is compiled: at once when it is, from a thread otherwise.

        It is not called after `stop`. Without a cache, or when compiling fails, it compiles what it calls.
        """
        if self._cache is None:
            logger.warning("NUMBA_CACHE_DIR is not writable: kernels are compiled at every start")
        if self._cache is None or (self._cache / MARKER).exists():
            go_on()
            return
        self._thread = threading.Thread(target=self._compile, args=(go_on,), name="kernels", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Break the compilation off."""
        with self._lock:
            self._stopping = True
            for process in self._processes:
                process.terminate()
        if self._thread:
            self._thread.join(STOP_SECONDS)

    def _compile(self, go_on: Callable[[], None]) -> None:
        logger.info("compiling: only the very first start takes this long")
        with self._lock:
            if self._stopping:
                return
            command = [sys.executable, "-P", "-m", MODULE]
            for part in PARTS:
                try:
                    self._processes.append(subprocess.Popen([*command, part], stderr=subprocess.DEVNULL))
                except OSError as error:
                    logger.debug("no process to compile in: %s", error)
        statuses = [process.wait() for process in self._processes]
        with self._lock:
            if self._stopping:
                return
            if self._cache and statuses == [0] * len(PARTS):
                (self._cache / MARKER).touch()
            go_on()


def compile_all() -> None:
    """Compile every kernel, in processes of its own, for services that start later.

    Raises:
        OSError: there is no cache, or it misses some.
    """
    done = threading.Event()
    Kernels(CACHE_DIRECTORY).then(done.set)
    done.wait()
    if CACHE_DIRECTORY is None or not (CACHE_DIRECTORY / MARKER).exists():
        raise OSError("the kernels could not be compiled into NUMBA_CACHE_DIR")


if __name__ == "__main__":
    PARTS[sys.argv[1]]() if sys.argv[1:] else compile_all()
