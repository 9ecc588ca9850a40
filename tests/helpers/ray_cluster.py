"""A Ray cluster of several nodes on loopback, each a process of its own as its users start it."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from helpers.server import wait_until
from helpers.tools import free_port

RAY = Path(sys.executable).parent / "ray"
STORE_BYTES = 100_000_000
START_SECONDS = 180.0


@dataclass
class Node:
    """One node: the process of `ray start --block`."""

    process: subprocess.Popen[bytes]
    output: Path

    def busy(self, task: str) -> bool:
        """Whether a worker of it runs a task, by what the process calls itself."""
        return any(_title(each).startswith(f"ray::{task}") for each in descendants(self.process.pid))

    def kill(self) -> None:
        """End all its processes at once, as a machine that loses its power."""
        for each in [self.process.pid, *descendants(self.process.pid)]:
            try:
                os.kill(each, signal.SIGKILL)
            except ProcessLookupError:
                continue
        self.process.wait(30)


@dataclass
class RayCluster:
    """A running cluster.

    Attributes:
        address: what RAY_ADDRESS is to be.
        environment: of its nodes, and of commands that use it.
        nodes: the head first.
    """

    address: str
    environment: dict[str, str]
    folder: Path
    nodes: list[Node] = field(default_factory=list)

    def add(self, *arguments: str, cpus: int = 1) -> Node:
        """Start one more node and wait until it is there."""
        output = self.folder / f"node{len(self.nodes)}.txt"
        command = [str(RAY), "start", *arguments, "--block", "--node-ip-address", "127.0.0.1"]
        command += ["--num-cpus", str(cpus), "--object-store-memory", str(STORE_BYTES)]
        command += ["--disable-usage-stats"]
        command += ["--dashboard-agent-listen-port", str(free_port())]
        with output.open("wb") as stream:
            process = subprocess.Popen(
                command, env=os.environ | self.environment, stdout=stream, stderr=subprocess.STDOUT
            )
        node = Node(process, output)
        self.nodes.append(node)
        wait_until(
            lambda: b"Ray runtime started" in output.read_bytes() or process.poll() is not None,
            seconds=START_SECONDS,
        )
        assert process.poll() is None, output.read_text()
        return node


@contextmanager
def ray_cluster(nodes: int = 2, **environment: str) -> Iterator[RayCluster]:
    """Run a cluster of nodes with a processor each."""
    # Sockets lie below it, whose paths may have 107 characters.
    folder = Path(tempfile.mkdtemp(prefix="mlray"))
    address = f"127.0.0.1:{free_port()}"
    known = {
        "RAY_ADDRESS": address,
        "HOME": str(folder),
        "NO_COLOR": "1",
        "RAY_local_fs_capacity_threshold": "0.999",
    } | environment
    cluster = RayCluster(address, known, folder)
    try:
        port = address.rpartition(":")[2]
        cluster.environment.pop("RAY_ADDRESS")
        cluster.add(
            "--head", "--port", port, "--include-dashboard", "false", "--temp-dir", str(folder / "ray")
        )
        for _ in range(nodes - 1):
            cluster.add("--address", address)
        cluster.environment["RAY_ADDRESS"] = address
        yield cluster
    finally:
        for node in cluster.nodes:
            node.kill()
        shutil.rmtree(folder, ignore_errors=True)


def descendants(pid: int) -> list[int]:
    """Return the processes that a process started, and those that these did."""
    parents: dict[int, int] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents[int(stat.parent.name)] = int(stat.read_text().rpartition(")")[2].split()[1])
        except (FileNotFoundError, ProcessLookupError):
            continue
    found, last = [], [pid]
    while last := [each for each, parent in parents.items() if parent in last]:
        found += last
    return found


def _title(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return ""
