"""The servers that benchmarks/http_api.py compares, each as processes of its own."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import venv
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import httpx
from stacks import VERSION, make_stack, write_stack

from detection.mlflow_client import embedded_uri, open_client
from detection.registration import register_package

VAR = Path(__file__).resolve().parent.parent / "var"
DIRECTORY = VAR / "bench" / "http"
# Its workers rely on the event loop that later uvloops no longer make unasked.
MLSERVER = ("mlserver==1.7.1", "mlserver-mlflow==1.7.1", "uvloop<0.22")
START_SECONDS, END_SECONDS = 300.0, 30.0


@dataclass(frozen=True)
class Server:
    """A server that is up."""

    name: str
    url: str
    process: subprocess.Popen[bytes]

    def answer(self, body: bytes) -> object:
        """Return its answer on /invocations."""
        headers = {"Content-Type": "application/json"}
        response = httpx.post(f"{self.url}/invocations", content=body, headers=headers, timeout=60)
        response.raise_for_status()
        return response.json()

    def resident_mb(self) -> float:
        """Return the resident set of its first process, in 10^6 bytes."""
        lines = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        (kilobytes,) = (line.split()[1] for line in lines if line.startswith("VmRSS:"))
        return int(kilobytes) * 1024 / 1e6


def prepared() -> Path:
    """Return a folder with the model for all servers in package/ and state/; written on the first call."""
    finished = DIRECTORY / ".complete"
    if not finished.exists() or finished.read_text() != VERSION:
        shutil.rmtree(DIRECTORY, ignore_errors=True)
        package, state = DIRECTORY / "package", DIRECTORY / "state"
        package.mkdir(parents=True)
        state.mkdir()
        write_stack(make_stack(), package)
        artifacts = (state / "mlartifacts").as_uri()
        client = open_client(embedded_uri(state))
        register_package(client, package, "ml-ids", alias="champion", artifacts=artifacts)
        finished.write_text(VERSION)
    return DIRECTORY


@contextmanager
def ml_ids(directory: Path, **more: str) -> Iterator[Server]:
    """Run this service as `ml-ids serve` starts it, without capture and demo; `more` are settings."""
    port = free_port()
    settings = {
        **{"PORT": str(port), "START_CICFLOWMETER": "false", "DEMO": "0"},
        **{"STATE_DIR": str(directory / "state"), "LOG_DIR": str(directory / "logs")},
        **more,
    }
    command = [str(Path(sys.executable).parent / "ml-ids"), "serve"]
    with _running("ML-IDS", command, port, settings) as server:
        yield server


@contextmanager
def mlflow_serve(directory: Path) -> Iterator[Server]:
    """Run `mlflow models serve` with this environment's MLflow."""
    port = free_port()
    command = [sys.executable, "-m", "mlflow", "models", "serve", "--env-manager", "local"]
    command += ["-m", str(directory / "package"), "-h", "127.0.0.1", "-p", str(port)]
    with _running(f"mlflow models serve {version('mlflow')}", command, port, {}) as server:
        yield server


@contextmanager
def mlserver(directory: Path) -> Iterator[Server]:
    """Run MLServer with its MLflow runtime, in an environment of its own."""
    folder = directory / "mlserver"
    folder.mkdir(exist_ok=True)
    port = free_port()
    settings = {
        **{"host": "127.0.0.1", "http_port": port, "grpc_port": free_port(), "metrics_port": free_port()},
        **{"debug": False, "environments_dir": str(folder / "environments")},
    }
    model = {
        "name": "ml-ids",
        "implementation": "mlserver_mlflow.MLflowRuntime",
        "parameters": {"uri": str(directory / "package")},
    }
    (folder / "settings.json").write_text(json.dumps(settings))
    (folder / "model-settings.json").write_text(json.dumps(model))
    command = [str(_mlserver_python().parent / "mlserver"), "start", str(folder)]
    with _running("MLServer 1.7.1", command, port, {}) as server:
        yield server


def _mlserver_python() -> Path:
    """Return the interpreter of MLServer's own environment, made on the first call."""
    directory = VAR / "tools" / "mlserver-1.7.1"
    python, finished = directory / "bin" / "python", directory / ".complete"
    if not finished.exists():
        venv.create(directory, with_pip=True, clear=True)
        shared = [
            f"{name}=={version(name)}" for name in ("mlflow", "scikit-learn", "skops", "numpy", "pandas")
        ]
        subprocess.run([python, "-m", "pip", "install", "--quiet", *MLSERVER, *shared], check=True)
        finished.touch()
    return python


@contextmanager
def _running(name: str, command: Sequence[str], port: int, settings: dict[str, str]) -> Iterator[Server]:
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"} | settings
    log = DIRECTORY / f"{name.split()[0].lower()}.out"
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, env=environment, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
        )
    server = Server(name, f"http://127.0.0.1:{port}", process)
    try:
        _wait(server, log)
        yield server
    finally:
        # Its workers are processes of the same group.
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _wait(server: Server, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    path = "/v2/health/ready" if server.name.startswith("MLServer") else "/ping"
    while True:
        if server.process.poll() is not None or time.monotonic() > deadline:
            sys.exit(f"{server.name} did not start:\n{log.read_text()[-3000:]}")
        try:
            if httpx.get(f"{server.url}{path}", timeout=5).status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.5)


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])
