"""The lab's network: hosts in namespaces of their own, all on one bridge in another."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from ipaddress import IPv4Address, ip_interface
from pathlib import Path
from typing import Final

from lab import namespaces
from lab.guard import LAB_V4, LAB_V6, SILENT_V4
from lab.namespaces import ip
from lab.programs import Program
from lab.scenario import HostSpec, Network, Scenario

IP: Final = Program("ip", "iproute2")
TC: Final = Program("tc", "iproute2")
ETHTOOL: Final = Program("ethtool", "ethtool")
IPTABLES: Final = Program("iptables", "iptables")
BRIDGE: Final = "br0"
SWITCH: Final = "_switch"
SILENCE: Final = "_silence"
SYSCTLS: Final[dict[str, int | str]] = {
    "net.ipv4.conf.all.send_redirects": 0,
    "net.ipv4.conf.default.send_redirects": 0,
    "net.ipv6.conf.all.accept_ra": 0,
    "net.ipv6.conf.default.accept_ra": 0,
    # Hosts answer every closed port: what the sensor sees is the attack, not the kernel's patience.
    "net.ipv4.icmp_ratelimit": 0,
    "net.ipv4.ping_group_range": "0 2147483647",
    "net.ipv4.ip_unprivileged_port_start": 0,
}


@dataclass(frozen=True, slots=True)
class Host:
    """A host that is there.

    Attributes:
        name: as the scenario calls it.
        namespace: where it lives.
        address, address6: its own; the latter "" without IPv6.
        seen: addresses that the sensor sees it under.
        spec: what it is.
    """

    name: str
    namespace: str
    address: str
    address6: str
    seen: tuple[str, ...]
    spec: HostSpec

    def talks_from(self, *, ipv6: bool) -> str:
        """Return its address of a family."""
        return self.address6 if ipv6 and self.address6 else self.address


@dataclass
class Fabric:
    """The network of one scenario.

    Attributes:
        scenario: whose network it is.
        network: the conditions.
        switch: the namespace of the bridge, where the sensor listens.
        hosts: by name.
    """

    scenario: Scenario
    network: Network
    switch: str
    hosts: dict[str, Host] = field(default_factory=dict)
    _ports: int = 0

    def packets(self) -> int:
        """Return how many packets hosts have sent so far."""
        ports = json.loads(ip("-n", self.switch, "-j", "-s", "link", "show", "master", BRIDGE))
        return sum(int(port["stats64"]["rx"]["packets"]) for port in ports)

    def build(self) -> None:
        """Make the bridge and all hosts.

        Raises:
            OSError: namespaces or one of the conditions are not to be had here.
        """
        namespaces.add(self.switch)
        _sysctl(self.switch, {"net.ipv6.conf.all.disable_ipv6": 1, "net.ipv6.conf.default.disable_ipv6": 1})
        self._bridge(BRIDGE)
        self._silence()
        members = list(self.scenario.host_names())
        gateways = [name for name, _ in members if any(spec.behind == name for _, spec in members)]
        for number in range(len(gateways)):
            self._bridge(f"in{number}")
        for number, (name, spec) in enumerate(members, 10):
            if spec.behind is None:
                self._add(name, spec, number)
        for number, gateway in enumerate(gateways):
            self._translate(self.hosts[gateway], number)
        for number, (name, spec) in enumerate(members, 10):
            if spec.behind is not None:
                self._add_behind(name, spec, number, gateways.index(spec.behind))

    def _bridge(self, name: str) -> None:
        ip("-n", self.switch, "link", "add", name, "type", "bridge", "mcast_snooping", "0")
        ip("-n", self.switch, "link", "set", name, "mtu", str(self.network.mtu), "up")

    def _add(self, name: str, spec: HostSpec, number: int) -> Host:
        namespace = self._namespace(name)
        address, address6 = str(LAB_V4[number]), str(LAB_V6[number]) if self.network.ipv6 else ""
        self._plug(namespace, "eth0", BRIDGE)
        ip("-n", namespace, "address", "add", f"{address}/{SILENT_V4.prefixlen}", "dev", "eth0")
        if address6:
            ip("-n", namespace, "address", "add", f"{address6}/{LAB_V6.prefixlen}", "dev", "eth0", "nodad")
        if name != SILENCE:
            ip("-n", namespace, "route", "add", str(SILENT_V4), "via", str(LAB_V4[SILENCE_NUMBER]))
        seen = (address, address6) if address6 else (address,)
        self.hosts[name] = host = Host(name, namespace, address, address6, seen, spec)
        return host

    def _silence(self) -> None:
        """Make the host that takes what is sent to addresses at which nobody is."""
        host = self._add(SILENCE, HostSpec(), SILENCE_NUMBER)
        ip("-n", host.namespace, "route", "add", "blackhole", str(SILENT_V4))
        _sysctl(host.namespace, {"net.ipv4.ip_forward": 1})
        del self.hosts[SILENCE]

    def _add_behind(self, name: str, spec: HostSpec, number: int, gateway: int) -> None:
        namespace = self._namespace(name)
        inner = _inner(gateway)
        self._plug(namespace, "eth0", f"in{gateway}")
        ip("-n", namespace, "address", "add", f"{inner + number}/24", "dev", "eth0")
        ip("-n", namespace, "route", "add", str(LAB_V4), "via", str(inner + 1))
        assert spec.behind is not None
        seen = self.hosts[spec.behind].seen
        self.hosts[name] = Host(name, namespace, str(inner + number), "", seen, spec)

    def _translate(self, host: Host, number: int) -> None:
        iptables = IPTABLES.required()
        self._plug(host.namespace, "eth1", f"in{number}")
        ip("-n", host.namespace, "address", "add", f"{_inner(number) + 1}/24", "dev", "eth1")
        _sysctl(host.namespace, {"net.ipv4.ip_forward": 1})
        _run(host.namespace, iptables, "-t", "nat", "-A", "POSTROUTING", "-o", "eth0", "-j", "MASQUERADE")

    def _namespace(self, host: str) -> str:
        name = namespaces.own_name(host)
        namespaces.add(name)
        options = self.network
        _sysctl(
            name,
            SYSCTLS
            | {
                "net.ipv4.tcp_timestamps": int(options.timestamps),
                "net.ipv4.tcp_sack": int(options.sack),
                "net.ipv4.tcp_window_scaling": int(options.window_scaling),
                "net.ipv6.conf.all.disable_ipv6": int(not options.ipv6),
                "net.ipv6.conf.default.disable_ipv6": int(not options.ipv6),
            },
        )
        return name

    def _plug(self, namespace: str, interface: str, bridge: str) -> None:
        """Lay a cable from a host to a bridge."""
        port = f"p{self._ports}"
        self._ports += 1
        ip(
            *("-n", self.switch, "link", "add", port, "mtu", str(self.network.mtu), "type", "veth"),
            *("peer", "name", interface, "mtu", str(self.network.mtu), "netns", namespace),
        )
        ip("-n", self.switch, "link", "set", port, "master", bridge, "up")
        ip("-n", namespace, "link", "set", interface, "up")
        if not self.network.offloads:
            _run(
                namespace,
                ETHTOOL.required(),
                "-K",
                interface,
                "tx",
                "off",
                "tso",
                "off",
                "gso",
                "off",
                "gro",
                "off",
            )
            _run(self.switch, ETHTOOL.required(), "-K", port, "tx", "off", "gro", "off")
        if self.network.rate_mbit is not None:
            rate = f"{self.network.rate_mbit}mbit"
            limit = ("root", "tbf", "rate", rate, "burst", "32kb", "latency", "100ms")
            _run(namespace, TC.required(), "qdisc", "add", "dev", interface, *limit)


SILENCE_NUMBER: Final = SILENT_V4.num_addresses - 2
"""The last address of the half of the lab's prefix in which hosts are."""


