from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from helpers.server import wait_until
from inference_server import kernels as module
from inference_server.kernels import MARKER, Kernels, compile_all


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """A part that takes no time; what it is given says how it ends."""
    monkeypatch.setattr(module, "MODULE", "json.tool")


def test_what_is_compiled_is_not_compiled_again(tmp_path: Path) -> None:
    called: list[str] = []
    (tmp_path / MARKER).touch()
    Kernels(tmp_path).then(lambda: called.append(threading.current_thread().name))
    Kernels(None).then(lambda: called.append(threading.current_thread().name))
    assert called == [threading.current_thread().name] * 2


def test_the_first_start_waits_for_the_compiler(tmp_path: Path) -> None:
    gone_on = threading.Event()
    Kernels(tmp_path).then(gone_on.set)
    wait_until(gone_on.is_set, seconds=300)
    assert (tmp_path / MARKER).exists()


def test_a_compiler_that_fails_stops_nothing(tmp_path: Path, quick: None) -> None:
    gone_on = threading.Event()
    Kernels(tmp_path).then(gone_on.set)
    assert gone_on.wait(60)
    assert not (tmp_path / MARKER).exists()


def test_without_a_cache_it_says_so(caplog: pytest.LogCaptureFixture) -> None:
    gone_on = threading.Event()
    Kernels(None).then(gone_on.set)
    assert gone_on.is_set()
    assert "NUMBA_CACHE_DIR is not writable" in caplog.text


def test_compiling_ahead_into_no_cache_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CACHE_DIRECTORY", None)
    with pytest.raises(OSError, match="NUMBA_CACHE_DIR"):
        compile_all()


def test_a_stop_breaks_it_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PARTS", {"slow": lambda: None})
    monkeypatch.setattr(subprocess, "Popen", _Endless)
    gone_on = threading.Event()
    kernels = Kernels(tmp_path)
    kernels.then(gone_on.set)
    wait_until(lambda: kernels._processes)
    kernels.stop()
    wait_until(lambda: kernels._processes[0].poll() is not None)
    assert not gone_on.wait(0.2)


class _Endless(subprocess.Popen):  # type: ignore[type-arg]
    def __init__(self, command: list[str], **options: object) -> None:
        super().__init__([sys.executable, "-c", "import time; time.sleep(600)"])
