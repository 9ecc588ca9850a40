from __future__ import annotations

import subprocess
import sys

import pytest

from capture import interfaces
from capture.decode import LINK_ETHERNET, LINK_RAW
from helpers.namespace import network_namespace, require_tools


@pytest.mark.needs_netns
def test_the_default_routes_interface_is_chosen() -> None:
    require_tools()
    with network_namespace() as namespace:
        namespace.run("ip", "address", "add", "10.99.0.1/24", "dev", namespace.sensor)
        assert _default_interface_inside(namespace.name) == "None"
        namespace.run("ip", "route", "add", "default", "via", "10.99.0.2", "dev", namespace.sensor)
        assert _default_interface_inside(namespace.name) == namespace.sensor


def _default_interface_inside(name: str) -> str:
    code = "import sys, capture.interfaces as i; sys.stdout.write(str(i.default_interface()))"
    command = ["ip", "netns", "exec", name, sys.executable, "-c", code]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout


def test_an_unknown_interface_is_refused_with_those_there_are() -> None:
    with pytest.raises(ValueError, match=r"no interface 'nosuch0' here; there are .*lo"):
        interfaces.check_interface("nosuch0")


def test_loopback_is_there() -> None:
    interfaces.check_interface("lo")


@pytest.mark.parametrize(("hardware", "link"), [(1, LINK_ETHERNET), (772, LINK_ETHERNET), (65534, LINK_RAW)])
def test_link_types_of_hardware(hardware: int, link: int) -> None:
    assert interfaces.link_type("eth0", hardware) == link


def test_undecodable_hardware_is_refused() -> None:
    with pytest.raises(ValueError, match="eth0 has hardware type 803"):
        interfaces.link_type("eth0", 803)
