"""The extractor's own environment under STATE_DIR/tools: made once, from pinned and hashed packages."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import orjson

RELEASES: Final = ("0.2.0", "0.5.0")
NAME: Final = "cicflowmeter"
_OWN_PYTHON: Final = (3, 12)
"""From this Python on the package index gives 0.5.0; before, 0.2.0."""

_HERE: Final = Path(__file__).parent
_BUILD: Final = _HERE / "build.txt"
_RECORD: Final = "ml-ids.json"
_WORKER: Final = _HERE / "worker.py"


@dataclass(frozen=True, slots=True)
class Environment:
    """An environment that is there.

    Attributes:
        release: the release of cicflowmeter in it.
        python: its interpreter.
    """

    release: str
    python: Path

    def command(self, *arguments: str) -> list[str]:
        """Return the command that runs the worker with its arguments."""
        return [str(self.python), "-I", str(_WORKER), *arguments]


def default_release() -> str:
    """Return the release that the package index gives this Python."""
    return "0.5.0" if sys.version_info >= _OWN_PYTHON else "0.2.0"


def find_environment(tools: Path) -> Environment:
    """Return the environment under STATE_DIR/tools.

    Raises:
        FileNotFoundError: there is none that works, or its pins are older than these; the message says
            what to do.
    """
    directory = tools / NAME
    python = directory / "bin" / "python"
    try:
        record = orjson.loads((directory / _RECORD).read_bytes())
    except (OSError, orjson.JSONDecodeError):
        record = {}
    release = record.get("release")
    if release not in RELEASES or record != _record(release) or not python.exists():
        state = "is out of date" if record else "is not there"
        raise FileNotFoundError(
            f"the environment of PyPI cicflowmeter, {directory}, {state}: run ml-ids setup-extractor"
        )
    return Environment(release, python)


def make_environment(tools: Path, release: str | None = None) -> Environment:
    """Make the environment, or return it when it is there already.

    Args:
        tools: STATE_DIR/tools.
        release: one of RELEASES; None: what is there, or what the package index gives this Python.

    Raises:
        ValueError: the release is unknown, or this Python cannot run it.
        OSError: it cannot be made, the package index not being reachable for one.
    """
    try:
        there = find_environment(tools)
        if release in (None, there.release):
            return there
    except FileNotFoundError:
        pass
    release = _usable(release or default_release())
    unfinished = tools / f".unfinished-{os.getpid()}-{NAME}"
    tools.mkdir(parents=True, exist_ok=True)
    try:
        _install(unfinished, release)
        (unfinished / _RECORD).write_bytes(orjson.dumps(_record(release)))
        shutil.rmtree(tools / NAME, ignore_errors=True)
        unfinished.rename(tools / NAME)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return find_environment(tools)


def _usable(release: str) -> str:
    if release not in RELEASES:
        raise ValueError(f"cicflowmeter {release} is not supported: choose {' or '.join(RELEASES)}")
    if release == "0.2.0" and sys.version_info >= _OWN_PYTHON:
        raise ValueError("cicflowmeter 0.2.0 needs scapy 2.5.0, which needs Python 3.11: choose 0.5.0")
    return release


def _install(directory: Path, release: str) -> None:
    _run([sys.executable, "-m", "venv", "--clear", str(directory)])
    pip = [str(directory / "bin" / "python"), "-m", "pip", "install", "--quiet", "--require-hashes"]
    pip += ["--disable-pip-version-check", "--no-input", "--retries", "2"]
    # scapy 2.5.0 is source only: it is built with what is pinned, not with what pip would fetch for it.
    _run([*pip, "--requirement", str(_BUILD)])
    # 0.5.0 asks for Python 3.12; what is used of it runs on 3.11.
    _run([*pip, "--no-build-isolation", "--ignore-requires-python", "--requirement", str(_pins(release))])
    _run([str(directory / "bin" / "python"), "-I", "-c", "import cicflowmeter.flow_session"])


def _run(command: list[str]) -> None:
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    if ran.returncode:
        raise OSError(
            f"the environment of PyPI cicflowmeter cannot be made: {_cause(ran.stderr + ran.stdout)}"
        )


def _cause(output: str) -> str:
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    # Without a network pip ends by saying that there is no such package.
    unanswered = [line for line in lines if "Retrying" in line]
    if unanswered:
        why = unanswered[0].rpartition(">: ")[2].partition("')")[0]
        return f"the package index that pip is configured for does not answer: {why}"
    errors = [line for line in lines if line.startswith("ERROR")] or lines
    return errors[-1] if errors else "no message"


def _pins(release: str) -> Path:
    return _HERE / f"{NAME}-{release}.txt"


def _record(release: str) -> dict[str, str]:
    pins = hashlib.sha256(_BUILD.read_bytes() + _pins(release).read_bytes()).hexdigest()
    return {"release": release, "python": f"{sys.version_info.major}.{sys.version_info.minor}", "pins": pins}
