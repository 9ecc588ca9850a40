"""The sidecar listening inside a namespace while a test sends."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from flows.parquet_files import read_parquet
from flows.table import FlowTable
from helpers.namespace import Namespace

CAPTURE_PROCESS = Path(__file__).parent / "capture_process.py"
SETTLE_SECONDS = 0.5


@dataclass
class LiveRun:
    """One run of the sidecar; what it tells is there when the run is over.

    Attributes:
        flows: what it emitted, None without any.
        interfaces: status of each interface after the stop.
        left_out: own connections of each interface.
        evidence: packets of evidence written.
    """

    namespace: Namespace
    interfaces: list[dict[str, Any]] = field(default_factory=list)
    left_out: list[list[str]] = field(default_factory=list)
    evidence: int = 0
    flows: FlowTable | None = None

    def send(self, capture: Path, *, into: str | None = None, speed: tuple[str, ...] = ("-t",)) -> None:
        self.namespace.run("tcpreplay", "-q", "-i", into or self.namespace.sender, *speed, str(capture))

    @property
    def counters(self) -> dict[str, Any]:
        counters: dict[str, Any] = self.interfaces[0]["counters"]
        return counters


@contextmanager
def live_run(
    namespace: Namespace, directory: Path, *, interfaces: str | None = None, **options: Any
) -> Iterator[LiveRun]:
    """Capture for the time of the block; what was sent in it is then in the run."""
    run = LiveRun(namespace)
    output = directory / "flows.parquet"
    watched = interfaces or namespace.sensor
    process = subprocess.Popen(
        namespace.command(
            sys.executable, "-P", str(CAPTURE_PROCESS), watched, str(output), json.dumps(options)
        ),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "running\n"
        yield run
        time.sleep(SETTLE_SECONDS)
        answer, _ = process.communicate("", timeout=60)
    finally:
        process.kill()
        process.wait(30)
    told = json.loads(answer)
    run.interfaces, run.left_out, run.evidence = told["stopped"], told["left_out"], told["evidence"]
    run.flows = read_parquet(output) if output.exists() else None


def assert_identities(status: dict[str, Any]) -> None:
    """Every frame and every flow is accounted for."""
    counters, frames = status["counters"], status["frames"]
    assert counters["packets"] == frames["frames"] - frames["merged"] + frames["segments"]
    assert counters["packets"] == counters["metered"] + counters["late"] + sum(counters["ignored"].values())
    ended = sum(counters["emitted"].values())
    assert counters["flows_opened"] == ended + counters["flows_dropped"] + counters["flows_live"]
