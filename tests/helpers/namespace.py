"""Network namespaces of a test's own, with a veth pair inside."""

from __future__ import annotations

import os
import shutil
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest


@dataclass(frozen=True)
class Namespace:
    """A namespace; what is sent into `sender` arrives at `sensor`."""

    name: str
    sender: str = "sender"
    sensor: str = "sensor"

    def command(self, *arguments: str) -> list[str]:
        return ["ip", "netns", "exec", self.name, *arguments]

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(*arguments), check=True, capture_output=True, text=True, timeout=120
        )


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True, text=True, timeout=30)


def require_tools(*names: str) -> None:
    """Skip the test where a tool is missing or namespaces are not allowed."""
    missing = [name for name in ("ip", *names) if shutil.which(name) is None]
    if missing:
        pytest.skip(f"needs {', '.join(missing)}")
    if os.geteuid() != 0:
        pytest.skip("needs root to make network namespaces")


@contextmanager
def network_namespace() -> Iterator[Namespace]:
    """Make a namespace with a veth pair whose ends are up and silent, and remove it afterwards."""
    namespace = Namespace(f"ml-ids-{uuid.uuid4().hex[:8]}")
    try:
        _ip("netns", "add", namespace.name)
    except subprocess.CalledProcessError as error:
        pytest.skip(f"network namespaces are not allowed here: {error.stderr.strip()}")
    try:
        namespace.run("sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=1")
        namespace.run("sysctl", "-qw", "net.ipv6.conf.default.disable_ipv6=1")
        namespace.run("ip", "link", "add", namespace.sender, "type", "veth", "peer", "name", namespace.sensor)
        for end in (namespace.sender, namespace.sensor):
            # Frames of segmentation offload, which the captures hold, exceed the usual 1500.
            namespace.run("ip", "link", "set", end, "mtu", "9000", "up")
        yield namespace
    finally:
        _ip("netns", "delete", namespace.name)
