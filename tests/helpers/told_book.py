"""An alert book whose changes the test tells."""

from __future__ import annotations

import asyncio
from typing import Any


class Book:
    """A book that tells of each message, and counts what is read of it."""

    def __init__(self) -> None:
        self.pages = 0
        self.summed: list[float] = []
        self.messages: asyncio.Queue[None] = asyncio.Queue()
        self.subscribed = asyncio.Event()

    def page(self, _: Any) -> Any:
        self.pages += 1
        return type("Page", (), {"alerts": [{"id": self.pages}], "cursor": None})

    def statistics(self, since: Any, until: Any, _: int) -> Any:
        self.summed.append((until - since).total_seconds() / 3600)
        return {"total": 0, "buckets": [], "since": "s", "until": "u"}

    def top(self, *_: Any) -> Any:
        return []

    def subscribe(self, *_: Any) -> Any:
        self.subscribed.set()
        return self

    def close(self) -> None:
        pass

    def __aiter__(self) -> Any:
        return self

    async def __anext__(self) -> None:
        await self.messages.get()
