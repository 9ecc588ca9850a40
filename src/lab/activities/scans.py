"""Scans with nmap."""

from __future__ import annotations

from typing import Final, Literal

from pydantic import Field

from lab.activities.kind import Kind, Parameters, Task
from lab.programs import Program

NMAP: Final = Program("nmap", "nmap")
SCANS: Final = {
    "syn": "-sS",
    "connect": "-sT",
    "fin": "-sF",
    "null": "-sN",
    "xmas": "-sX",
    "maimon": "-sM",
    "ack": "-sA",
    "window": "-sW",
    "udp": "-sU",
}


class PortScan(Parameters):
    """A scan of one host's ports.

    Attributes:
        scan: the kind of packets.
        ports: how many of the most usual ports.
        timing: nmap's template, 1 sneaky to 5 insane.
        max_rate: packets a second at most.
        fragments: in fragments of 8 bytes.
    """

    scan: Literal["syn", "connect", "fin", "null", "xmas", "maimon", "ack", "window", "udp"] = "syn"
    ports: int = Field(200, ge=1, le=5000)
    timing: int = Field(4, ge=1, le=5)
    max_rate: int = Field(1000, ge=1, le=20_000)
    fragments: bool = False


def port_scan(task: Task) -> list[str]:
    """Return nmap's command line; no names are looked up, and the host is taken to be there."""
    wanted: PortScan = task.parameters
    options = [
        "--max-retries",
        "1",
        "--max-rate",
        str(wanted.max_rate),
        "--host-timeout",
        f"{task.seconds:.0f}s",
    ]
    if wanted.fragments and wanted.scan != "connect":
        options.append("-f")
    if ":" in task.address:
        options.append("-6")
    return [
        *("nmap", "-n", "-Pn", SCANS[wanted.scan], f"-T{wanted.timing}", "--top-ports", str(wanted.ports)),
        *options,
        task.address,
    ]


KINDS: Final = (Kind("nmap", "Portscan", NMAP, PortScan, port_scan),)
