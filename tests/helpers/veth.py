"""A wire on this machine itself: what a container on the host's network may listen to."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from helpers.namespace import require_tools


@dataclass(frozen=True)
class Wire:
    """A veth pair; what is sent into `sender` arrives at `sensor`."""

    sender: str = "mlids-sender"
    sensor: str = "mlids-sensor"

    def replay(self, capture: Path, *, faster: int) -> None:
        speed = ("--multiplier", str(faster))
        _run("tcpreplay", "-q", "-i", self.sender, *speed, str(capture))


@contextmanager
def wire_on_the_host() -> Iterator[Wire]:
    """Make the pair, up and silent; removed afterwards."""
    require_tools("tcpreplay", "sysctl")
    wire = Wire()
    try:
        _run("ip", "link", "add", wire.sender, "type", "veth", "peer", "name", wire.sensor)
    except subprocess.CalledProcessError as error:
        pytest.skip(f"veth pairs are not allowed here: {error.stderr.strip()}")
    try:
        for end in (wire.sender, wire.sensor):
            _run("sysctl", "-qw", f"net.ipv6.conf.{end}.disable_ipv6=1")
            # Frames of segmentation offload, which the captures hold, exceed the usual 1500.
            _run("ip", "link", "set", end, "mtu", "9000", "up")
        yield wire
    finally:
        _run("ip", "link", "delete", wire.sender)


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True, text=True, timeout=120)
