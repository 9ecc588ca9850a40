from __future__ import annotations

import subprocess
import sys

import pytest

from capture.offloads import cure, read_mtu, read_offloads
from helpers.namespace import Namespace, network_namespace, require_tools

FEATURES = {
    "gro": "generic-receive-offload",
    "lro": "large-receive-offload",
    "tso": "tcp-segmentation-offload",
    "gso": "generic-segmentation-offload",
}


def ethtool_says(namespace: Namespace) -> dict[str, bool]:
    lines = namespace.run("ethtool", "-k", namespace.sensor).stdout.splitlines()
    states = {
        name.strip(): state.split()[0] == "on" for name, _, state in (s.partition(":") for s in lines[1:])
    }
    return {name: states[feature] for name, feature in FEATURES.items()}


def read_inside(namespace: Namespace) -> dict[str, bool]:
    code = "import sys, capture.offloads as o; sys.stdout.write(repr(o.read_offloads(sys.argv[1])))"
    answer = namespace.run(sys.executable, "-c", code, namespace.sensor).stdout
    states: dict[str, bool] = eval(answer)
    return states


@pytest.mark.needs_netns
def test_offloads_are_those_that_ethtool_shows_and_its_cure_works() -> None:
    require_tools("ethtool")
    with network_namespace() as namespace:
        for feature in ("gro", "tso", "gso"):
            namespace.run("ethtool", "-K", namespace.sensor, feature, "on")
            assert read_inside(namespace) == ethtool_says(namespace)
        command = cure(namespace.sensor, read_inside(namespace))
        assert command == f"ethtool -K {namespace.sensor} gro off tso off gso off"
        namespace.run(*command.split())
        assert read_inside(namespace) == ethtool_says(namespace)
        assert cure(namespace.sensor, read_inside(namespace)) is None


def test_what_no_driver_tells_is_left_out() -> None:
    assert read_offloads("nosuch0") == {}
    assert cure("nosuch0", {}) is None


def test_mtu() -> None:
    shown = subprocess.run(["cat", "/sys/class/net/lo/mtu"], check=True, capture_output=True, text=True)
    assert read_mtu("lo") == int(shown.stdout)
    with pytest.raises(OSError, match="No such device"):
        read_mtu("nosuch0")
