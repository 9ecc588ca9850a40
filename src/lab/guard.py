"""What the testbed may touch: addresses of its own prefixes, and nothing else."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Final

LAB_V4: Final = IPv4Network("198.18.0.0/15")
"""RFC 2544: for tests of network devices, routed nowhere."""
LAB_V6: Final = IPv6Network("2001:2::/48")
"""RFC 5180: the same for IPv6."""
SILENT_V4: Final = IPv4Network("198.18.128.0/17")
"""Addresses of the lab at which nobody answers."""

_V4: Final = r"(?<![\d.])\d{1,3}(?:\.\d{1,3}){3}(?![\d.])"
_V6: Final = r"(?<![\w:.])[0-9A-Fa-f]{0,4}(?::[0-9A-Fa-f]{0,4}){2,7}(?![\w:])"
_LITERAL: Final = re.compile(rf"(?:{_V4}|{_V6})(?:/\d+)?")


def check_target(target: str) -> str:
    """Return an address or network of the lab as it is.

    Raises:
        ValueError: it is no address, or lies outside of the lab's prefixes.
    """
    network = ip_network(target, strict=False)
    inside = network.subnet_of(LAB_V4) if isinstance(network, IPv4Network) else network.subnet_of(LAB_V6)
    if not inside:
        raise ValueError(
            f"{target}: not one of the lab's addresses ({LAB_V4}, {LAB_V6}): nothing is sent there"
        )
    return target


def check_command(command: Sequence[str], targets: Iterable[str]) -> None:
    """Check what a tool is aimed at, and every address that its command line names.

    Addresses of the host itself (127.0.0.0/8, ::1) are allowed on the command line, not as a target.

    Raises:
        ValueError: one lies outside of the lab's prefixes.
    """
    for target in targets:
        check_target(target)
    for literal in (found for argument in command for found in _LITERAL.findall(argument)):
        try:
            loopback = ip_address(literal.partition("/")[0]).is_loopback
        except ValueError:
            continue
        if not loopback:
            check_target(literal)
