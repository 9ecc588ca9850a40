"""A capture whose flows are all open at once: every flow gets a packet before any gets its next one.

The order of the flows is drawn anew for each round, so that no packet's flow is near the last one's.
"""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

START_US = 1_767_603_600_000_000  # 2026-01-05 09:00:00 UTC
GAP_US = 10
PAYLOAD = 40
IP_AT, TCP_AT, FRAME = 14, 34, 14 + 20 + 20 + PAYLOAD
SERVER = (172 << 24) + (16 << 16) + 1


def concurrent_capture(directory: Path, flows: int, rounds: int) -> Path:
    """Return the capture of flows x rounds packets, made on the first call."""
    path = directory / f"concurrent-{flows}-{rounds}.pcap"
    if not path.exists():
        directory.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_suffix(".part")
        rng = np.random.default_rng(1)
        with unfinished.open("wb") as file:
            file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, 1))
            for number in range(rounds):
                _records(rng.permutation(flows), number).tofile(file)
        unfinished.rename(path)
    return path


def _big_endian(values: NDArray[np.int64], size: int) -> NDArray[np.uint8]:
    return values.astype(f">u{size}").view(np.uint8).reshape(-1, size)


def _records(order: NDArray[np.int64], number: int) -> NDArray[np.uint8]:
    """Return one round's pcap records: clients speak in even rounds, their server in odd ones."""
    count = len(order)
    times = START_US + (np.arange(count) + number * count) * GAP_US
    records = np.zeros((count, 16 + FRAME), np.uint8)
    header = np.stack([times // 1_000_000, times % 1_000_000, *np.full((2, count), FRAME)], axis=1)
    records[:, :16] = header.astype("<u4").view(np.uint8)
    frames = records[:, 16:]
    frames[:, 12] = 0x08
    frames[:, IP_AT] = 0x45
    frames[:, IP_AT + 2 : IP_AT + 4] = _big_endian(np.full(count, FRAME - IP_AT), 2)
    frames[:, IP_AT + 8 : IP_AT + 10] = (64, 6)
    ends = [
        (_big_endian((10 << 24) + (order >> 4), 4), _big_endian(1024 + (order & 15), 2)),
        (_big_endian(np.full(count, SERVER), 4), _big_endian(np.full(count, 80), 2)),
    ]
    for side, (address, port) in enumerate(ends if number % 2 == 0 else reversed(ends)):
        frames[:, IP_AT + 12 + 4 * side : IP_AT + 16 + 4 * side] = address
        frames[:, TCP_AT + 2 * side : TCP_AT + 2 + 2 * side] = port
    frames[:, TCP_AT + 12 : TCP_AT + 16] = (0x50, 0x18, 4, 0)
    return records
