"""How the windows are kept: starts in a ring, and what each host, pair and port has in the windows now."""

from __future__ import annotations

from enum import IntEnum
from typing import Any, Final, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from context.features import WINDOWS_SECONDS

Number: TypeAlias = Any
Ints: TypeAlias = NDArray[np.int32]

WINDOWS: Final = len(WINDOWS_SECONDS)
WINDOWS_US: Final = tuple(seconds * 1_000_000 for seconds in WINDOWS_SECONDS)


class Scope(IntEnum):
    """Whose starts are summed; then what is counted once in each, however many starts have it."""

    SOURCE = 0
    DESTINATION = 1
    PAIR = 2


class Member(IntEnum):
    """What is counted once, however many starts have it: a scope's port, and an exchange of a pair."""

    SOURCE_PORT = 0
    DESTINATION_PORT = 1
    PAIR_PORT = 2
    EXCHANGE = 3


class Mark(IntEnum):
    """What a start is counted as."""

    UNANSWERED = 0
    SHORT = 1
    RESET = 2
    REPEATED = 3


class Count(IntEnum):
    """Columns of a scope's counts: the marks, and then these."""

    FLOWS = 4
    PEERS = 5
    PORTS = 6
    SIZE = 7


class Position(IntEnum):
    """Positions in the counters: starts put in, those out of each window, rows used and rows free."""

    ADDED = 0
    LEFT = 1
    NEWEST = 4
    CROWDED_OUT = 5
    SCOPES_USED = 6
    SCOPES_FREE = 7
    MEMBERS_USED = 8
    MEMBERS_FREE = 9
    SIZE = 10


class Rows(NamedTuple):
    """Rows found by a hash.

    Attributes:
        hashes: uint64, a row's hash.
        slots: int32, a power of two; row + 1, 0 when empty.
        free: int32; rows to use again, a stack.
        counts: int32, rows x windows x what is counted.
    """

    hashes: NDArray[np.uint64]
    slots: Ints
    free: Ints
    counts: Ints


class ContextState(NamedTuple):
    """All that the kernel works on; n starts fit in the ring, a power of two.

    Attributes:
        times: int64, n; a start's time, microseconds.
        payload: int64, n x 2; payload bytes forward and backward.
        marks: int32, n x 4; see Mark.
        places: int32, n x 7; its rows of `scopes`, then those of `members`.
        scopes: sources, destinations and pairs, with counts as of Count.
        scope_payload: int64, rows x windows x 2; their payload bytes forward and backward.
        members: see Member, with the number of starts.
        counters: int64, see Position.
    """

    times: NDArray[np.int64]
    payload: NDArray[np.int64]
    marks: Ints
    places: Ints
    scopes: Rows
    scope_payload: NDArray[np.int64]
    members: Rows
    counters: NDArray[np.int64]


def _rows(count: int, slots: int, counted: int) -> Rows:
    return Rows(
        hashes=np.zeros(count, np.uint64),
        slots=np.zeros(slots, np.int32),
        free=np.zeros(count, np.int32),
        counts=np.zeros((count, WINDOWS, counted), np.int32),
    )


def make_state(starts: int) -> ContextState:
    """Return memory for so many starts within the longest window, rounded up to a power of two.

    What no start has used yet is not resident.
    """
    ring = 1 << max(starts - 1, 1).bit_length()
    return ContextState(
        times=np.zeros(ring, np.int64),
        payload=np.zeros((ring, 2), np.int64),
        marks=np.zeros((ring, len(Mark)), np.int32),
        places=np.zeros((ring, len(Scope) + len(Member)), np.int32),
        scopes=_rows(len(Scope) * ring, 8 * ring, Count.SIZE),
        scope_payload=np.zeros((len(Scope) * ring, WINDOWS, 2), np.int64),
        members=_rows(len(Member) * ring, 8 * ring, 1),
        counters=np.zeros(Position.SIZE, np.int64),
    )
