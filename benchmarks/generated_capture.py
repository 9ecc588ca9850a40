"""A capture of any size for benchmarks: a mix of TCP and UDP flows, the same bytes every time.

Half of the flows are a question and an answer over UDP. The others are TCP connections with handshake,
data and orderly close, whose lengths are spread log-normally. Packets of all flows are interleaved
by time. Frames are about 270 bytes on average: bare acknowledgements, small messages, full segments.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]

SEED = 1
START_US = 1_767_603_600_000_000  # 2026-01-05 09:00:00 UTC
SPAN_US = 300_000_000
SHORTEST_TCP = 7
ETHERNET, IP, TCP, UDP, RECORD = 14, 20, 32, 8, 16
CHUNK = 100_000
FIN, SYN, PSH, ACK = 1, 2, 8, 16


@dataclass(frozen=True)
class Packets:
    """One entry a packet, by time."""

    time_us: Ints
    flow: Ints
    payload: Ints
    forward: NDArray[np.bool_]
    flags: Ints
    is_tcp: NDArray[np.bool_]


def generated_capture(directory: Path, packets: int, flows: int) -> Path:
    """Return the capture, made on the first call."""
    version = hashlib.sha256(Path(__file__).read_bytes()).hexdigest()[:8]
    path = directory / f"generated-{packets}-{flows}-{version}.pcap"
    if not path.exists():
        directory.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_suffix(".part")
        _write(unfinished, _packets(packets, flows))
        unfinished.rename(path)
    return path


def _lengths(rng: np.random.Generator, packets: int, flows: int) -> Ints:
    udp = flows // 2
    tcp = flows - udp
    to_share = packets - 2 * udp - SHORTEST_TCP * tcp
    if to_share < 0:
        raise ValueError(f"{packets} packets are too few for {flows} flows")
    weights = rng.lognormal(0.0, 1.2, tcp)
    extra = (weights / weights.sum() * to_share).astype(np.int64)
    extra[: to_share - int(extra.sum())] += 1
    lengths = np.concatenate([np.full(udp, 2), SHORTEST_TCP + extra])
    return rng.permutation(lengths)


def _packets(packets: int, flows: int) -> Packets:
    rng = np.random.default_rng(SEED)
    lengths = _lengths(rng, packets, flows)
    flow = np.repeat(np.arange(flows), lengths)
    first = np.repeat(np.cumsum(lengths) - lengths, lengths)
    position = np.arange(packets) - first
    remaining = np.repeat(lengths, lengths) - position
    is_tcp = np.repeat(lengths, lengths) > 2

    flags, forward, payload = _tcp_steps(rng, position, remaining)
    payload = np.where(is_tcp, payload, np.where(position == 0, 40, 120))
    forward = np.where(is_tcp, forward, position == 0)
    time_us = _times(rng, lengths, position)
    order = np.argsort(time_us, kind="stable")
    return Packets(time_us[order], flow[order], payload[order], forward[order], flags[order], is_tcp[order])


def _tcp_steps(
    rng: np.random.Generator, position: Ints, remaining: Ints
) -> tuple[Ints, NDArray[np.bool_], Ints]:
    kind = rng.random(len(position))
    payload = np.where(kind < 0.5, 0, np.where(kind < 0.86, rng.integers(20, 400, len(position)), 1448))
    flags = np.where(payload > 0, PSH | ACK, ACK)
    forward = rng.random(len(position)) < 0.45
    for where, step_flags, from_client in (
        (position == 0, SYN, True),
        (position == 1, SYN | ACK, False),
        (position == 2, ACK, True),
        (remaining == 3, FIN | ACK, True),
        (remaining == 2, FIN | ACK, False),
        (remaining == 1, ACK, True),
    ):
        flags[where], forward[where], payload[where] = step_flags, from_client, 0
    return flags, forward, payload


def _times(rng: np.random.Generator, lengths: Ints, position: Ints) -> Ints:
    starts = np.repeat(rng.integers(0, SPAN_US, len(lengths)), lengths)
    gaps = np.minimum(rng.exponential(40_000, len(position)), 400_000).astype(np.int64) + 1
    gaps[position == 0] = 0
    total = np.cumsum(gaps)
    return START_US + starts + total - np.repeat(total[position == 0], lengths)


def _write(path: Path, packets: Packets) -> None:
    header = np.array([0xA1B2C3D4, 0x00040002, 0, 0, 65535, 1], np.uint32)
    with path.open("wb") as file:
        file.write(header.tobytes())
        for start in range(0, len(packets.time_us), CHUNK):
            rows = slice(start, start + CHUNK)
            file.write(_chunk(*(getattr(packets, name)[rows] for name in Packets.__annotations__)))


def _chunk(
    time_us: Ints,
    flow: Ints,
    payload: Ints,
    forward: NDArray[np.bool_],
    flags: Ints,
    is_tcp: NDArray[np.bool_],
) -> bytes:
    layer4 = np.where(is_tcp, TCP, UDP)
    frame = ETHERNET + IP + layer4 + payload
    offset = np.cumsum(RECORD + frame) - (RECORD + frame)
    buffer = np.zeros(int((RECORD + frame).sum()), np.uint8)

    def put(at: int, values: Ints, width: int, order: str = ">", rows: Ints | None = None) -> None:
        raw = values.astype(f"{order}u{width}")[:, None].view(np.uint8).reshape(-1, width)
        base = (offset if rows is None else offset[rows]) + at
        buffer[base[:, None] + np.arange(width)] = raw

    n = len(flow)
    for at, values in enumerate((time_us // 1_000_000, time_us % 1_000_000, frame, frame)):
        put(4 * at, values, 4, "<")
    ethernet, ip = RECORD, RECORD + ETHERNET
    put(ethernet + 12, np.full(n, 0x0800), 2)
    client = (10 << 24) + 1 + flow % 60_000
    server = (172 << 24) + (16 << 16) + 1 + flow % 250
    put(ip, np.full(n, 0x4500), 2)
    put(ip + 2, IP + layer4 + payload, 2)
    put(ip + 8, np.full(n, 64), 1)
    put(ip + 9, np.where(is_tcp, 6, 17), 1)
    put(ip + 12, np.where(forward, client, server), 4)
    put(ip + 16, np.where(forward, server, client), 4)
    client_port, server_port = 10_000 + flow % 50_000, np.where(is_tcp, 443, 53)
    put(ip + IP, np.where(forward, client_port, server_port), 2)
    put(ip + IP + 2, np.where(forward, server_port, client_port), 2)
    udp, tcp = np.flatnonzero(~is_tcp), np.flatnonzero(is_tcp)
    put(ip + IP + 4, UDP + payload[udp], 2, rows=udp)
    put(ip + IP + 12, np.full(len(tcp), (TCP // 4) << 4), 1, rows=tcp)
    put(ip + IP + 13, flags[tcp], 1, rows=tcp)
    put(ip + IP + 14, np.full(len(tcp), 501), 2, rows=tcp)
    put(ip + IP + 20, np.full(len(tcp), 0x0101080A), 4, rows=tcp)
    return buffer.tobytes()