@contextmanager
def fabric(scenario: Scenario, seed: int) -> Iterator[Fabric]:
    """Give the network that a seed makes of a scenario; afterwards it is gone, and all that runs in it.

    What runs of the lab that were killed left behind is removed first.

    Raises:
        PermissionError: namespaces need root.
        FileNotFoundError: a program is not installed.
        OSError: the kernel lacks something.
    """
    if os.geteuid() != 0:
        raise PermissionError(
            "the lab makes network namespaces: run it as root, sudo .venv/bin/ml-ids lab run …"
        )
    IP.required()
    namespaces.remove_leftovers()
    built = Fabric(scenario, scenario.conditions(seed), namespaces.own_name(SWITCH))
    try:
        built.build()
        yield built
    finally:
        namespaces.remove_own()


def resolver(host: Host, address: str) -> None:
    """Let a host ask for names at an address of the lab, or nowhere."""
    folder = namespaces.etc(host.namespace)
    Path(folder, "resolv.conf").write_text(f"nameserver {address}\n" if address else "")
    Path(folder, "hosts").write_text("127.0.0.1 localhost\n")


def _inner(gateway: int) -> IPv4Address:
    """Return the network address of the hosts behind a gateway; nobody else sees it."""
    return IPv4Address(ip_interface("198.19.0.0").ip) + 256 * gateway


def _sysctl(namespace: str, values: dict[str, int | str]) -> None:
    _run(namespace, "sysctl", "-qw", *(f"{name}={value}" for name, value in values.items()))


def _run(namespace: str, *command: str) -> None:
    done = subprocess.run(
        namespaces.inside(namespace, command), capture_output=True, text=True, timeout=30, check=False
    )
    if done.returncode:
        raise OSError(f"{' '.join(command)}: {done.stderr.strip()}")
