"""The live source: an AF_PACKET TPACKET_V3 receive ring, its blocks framed where the kernel put them."""

from __future__ import annotations

import contextlib
import mmap
import os
import select
import socket
import struct
from collections.abc import Iterator
from types import TracebackType
from typing import Final, Self

import numpy as np

from capture.blocks import FramedBlock
from capture.framing import frame_ring_block
from capture.interfaces import check_interface, link_type
from capture.layout import packet_index

_SOL_PACKET: Final = 263
_PACKET_ADD_MEMBERSHIP: Final = 1
_PACKET_RX_RING: Final = 5
_PACKET_STATISTICS: Final = 6
_PACKET_VERSION: Final = 10
_PACKET_IGNORE_OUTGOING: Final = 23
_TPACKET_V3: Final = 2
_PROMISCUOUS: Final = 1
_ETH_P_ALL: Final = 3
_SO_TIMESTAMPNS: Final = 35
_ARPHRD_LOOPBACK: Final = 772
_STATUS: Final = 8
_STATUS_USER: Final = 1

BLOCK_BYTES: Final = 1 << 20
BLOCKS: Final = 64
_FRAME_BYTES: Final = 2048
RETIRE_MS: Final = 60
"""After this time the kernel hands over a block that is not full."""

_INDEX_PACKETS: Final = 1 << 14


class PacketRing:
    """The packets of one interface, both directions.

    Attributes:
        kernel_drops: packets the kernel dropped because the ring was full.
        freezes: how often the ring was full.
    """

    def __init__(self, interface: str) -> None:
        """Open the interface's ring, promiscuous.

        Raises:
            ValueError: there is no such interface, or its packets cannot be decoded.
            PermissionError: the process is neither root nor has CAP_NET_RAW.
            OSError: the interface cannot be read, being down for one.
        """
        check_interface(interface)
        self.kernel_drops = 0
        self.freezes = 0
        self._next = 0
        self._index = packet_index(_INDEX_PACKETS)
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        try:
            self._set_up(interface)
        except BaseException:
            self._socket.close()
            raise
        self._ring = np.frombuffer(self._mapping, np.uint8)
        self._poll = select.poll()
        self._poll.register(self._socket, select.POLLIN | select.POLLERR)

    def _set_up(self, interface: str) -> None:
        # One time stamp when a packet arrives, the same for every listener.
        self._socket.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        self._socket.setsockopt(_SOL_PACKET, _PACKET_VERSION, _TPACKET_V3)
        frames = BLOCK_BYTES * BLOCKS // _FRAME_BYTES
        request = struct.pack("7I", BLOCK_BYTES, BLOCKS, _FRAME_BYTES, frames, RETIRE_MS, 0, 0)
        self._socket.setsockopt(_SOL_PACKET, _PACKET_RX_RING, request)
        self._mapping = mmap.mmap(self._socket.fileno(), BLOCK_BYTES * BLOCKS)
        self._socket.bind((interface, _ETH_P_ALL))
        hardware_type = self._socket.getsockname()[3]
        self._link = link_type(interface, hardware_type)
        if hardware_type == _ARPHRD_LOOPBACK:
            # Loopback shows every packet once leaving and once arriving.
            self._socket.setsockopt(_SOL_PACKET, _PACKET_IGNORE_OUTGOING, 1)
        else:
            index = socket.if_nametoindex(interface)
            membership = struct.pack("iHH8s", index, _PROMISCUOUS, 0, b"")
            self._socket.setsockopt(_SOL_PACKET, _PACKET_ADD_MEMBERSHIP, membership)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give the ring back."""
        self._socket.close()
        del self._ring
        # A traceback may still hold a block; the mapping then goes with it.
        with contextlib.suppress(BufferError):
            self._mapping.close()

    def ready(self, timeout_ms: int) -> bool:
        """Wait until a block is there; return whether one is.

        Raises:
            OSError: the interface failed, being set down for one.
        """
        if self._block_ready():
            return True
        for _, event in self._poll.poll(timeout_ms):
            if event & select.POLLERR:
                error = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
                if error:
                    raise OSError(error, os.strerror(error))
        return self._block_ready()

    def take_block(self) -> Iterator[FramedBlock]:
        """Yield the packets of the next block, in parts; it goes back to the kernel afterwards."""
        start = self._next * BLOCK_BYTES
        framed, count = 0, 1
        while count:
            count, framed = frame_ring_block(self._ring, start, framed, self._link, self._index)
            if count:
                yield FramedBlock(self._ring, self._index, count)
        self._mapping[start + _STATUS : start + _STATUS + 4] = bytes(4)
        self._next = (self._next + 1) % BLOCKS

    def read_statistics(self) -> None:
        """Add what the kernel counted since the last call."""
        counted = self._socket.getsockopt(_SOL_PACKET, _PACKET_STATISTICS, 12)
        _, drops, freezes = struct.unpack("3I", counted)
        self.kernel_drops += drops
        self.freezes += freezes

    def _block_ready(self) -> bool:
        return bool(self._ring[self._next * BLOCK_BYTES + _STATUS] & _STATUS_USER)
