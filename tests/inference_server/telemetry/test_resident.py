from __future__ import annotations

import mmap

from inference_server.telemetry.resident import resident_bytes

SIZE = 64_000_000


def test_what_is_touched_is_resident() -> None:
    # Pages of its own: what an allocator hands out again may be resident already.
    with mmap.mmap(-1, SIZE) as pages:
        before = resident_bytes()
        for page in range(0, SIZE, mmap.PAGESIZE):
            pages[page] = 1
        assert resident_bytes() - before > SIZE // 2
