"""What uploads tell of themselves."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class UploadsStatus:
    """Counters since the start, and what there is now.

    Attributes:
        received, done, failed, deleted: captures; those deleted include expired ones.
        flows, attacks: of the analyses that ended.
        active: captures that are received, wait or are analysed.
        running: the thread that sees to them is alive.
    """

    received: int
    done: int
    failed: int
    deleted: int
    flows: int
    attacks: int
    active: int
    running: bool
