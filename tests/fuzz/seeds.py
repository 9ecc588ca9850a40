"""Where fuzzing begins: our own captures, what tests/helpers makes, and earlier findings."""

from __future__ import annotations

import gzip
import random
from pathlib import Path

import pyarrow as pa

from capture.blocks import BlockReader
from helpers.packets import connection, icmp, pcap, pcapng, udp
from helpers.pcapng_blocks import Blocks

TESTS = Path(__file__).resolve().parents[1]
REGRESSIONS = Path(__file__).resolve().parent / "regressions"
LONGEST_FILE = 4096
FRAMES_OF_A_CAPTURE = 40
RANDOM_CASES = 60


def regressions(target: str) -> list[bytes]:
    """Inputs that once were findings."""
    return [path.read_bytes() for path in sorted((REGRESSIONS / target).glob("*"))]


def seeds(target: str) -> list[bytes]:
    made = {"decoder": _frames, "files": _files, "meter": _cases}[target]()
    return [*made, *regressions(target)]


def _frames() -> list[bytes]:
    found = set()
    for path in sorted((TESTS / "reference").glob("*.pcap")):
        with path.open("rb") as file:
            for block, index, count in BlockReader(file, path.name):
                for at in range(min(count, FRAMES_OF_A_CAPTURE)):
                    start = int(index.offset[at])
                    found.add(block[start : start + min(int(index.captured[at]), 200)].tobytes())
    ours = [packet.frame for packet in (*connection(), udp(0, 9), icmp(0))]
    ours += [bytes(12) + kind + bytes(30) for kind in (b"\x88\x63", b"\x88\x64", b"\x88\x47", b"\x88\xcc")]
    return [bytes([at % 5, 0]) + frame for at, frame in enumerate(sorted({*found, *ours}))]


def _files() -> list[bytes]:
    packets = [*connection(), udp(20_000, 9), icmp(30_000)]
    made = [pcap(packets, order=order, nanoseconds=fine) for order in "<>" for fine in (False, True)]
    clocks = (None, 9, 0x80 | 20)
    made += [pcapng(packets, order=order, tsresol=clock) for order in "<>" for clock in clocks]
    for blocks in (Blocks("<"), Blocks(">")):
        head = blocks.section() + blocks.interface(1, blocks.resolution(9), blocks.offset(5), snaplen=96)
        frame = packets[0].frame
        old = blocks.obsolete(frame, 10**18) + blocks.simple(frame) + blocks.block(5, bytes(20))
        made.append(head + old + blocks.interface(101) + blocks.enhanced(frame[14:], 10**15, 1) + head)
    for path in sorted((TESTS / "reference").glob("*.pcap")):
        made.append(path.read_bytes()[:LONGEST_FILE])
    return [*made, *(gzip.compress(content, mtime=0) for content in made[:5]), *map(_zstd, made[:5])]


def _zstd(content: bytes) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as stream:
        stream.write(content)
    return bytes(sink.getvalue().to_pybytes())


def _cases() -> list[bytes]:
    rng = random.Random(1)
    return [rng.randbytes(rng.choice((40, 200, 800))) for _ in range(RANDOM_CASES)]


def mutated(rng: random.Random, seed: bytes) -> bytes:
    """Overwrite, cut, double or insert a few bytes."""
    data = bytearray(seed)
    for _ in range(rng.randrange(1, 5)):
        at, size = rng.randrange(len(data) + 1), rng.randrange(1, 9)
        match rng.randrange(4):
            case 0:
                data[at : at + size] = rng.randbytes(size)
            case 1:
                del data[at : at + size]
            case 2:
                data[at:at] = data[at : at + size]
            case 3:
                data[at : at + 4] = rng.choice((b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", bytes(4)))
    return bytes(data)
