"""What a card or the kernel merges before a capture sees it, read by ethtool's ioctl."""

from __future__ import annotations

import ctypes
import fcntl
import socket
import struct
from collections.abc import Mapping
from typing import Final

_SIOCETHTOOL: Final = 0x8946
_SIOCGIFMTU: Final = 0x8921
_INTERFACE_REQUEST: Final = 40
_COMMANDS: Final = {"gro": (0x2B, 1), "lro": (0x25, 1 << 15), "tso": (0x1E, 1), "gso": (0x23, 1)}
"""ETHTOOL_GGRO, ETHTOOL_GFLAGS with ETH_FLAG_LRO, ETHTOOL_GTSO, ETHTOOL_GGSO of linux/ethtool.h."""


def read_offloads(interface: str) -> dict[str, bool]:
    """Return which of gro, lro, tso and gso are on; what the driver does not tell is left out."""
    states: dict[str, bool] = {}
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        for name, (command, bit) in _COMMANDS.items():
            value = ctypes.create_string_buffer(struct.pack("II", command, 0), 8)
            request = struct.pack("16sP", interface.encode(), ctypes.addressof(value))
            try:
                fcntl.ioctl(any_socket, _SIOCETHTOOL, request.ljust(_INTERFACE_REQUEST, b"\0"))
            except OSError:
                continue
            states[name] = bool(struct.unpack("II", value.raw)[1] & bit)
    return states


def cure(interface: str, offloads: Mapping[str, bool]) -> str | None:
    """Return the command that turns off what is on, None when nothing is."""
    on = [f"{name} off" for name, state in offloads.items() if state]
    return f"ethtool -K {interface} {' '.join(on)}" if on else None


def read_mtu(interface: str) -> int:
    """Return an interface's MTU, bytes.

    Raises:
        OSError: there is no such interface.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        request = struct.pack("16si", interface.encode(), 0).ljust(_INTERFACE_REQUEST, b"\0")
        answer = fcntl.ioctl(any_socket, _SIOCGIFMTU, request)
    mtu: int = struct.unpack_from("16si", answer)[1]
    return mtu
