"""The live source: an AF_PACKET TPACKET_V3 receive ring, its blocks framed where the kernel put them."""

from __future__ import annotations

import contextlib
import errno
import mmap
import os
import select
import socket
import struct
from collections.abc import Iterator
from types import TracebackType
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from capture.blocks import FramedBlock
from capture.decode import LINK_ETHERNET
from capture.evidence import EvidenceStore
from capture.framing import frame_ring_block
from capture.interfaces import check_interface, link_type
from capture.layout import packet_index
from capture.offloads import read_mtu
from capture.options import WHOLE_PACKETS, CaptureOptions
from capture.own_traffic import OwnConnection, exclusions, own_connections
from capture.packet_filter import RETURN, attach, compile_filter
from capture.segments import FrameCount

_SOL_PACKET: Final = 263
_PACKET_ADD_MEMBERSHIP: Final = 1
_PACKET_RX_RING: Final = 5
_PACKET_STATISTICS: Final = 6
_PACKET_VERSION: Final = 10
_PACKET_VNET_HDR: Final = 15
_PACKET_IGNORE_OUTGOING: Final = 23
_TPACKET_V3: Final = 2
_PROMISCUOUS: Final = 1
_ETH_P_ALL: Final = 3
_SO_TIMESTAMPNS: Final = 35
_ARPHRD_LOOPBACK: Final = 772
_STATUS: Final = 8
_STATUS_USER: Final = 1

BLOCK_BYTES: Final = 1 << 20
BLOCKS: Final = 32
RING_BYTES: Final = BLOCK_BYTES * BLOCKS
_FRAME_BYTES: Final = 2048
RETIRE_MS: Final = 60
"""After this time the kernel hands over a block that is not full."""

_INDEX_PACKETS: Final = 1 << 14
_ETHERNET_HEADER: Final = 14
_VLAN_TAGS: Final = 8
"""Two tags, which the kernel may leave in a frame and the MTU does not count."""


class PacketRing:
    """The packets of one interface, both directions.

    Attributes:
        kernel_drops: packets the kernel dropped because the ring was full.
        freezes: how often the ring was full.
        frame_counts: int64, see FrameCount; the caller may give the counters to go on from.
        link: link type of the frames.
        own_traffic: the connections that are left out.
        splits: the kernel says which frames are merged, so that they are split.
    """

    def __init__(
        self,
        interface: str,
        options: CaptureOptions | None = None,
        frame_counts: NDArray[np.int64] | None = None,
    ) -> None:
        """Open the interface's ring.

        Raises:
            ValueError: there is no such interface, its packets cannot be decoded, the filter is wrong
                or libpcap, which compiles it, is not there.
            PermissionError: the process is neither root nor has CAP_NET_RAW.
            OSError: the interface cannot be read, being down for one.
        """
        check_interface(interface)
        self.kernel_drops = 0
        self.freezes = 0
        self.frame_counts = np.zeros(FrameCount.SIZE, np.int64) if frame_counts is None else frame_counts
        self.own_traffic: tuple[OwnConnection, ...] = ()
        self.splits = False
        self._interface = interface
        self._options = options or CaptureOptions()
        self._next = 0
        self._index = packet_index(_INDEX_PACKETS)
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        try:
            self._set_up()
        except BaseException:
            self._socket.close()
            raise
        self._ring = np.frombuffer(self._mapping, np.uint8)
        self._poll = select.poll()
        self._poll.register(self._socket, select.POLLIN | select.POLLERR)

    def _set_up(self) -> None:
        # One time stamp when a packet arrives, the same for every listener.
        self._socket.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        # An old kernel refuses it; merged frames then stay what they are, and are counted.
        with contextlib.suppress(OSError):
            self._socket.setsockopt(_SOL_PACKET, _PACKET_VNET_HDR, 1)
            self.splits = True
        self._socket.setsockopt(_SOL_PACKET, _PACKET_VERSION, _TPACKET_V3)
        hardware_type = self._hardware_type()
        self.link = link_type(self._interface, hardware_type)
        self._link_header = _ETHERNET_HEADER if self.link == LINK_ETHERNET else 0
        self.refresh_mtu()
        self._attach_filter(loopback=hardware_type == _ARPHRD_LOOPBACK)
        self._map_ring()
        if hardware_type == _ARPHRD_LOOPBACK:
            # Loopback shows every packet once leaving and once arriving.
            self._socket.setsockopt(_SOL_PACKET, _PACKET_IGNORE_OUTGOING, 1)
        elif self._options.promiscuous:
            index = socket.if_nametoindex(self._interface)
            membership = struct.pack("iHH8s", index, _PROMISCUOUS, 0, b"")
            self._socket.setsockopt(_SOL_PACKET, _PACKET_ADD_MEMBERSHIP, membership)
        self._socket.bind((self._interface, _ETH_P_ALL))
        # Binding to an interface that is down succeeds and leaves an error behind.
        if self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == errno.ENETDOWN:
            name = self._interface
            raise OSError(errno.ENETDOWN, f"{name} is down: ip link set {name} up")

    def _hardware_type(self) -> int:
        with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as probe:
            probe.bind((self._interface, 0))
            hardware_type: int = probe.getsockname()[3]
        return hardware_type

    def _attach_filter(self, *, loopback: bool) -> None:
        options = self._options
        self.own_traffic = own_connections(options.own_traffic, loopback=loopback)
        program = exclusions(self.own_traffic, self._link_header)
        if options.packet_filter:
            program += compile_filter(options.packet_filter, self._interface)
        else:
            program.append((RETURN, 0, 0, WHOLE_PACKETS))
        attach(self._socket, program)

    def _map_ring(self) -> None:
        frames = RING_BYTES // _FRAME_BYTES
        request = struct.pack("7I", BLOCK_BYTES, BLOCKS, _FRAME_BYTES, frames, RETIRE_MS, 0, 0)
        self._socket.setsockopt(_SOL_PACKET, _PACKET_RX_RING, request)
        self._mapping = mmap.mmap(self._socket.fileno(), RING_BYTES)

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

    def take_block(self, evidence: EvidenceStore | None = None) -> Iterator[FramedBlock]:
        """Yield the packets of the next block, in parts; it goes back to the kernel afterwards.

        Args:
            evidence: keeps a copy of the frames as they came.
        """
        start = self._next * BLOCK_BYTES
        if evidence is not None:
            evidence.keep(self._ring, start, self.link)
        framed, count = 0, 1
        while count:
            count, framed = frame_ring_block(
                self._ring,
                start,
                framed,
                self.link,
                int(self.splits),
                self._longest,
                self._index,
                self.frame_counts,
            )
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

    def refresh_mtu(self) -> None:
        """Look again from which length on a frame is above the MTU.

        Raises:
            OSError: the interface is gone.
        """
        above_ip = self._link_header + _VLAN_TAGS if self._link_header else 0
        self._longest = read_mtu(self._interface) + above_ip

    def _block_ready(self) -> bool:
        return bool(self._ring[self._next * BLOCK_BYTES + _STATUS] & _STATUS_USER)
