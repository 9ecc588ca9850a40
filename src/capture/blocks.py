"""Capture streams as blocks of framed packets: pcap and pcapng, told apart by their first bytes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, Literal, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from capture.framing import (
    MAX_INTERFACES,
    PCAP_HEADER,
    Framing,
    FramingError,
    Interface,
    frame_pcap,
    frame_pcapng,
)
from capture.layout import PacketIndex, packet_index

BLOCK_BYTES: Final = 1 << 20
_INDEX_PACKETS: Final = 1 << 14

# Units per second and the length of a record's header; the last are Kuznetzov's modified files.
_PCAP_MAGICS: Final = {
    0xA1B2C3D4: (1_000_000, 16),
    0xA1B23C4D: (1_000_000_000, 16),
    0xA1B2CD34: (1_000_000, 24),
}
_PCAPNG_MAGIC: Final = bytes.fromhex("0a0d0d0a")

_ERRORS: Final = {
    FramingError.RECORD_LENGTH: "a packet record has an impossible length",
    FramingError.BLOCK_LENGTH: "a pcapng block has an impossible length",
    FramingError.NO_SECTION: "a pcapng section has no valid byte-order mark",
    FramingError.UNKNOWN_INTERFACE: "a packet names an interface that was not described",
    FramingError.TOO_MANY_INTERFACES: f"a pcapng section has more than {MAX_INTERFACES} interfaces",
    FramingError.TIME: "a packet's time is before 1970 or after 9999",
}


class ByteStream(Protocol):
    """What blocks are read from: a binary file, or anything that fills a buffer."""

    def readinto(self, buffer: memoryview, /) -> int | None:
        """Fill the buffer from its start; return the bytes read, 0 at the end."""


class FramedBlock(NamedTuple):
    """A block, the places of its packets and how many there are; valid until the next one."""

    block: NDArray[np.uint8]
    places: PacketIndex
    packets: int


class BlockReader:
    """Reads a capture stream and frames it block by block.

    Attributes:
        bytes_read: bytes taken from the stream so far.
        problem: why reading stopped before the stream's proper end, None when it did not.
    """

    def __init__(self, stream: ByteStream, name: str) -> None:
        """Read the stream's header.

        Args:
            stream: the capture.
            name: what errors call it.

        Raises:
            ValueError: it is empty, or neither pcap nor pcapng.
        """
        self.bytes_read = 0
        self.problem: str | None = None
        self._stream = stream
        self._name = name
        self._block = np.zeros(BLOCK_BYTES, np.uint8)
        self._view = memoryview(self._block.data).cast("B")
        self._start = 0
        self._end = 0
        self._skip = 0
        self._index = packet_index(_INDEX_PACKETS)
        self._framing = np.zeros(Framing.SIZE, np.int64)
        self._interfaces = np.zeros((MAX_INTERFACES, Interface.SIZE), np.int64)
        self._is_pcapng = self._read_header()

    def __iter__(self) -> Iterator[FramedBlock]:
        while True:
            count, self._start = self._frame()
            if count:
                yield FramedBlock(self._block, self._index, count)
            if self._framing[Framing.ERROR]:
                reason = _ERRORS[FramingError(self._framing[Framing.ERROR])]
                self.problem = f"{self._name}: {reason} near byte {self._position()}"
                return
            if count == 0 and not self._fill():
                if self._end > self._start or self._skip:
                    self.problem = f"{self._name}: cut off inside a record at byte {self.bytes_read}"
                return

    def _frame(self) -> tuple[int, int]:
        if self._start >= self._end:
            return 0, self._start
        if self._is_pcapng:
            return frame_pcapng(
                self._block, self._start, self._end, self._framing, self._interfaces, self._index
            )
        return frame_pcap(self._block, self._start, self._end, self._framing, self._index)

    def _position(self) -> int:
        return self.bytes_read - (self._end - self._start)

    def _fill(self) -> bool:
        """Move what is left to the front and read on; return whether there was anything."""
        if self._start > self._end:
            self._skip += self._start - self._end
            self._start = self._end
        left = self._end - self._start
        self._view[:left] = self._view[self._start : self._end]
        self._start, self._end = 0, left
        while True:
            read = self._stream.readinto(self._view[left:]) or 0
            self.bytes_read += read
            if read == 0:
                return False
            if self._skip < read:
                self._start += self._skip
                self._end += read
                self._skip = 0
                return True
            self._skip -= read

    def _read_header(self) -> bool:
        while self._end < PCAP_HEADER and self._fill():
            pass
        head = bytes(self._view[: min(self._end, PCAP_HEADER)])
        if not head:
            raise ValueError(f"{self._name}: empty, not a pcap or pcapng capture")
        if head[:4] == _PCAPNG_MAGIC:
            return True
        order: Literal["little", "big"] = "little"
        if int.from_bytes(head[:4], order) not in _PCAP_MAGICS:
            order = "big"
        magic = int.from_bytes(head[:4], order)
        if magic not in _PCAP_MAGICS:
            raise ValueError(
                f"{self._name}: not a pcap or pcapng capture (it begins with {head[:4].hex(' ')})"
            )
        if len(head) < PCAP_HEADER:
            raise ValueError(f"{self._name}: cut off inside the pcap file header")
        units, record_header = _PCAP_MAGICS[magic]
        self._framing[Framing.SWAPPED] = order == "big"
        self._framing[Framing.UNITS_PER_SECOND] = units
        self._framing[Framing.RECORD_HEADER] = record_header
        # The upper bits tell of frame check sequences.
        self._framing[Framing.LINK] = int.from_bytes(head[20:24], order) & 0x0FFFFFFF
        self._start = PCAP_HEADER
        return False
