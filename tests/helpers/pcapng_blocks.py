"""pcapng files block by block, for sections and interfaces of any kind."""

from __future__ import annotations

import struct
from dataclasses import dataclass

OBSOLETE, ENHANCED = 2, 6


@dataclass(frozen=True)
class Blocks:
    """Makes the blocks of one byte order."""

    order: str = "<"

    def block(self, kind: int, body: bytes) -> bytes:
        body += bytes(-len(body) % 4)
        length = struct.pack(self.order + "I", len(body) + 12)
        return struct.pack(self.order + "I", kind) + length + body + length

    def section(self) -> bytes:
        return self.block(0x0A0D0D0A, struct.pack(self.order + "IHHq", 0x1A2B3C4D, 1, 0, -1))

    def interface(self, link: int = 1, *options: tuple[int, bytes], snaplen: int = 0) -> bytes:
        body = struct.pack(self.order + "HHI", link, 0, snaplen)
        for code, value in options:
            body += struct.pack(self.order + "HH", code, len(value)) + value + bytes(-len(value) % 4)
        return self.block(1, body + (bytes(4) if options else b""))

    def resolution(self, value: int) -> tuple[int, bytes]:
        return 9, bytes([value])

    def offset(self, seconds: int) -> tuple[int, bytes]:
        return 14, struct.pack(self.order + "q", seconds)

    def enhanced(self, frame: bytes, ticks: int, interface: int = 0) -> bytes:
        size = len(frame)
        high, low = ticks >> 32, ticks & 0xFFFFFFFF
        return self.block(6, struct.pack(self.order + "IIIII", interface, high, low, size, size) + frame)

    def obsolete(self, frame: bytes, ticks: int, interface: int = 0, drops: int = 0xFFFF) -> bytes:
        size = len(frame)
        high, low = ticks >> 32, ticks & 0xFFFFFFFF
        head = struct.pack(self.order + "HHIIII", interface, drops, high, low, size, size)
        return self.block(2, head + frame)

    def simple(self, frame: bytes, original: int | None = None) -> bytes:
        size = len(frame) if original is None else original
        return self.block(3, struct.pack(self.order + "I", size) + frame)
