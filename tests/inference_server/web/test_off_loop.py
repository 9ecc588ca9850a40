from __future__ import annotations

import asyncio
import threading

import pytest

from inference_server.web.errors import BusyError
from inference_server.web.off_loop import OffLoop


def test_calls_run_beside_the_loop_and_more_than_there_is_room_for_are_refused() -> None:
    release = threading.Event()

    async def ask() -> list[str]:
        pool = OffLoop("test", threads=1, at_once=2)
        try:
            calls = [asyncio.create_task(pool.run(lambda: release.wait(60) and "done")) for _ in range(2)]
            await asyncio.sleep(0)
            with pytest.raises(BusyError, match="2 such requests are being answered already"):
                await pool.run(lambda: "no room")
            release.set()
            found = [str(await call) for call in calls]
            return [*found, await pool.run(lambda: threading.current_thread().name)]
        finally:
            pool.stop()

    assert asyncio.run(ask()) == ["done", "done", "test_0"]


def test_what_a_call_raises_is_its_callers() -> None:
    async def ask() -> None:
        pool = OffLoop("test")
        try:
            await pool.run(int, "none")
        finally:
            pool.stop()

    with pytest.raises(ValueError, match="none"):
        asyncio.run(ask())
