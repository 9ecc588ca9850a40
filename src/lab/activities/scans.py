"""Scans with nmap."""

from __future__ import annotations

from ipaddress import ip_network
from typing import Final, Literal

from pydantic import Field

from lab.activities.kind import ANY_CODE, Kind, Parameters, Task, all_others
from lab.programs import Program

NMAP: Final = Program("nmap", "nmap")
SCANS: Final = {
    "syn": "-sS",
    "connect": "-sT",
    "fin": "-sF",
    "null-scan": "-sN",
    "xmas": "-sX",
    "maimon": "-sM",
    "ack": "-sA",
    "window": "-sW",
    "udp": "-sU",
    "protocols": "-sO",
}
ScanName = Literal[
    "syn", "connect", "fin", "null-scan", "xmas", "maimon", "ack", "window", "udp", "protocols"
]  # fmt: skip
PINGS: Final = {"echo": "-PE", "syn": "-PS", "ack": "-PA", "udp": "-PU", "timestamp": "-PP"}


class PortScan(Parameters):
    """A scan of one host's ports.

    Attributes:
        scan: the kind of packets.
        ports: how many of the most usual ports.
        timing: nmap's template, 1 sneaky to 5 insane.
        max_rate: packets a second at most.
        fragments: in fragments of 8 bytes.
    """

    scan: Literal[
        "syn", "connect", "fin", "null-scan", "xmas", "maimon", "ack", "window", "udp", "protocols"
    ] = "syn"
    ports: int = Field(200, ge=1, le=5000)
    timing: int = Field(4, ge=1, le=5)
    max_rate: int = Field(1000, ge=1, le=20_000)
    fragments: bool = False


class Inventory(Parameters):
    """What listens, which version, which system.

    Attributes:
        ports: how many of the most usual ports.
        system: whether it is to be guessed.
        scripts: whether nmap's default scripts run.
    """

    ports: int = Field(30, ge=1, le=500)
    system: bool = True
    scripts: bool = False


class Sweep(Parameters):
    """Who is there, in a whole network.

    Attributes:
        ping: the kind of packets.
        prefix: the network's length.
        max_rate: packets a second at most.
    """

    ping: Literal["echo", "syn", "ack", "udp", "timestamp"] = "echo"
    prefix: int = Field(26, ge=20, le=30)
    max_rate: int = Field(200, ge=1, le=10_000)


class PortSweep(Parameters):
    """One or few ports of a whole network, as masscan and worms look for them.

    Attributes:
        ports: of each address.
        prefix: the network's length.
        min_rate: packets a second at least.
    """

    ports: Literal["22", "23", "80", "445", "3389", "22,2222", "80,443,8080", "21,22,23,80"] = "445"
    prefix: int = Field(24, ge=20, le=30)
    min_rate: int = Field(500, ge=1, le=10_000)


class Lateral(Parameters):
    """A host that was taken over looks at its neighbours.

    Attributes:
        scan: the kind of packets.
        ports: how many of the most usual ports.
        max_rate: packets a second at most.
    """

    scan: Literal["connect", "syn"] = "connect"
    ports: int = Field(20, ge=1, le=500)
    max_rate: int = Field(100, ge=1, le=5000)


def _nmap(task: Task, *options: str) -> list[str]:
    # No names are looked up, and nobody is asked whether the host is there.
    family = ("-6",) if ":" in task.address else ()
    return ["nmap", "-n", "--host-timeout", f"{task.seconds:.0f}s", "--max-retries", "1", *family, *options]


def port_scan(task: Task) -> list[str]:
    """Scan one host."""
    wanted: PortScan = task.parameters
    options = ["-Pn", SCANS[wanted.scan], f"-T{wanted.timing}", "--max-rate", str(wanted.max_rate)]
    if wanted.scan != "protocols":
        options += ["--top-ports", str(wanted.ports)]
    if wanted.fragments and wanted.scan not in ("connect", "udp", "protocols"):
        options.append("-f")
    return _nmap(task, *options, task.address)


def inventory(task: Task) -> list[str]:
    """Ask every open port what it is."""
    wanted: Inventory = task.parameters
    options = ["-Pn", "-sV", "--top-ports", str(wanted.ports)]
    options += ["-O"] if wanted.system else []
    options += ["-sC"] if wanted.scripts else []
    return _nmap(task, *options, task.address)


def _network(task: Task) -> str:
    return str(ip_network(f"{task.address}/{task.parameters.prefix}", strict=False))


def _swept(task: Task) -> tuple[str, ...]:
    return (_network(task), *task.others)


def sweep(task: Task) -> list[str]:
    """Look for hosts among addresses of nobody, and those that are there."""
    wanted: Sweep = task.parameters
    rate = ("--disable-arp-ping", "--send-ip", "--max-rate", str(wanted.max_rate))
    return _nmap(task, "-sn", PINGS[wanted.ping], *rate, *_swept(task))


def port_sweep(task: Task) -> list[str]:
    """Look for open ports among addresses of nobody, and those that are there."""
    wanted: PortSweep = task.parameters
    rate = ("--disable-arp-ping", "--send-ip", "--min-rate", str(wanted.min_rate))
    return _nmap(task, "-Pn", "-sS", "-p", wanted.ports, *rate, *_swept(task))


def lateral(task: Task) -> list[str]:
    """Look at every other host."""
    wanted: Lateral = task.parameters
    options = (
        "-Pn",
        SCANS[wanted.scan],
        "--top-ports",
        str(wanted.ports),
        "--max-rate",
        str(wanted.max_rate),
    )
    return _nmap(task, *options, *task.others)


KINDS: Final = (
    Kind("nmap", "Portscan", NMAP, PortScan, port_scan),
    Kind("inventory", "Portscan", NMAP, Inventory, inventory),
    Kind("sweep", "Portscan", NMAP, Sweep, sweep, ipv6=False, targets=_swept, codes=ANY_CODE),
    Kind("port-sweep", "Portscan", NMAP, PortSweep, port_sweep, ipv6=False, targets=_swept, codes=ANY_CODE),
    Kind("lateral", "Infiltration - Portscan", NMAP, Lateral, lateral, targets=all_others),
)
