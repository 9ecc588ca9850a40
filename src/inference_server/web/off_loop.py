"""Work that waits for a disk or a registry, off the event loop and apart from that of scoring requests."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Final, ParamSpec, TypeVar

from inference_server.web.errors import BusyError

P = ParamSpec("P")
ResultT = TypeVar("ResultT")
THREADS: Final = 2
AT_ONCE: Final = 64
"""Calls that run or wait; more are refused."""


class OffLoop:
    """A few threads, and a bound on what waits for them. The event loop calls."""

    def __init__(self, name: str, *, threads: int = THREADS, at_once: int = AT_ONCE) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix=name)
        self._at_once = at_once
        self._under_way = 0

    async def run(self, function: Callable[P, ResultT], *args: P.args, **kwargs: P.kwargs) -> ResultT:
        """Return what a function returns, called in one of the threads.

        Raises:
            BusyError: too many calls are under way; besides what the function raises.
        """
        if self._under_way >= self._at_once:
            raise BusyError(f"{self._under_way} such requests are being answered already")
        self._under_way += 1
        try:
            call = partial(function, *args, **kwargs)
            return await asyncio.get_running_loop().run_in_executor(self._pool, call)
        finally:
            self._under_way -= 1

    def stop(self) -> None:
        """Let what runs end; nothing waits for it."""
        self._pool.shutdown(wait=False, cancel_futures=True)
