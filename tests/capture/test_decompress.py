from __future__ import annotations

import gzip
import io
import os
import threading
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from capture.blocks import BlockReader
from capture.decompress import CaptureStream
from capture.files import CaptureFile
from helpers.packets import connection, framed_packets, pcap, pcapng, udp, write_capture

PACKETS = [packet for n in range(2000) for packet in connection(n * 20_000, port=1024 + n)]
CAPTURE = pcap(PACKETS)


def zstd(content: bytes) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as stream:
        stream.write(content)
    return sink.getvalue().to_pybytes()


COMPRESSIONS: dict[str, Callable[[bytes], bytes]] = {"gzip": gzip.compress, "zstd": zstd}
each_compression = pytest.mark.parametrize("compression", COMPRESSIONS)


def stream_of(content: bytes, **limits: float) -> CaptureStream:
    return CaptureStream(io.BufferedReader(io.BytesIO(content)), **limits)  # type: ignore[arg-type]


def read_all(stream: CaptureStream) -> bytes:
    buffer, found = bytearray(100_000), bytearray()
    while read := stream.readinto(memoryview(buffer)):
        found += buffer[:read]
    return bytes(found)


@each_compression
def test_a_compressed_capture_is_read_whatever_its_name(compression: str, tmp_path: Path) -> None:
    path = write_capture(tmp_path / "capture.pcap", COMPRESSIONS[compression](CAPTURE))
    seen: list[int] = []
    capture = CaptureFile(path)
    assert sum(map(len, capture.tables(seen.append))) == 2000
    assert (capture.problem, capture.counters().packets) == (None, len(PACKETS))
    assert seen[-1] == path.stat().st_size


@each_compression
@pytest.mark.parametrize("make", [pcap, pcapng])
def test_compressed_blocks_are_those_of_the_plain_file(compression: str, make) -> None:  # type: ignore[no-untyped-def]
    content = make(PACKETS[:500])
    stream = stream_of(COMPRESSIONS[compression](content))
    assert read_all(stream) == content
    assert (stream.compression, stream.problem) == (compression, None)


@each_compression
def test_members_follow_each_other(compression: str) -> None:
    compress = COMPRESSIONS[compression]
    half = len(CAPTURE) // 2
    assert read_all(stream_of(compress(CAPTURE[:half]) + compress(CAPTURE[half:]))) == CAPTURE


def test_a_skippable_frame_may_come_first() -> None:
    skippable = bytes.fromhex("502a4d18 04000000 00000000")
    assert read_all(stream_of(skippable + zstd(CAPTURE))) == CAPTURE


def test_a_plain_file_passes_through() -> None:
    stream = stream_of(CAPTURE)
    assert read_all(stream) == CAPTURE
    assert (stream.compression, stream.bytes_taken) == (None, len(CAPTURE))


@each_compression
def test_a_cut_file_gives_its_flows_and_the_problem(compression: str, tmp_path: Path) -> None:
    content = COMPRESSIONS[compression](pcap([udp(n, n % 700) for n in range(20_000)]))
    capture = CaptureFile(write_capture(tmp_path / "cut", content[: len(content) // 2]))
    assert sum(map(len, capture.tables())) == 1
    assert 1000 < capture.counters().packets < 20_000
    assert capture.problem is not None
    assert f"cut: broken {compression} data after" in capture.problem
    assert "Truncated" in capture.problem


@each_compression
def test_a_file_cut_before_its_header_is_refused(compression: str, tmp_path: Path) -> None:
    path = write_capture(tmp_path / "cut", COMPRESSIONS[compression](CAPTURE)[:8])
    with pytest.raises(ValueError, match=f"cut: broken {compression} data after 0 bytes"):
        list(CaptureFile(path).tables())


@each_compression
def test_a_compressed_text_is_refused(compression: str, tmp_path: Path) -> None:
    path = write_capture(tmp_path / "notes", COMPRESSIONS[compression](b"these are notes, not packets"))
    with pytest.raises(ValueError, match="notes: not a pcap or pcapng capture"):
        list(CaptureFile(path).tables())


@given(
    st.sampled_from(list(COMPRESSIONS)), st.floats(0, 1, exclude_max=True), st.binary(min_size=1, max_size=9)
)
@settings(max_examples=80, deadline=None)
def test_corruption_never_crashes(compression: str, place: float, junk: bytes) -> None:
    content = bytearray(COMPRESSIONS[compression](pcap(PACKETS[:200])))
    at = 4 + int(place * (len(content) - 4))
    content[at : at + len(junk)] = junk
    stream = stream_of(bytes(content))
    try:
        found = sum(block.packets for block in BlockReader(stream, "x"))
    except ValueError:
        return
    assert found <= 250


@each_compression
def test_bytes_are_limited(compression: str) -> None:
    stream = stream_of(COMPRESSIONS[compression](CAPTURE), max_bytes=100_000)
    assert 90_000 < len(read_all(stream)) <= 100_000
    assert str(stream.problem).endswith("max_bytes = 100,000 bytes")


@each_compression
def test_a_bomb_is_told_by_its_ratio(compression: str) -> None:
    stream = stream_of(COMPRESSIONS[compression](bytes(70 << 20)))
    given = len(read_all(stream))
    assert 1 << 26 >= given > (1 << 26) - 70_000
    assert "max_ratio = 250" in str(stream.problem)


@each_compression
def test_a_small_capture_may_be_very_regular(compression: str) -> None:
    stream = stream_of(COMPRESSIONS[compression](bytes(4 << 20)), max_ratio=10)
    assert len(read_all(stream)) == 4 << 20
    assert stream.problem is None


@each_compression
def test_garbage_behind_the_data_is_told(compression: str) -> None:
    stream = stream_of(COMPRESSIONS[compression](CAPTURE) + b"something else")
    found = read_all(stream)
    assert CAPTURE.startswith(found)
    assert len(found) > 0.95 * len(CAPTURE)
    assert f"broken {compression} data" in str(stream.problem)


def test_a_compressed_capture_comes_through_a_pipe(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    content = gzip.compress(CAPTURE)

    def write() -> None:
        with os.fdopen(writing, "wb") as pipe:
            pipe.write(content)

    writer = threading.Thread(target=write)
    writer.start()
    with os.fdopen(reading, "rb") as file:
        found = read_all(CaptureStream(file))
    writer.join()
    assert found == CAPTURE
    assert len(framed_packets(found)) == len(PACKETS)
