"""Decisions read from bytes, so that a fuzzer, Hypothesis and a random generator can all make them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


class Choices:
    """Reads decisions from bytes; when they are used up, every decision is the first one."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def __bool__(self) -> bool:
        return self._at < len(self._data)

    def take(self, count: int) -> bytes:
        found = self._data[self._at : self._at + count]
        self._at += count
        return found.ljust(count, b"\0")

    def below(self, limit: int) -> int:
        width = max((limit - 1).bit_length() + 7, 8) // 8
        return int.from_bytes(self.take(width), "little") % limit

    def pick(self, options: Sequence[T]) -> T:
        return options[self.below(len(options))]

    def rarely(self) -> bool:
        return self.below(256) >= 224
