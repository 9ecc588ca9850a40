"""The attacks among an upload's verdicts, read on as they are made."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import orjson

SHOWN: Final = 200
READ_AT_ONCE: Final = 2000
MOST_READ: Final = 50_000
"""Verdicts looked through for attacks: all of them are in the file that can be taken away."""


class AttackVerdicts:
    """The first attacks of an upload.

    Attributes:
        attacks: their verdicts, as docs/verdict.schema.json without features.
        read: how many verdicts were looked through.
    """

    def __init__(self, verdicts: Callable[[int, int], Sequence[bytes]]) -> None:
        """Make an empty list.

        Args:
            verdicts: returns the lines after a number, so many at most.
        """
        self._verdicts = verdicts
        self.attacks: list[dict[str, Any]] = []
        self.read = 0

    @property
    def full(self) -> bool:
        """Whether no more are looked for."""
        return len(self.attacks) >= SHOWN or self.read >= MOST_READ

    def read_on(self) -> None:
        """Look through the verdicts that came since."""
        while not self.full:
            lines = self._verdicts(self.read, READ_AT_ONCE)
            self.read += len(lines)
            found = (orjson.loads(line) for line in lines)
            attacks = [verdict for verdict in found if _is_attack(verdict)]
            self.attacks += attacks[: SHOWN - len(self.attacks)]
            if len(lines) < READ_AT_ONCE:
                return


def _is_attack(verdict: dict[str, Any]) -> bool:
    return not verdict["insufficient"] and verdict["label"] != "benign"
