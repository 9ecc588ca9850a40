from __future__ import annotations

import ctypes
import mmap
import threading
from pathlib import Path

import pytest

from inference_server.telemetry import resident as module
from inference_server.telemetry.resident import (
    GROWTH_BYTES,
    ResidentSet,
    give_back,
    library_pages,
    resident_bytes,
)

SIZE = 64_000_000


def test_what_is_touched_is_resident() -> None:
    # Pages of its own: what an allocator hands out again may be resident already.
    with mmap.mmap(-1, SIZE) as pages:
        before = resident_bytes()
        for page in range(0, SIZE, mmap.PAGESIZE):
            pages[page] = 1
        assert resident_bytes() - before > SIZE // 2


def test_pages_of_libraries_are_given_back_and_come_again(tmp_path: Path) -> None:
    (tmp_path / "some.so.1").write_bytes(b"x" * SIZE)
    with (
        (tmp_path / "some.so.1").open("rb") as file,
        mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as pages,
    ):
        assert set(pages[:: mmap.PAGESIZE]) == set(b"x")
        before = resident_bytes()
        give_back()
        assert before - resident_bytes() > SIZE // 2
        assert set(pages[:: mmap.PAGESIZE]) == set(b"x")


def test_what_was_written_stays(tmp_path: Path) -> None:
    (tmp_path / "some.so.1").write_bytes(b"x" * 2 * mmap.PAGESIZE)
    with (tmp_path / "some.so.1").open("rb") as file:
        pages = mmap.mmap(file.fileno(), 0, flags=mmap.MAP_PRIVATE, prot=mmap.PROT_READ | mmap.PROT_WRITE)
    start = ctypes.addressof(ctypes.c_char.from_buffer(pages))
    assert mapping_at(start) is None
    pages[:7] = b"written"
    libc = ctypes.CDLL(None)
    # As the loader does with what it has relocated: written, then for reading only.
    assert libc.mprotect(ctypes.c_void_p(start), ctypes.c_size_t(len(pages)), mmap.PROT_READ) == 0
    assert mapping_at(start) is None
    give_back()
    assert pages[:8] == b"writtenx"


def mapping_at(address: int) -> tuple[int, int] | None:
    return next((found for found in library_pages() if found[0] <= address < found[1]), None)


def test_memory_is_given_back_when_the_process_has_grown(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[None] = []
    monkeypatch.setattr(module, "give_back", lambda: given.append(None))
    sizes = iter([GROWTH_BYTES, 5, 5 + GROWTH_BYTES - 1, 5 + GROWTH_BYTES, 7])
    watched = ResidentSet(resident=lambda: next(sizes))
    assert [watched.look() for _ in range(3)] == [True, False, True]
    assert len(given) == 2


def test_a_thread_looks_until_it_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    looked = threading.Event()
    monkeypatch.setattr(module, "give_back", looked.set)
    watched = ResidentSet(look_seconds=0.01)
    watched.start()
    assert looked.wait(30)
    watched.stop()
    assert not watched._thread.is_alive()
