"""Blocks of a TPACKET_V3 ring as the kernel fills them (linux/if_packet.h)."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from helpers.packets import START_US, Packet

BLOCK_HEADER = 48
FRAME_HEADER = 48
VNET_HEADER = 10
TCPV4, UDP_L4, TCPV6 = 1, 5, 4


@dataclass(frozen=True)
class Merged:
    """What the virtio-net header says of a frame."""

    kind: int = 0
    size: int = 0


def ring_block(
    packets: Sequence[Packet], merged: Sequence[Merged] | None = None, *, snaplen: int = 1 << 20
) -> NDArray[np.uint8]:
    """One block with virtio-net headers before its frames."""
    parts = []
    for number, packet in enumerate(packets):
        about = merged[number] if merged else Merged()
        data = packet.frame[:snaplen]
        mac = FRAME_HEADER + 16
        body = bytes(mac - VNET_HEADER - FRAME_HEADER)
        body += struct.pack("<BBHHHH", 0, about.kind, 0, about.size, 0, 0) + data
        body += bytes(-len(body) % 16)
        seconds, us = divmod(START_US + packet.at_us, 1_000_000)
        header = struct.pack(
            "<6IHH",
            *(FRAME_HEADER + len(body), seconds, us * 1000 + 999),
            *(len(data), len(packet.frame), 1, mac, mac + 14),
        )
        parts.append(header.ljust(FRAME_HEADER, b"\0") + body)
    start = struct.pack("<5I", 1, 0, 1, len(packets), BLOCK_HEADER).ljust(BLOCK_HEADER, b"\0")
    return np.frombuffer(bytearray(start + b"".join(parts)), np.uint8)
