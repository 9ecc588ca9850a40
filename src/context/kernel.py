"""The context kernel: starts in, the features of each as of its start out.

A window of W seconds before a start at t holds the starts after t - W, itself among them. Starts come in the
order of their first packets; one that is a little older than the newest counts as of that.
"""

from __future__ import annotations

from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from context.layout import WINDOWS, WINDOWS_US, ContextState, Count, Mark, Member, Number, Position, Scope
from context.rows import find_or_add, give_back, mixed
from flows.jit import inlined, kernel

Starts: TypeAlias = Any

_ADDED: Final = int(Position.ADDED)
_LEFT: Final = int(Position.LEFT)
_NEWEST: Final = int(Position.NEWEST)
_CROWDED_OUT: Final = int(Position.CROWDED_OUT)
_SCOPES_USED: Final = int(Position.SCOPES_USED)
_MEMBERS_USED: Final = int(Position.MEMBERS_USED)
_LONGEST: Final = WINDOWS - 1
_SCOPES: Final = len(Scope)
_MEMBERS: Final = len(Member)
_SOURCE: Final = int(Scope.SOURCE)
_DESTINATION: Final = int(Scope.DESTINATION)
_PAIR: Final = int(Scope.PAIR)
_EXCHANGE: Final = _SCOPES + int(Member.EXCHANGE)
_MARKS: Final = len(Mark)
_UNANSWERED: Final = int(Mark.UNANSWERED)
_SHORT: Final = int(Mark.SHORT)
_RESET: Final = int(Mark.RESET)
_REPEATED: Final = int(Mark.REPEATED)
_FLOWS: Final = int(Count.FLOWS)
_PEERS: Final = int(Count.PEERS)
_PORTS: Final = int(Count.PORTS)
_FEW_PACKETS: Final = 2
_SEED_SOURCE: Final = np.uint64(0x51)
_SEED_DESTINATION: Final = np.uint64(0x52)
_SEED_PAIR: Final = np.uint64(0x53)
_SEED_SIZES: Final = np.uint64(0x54)
_S16: Final = np.uint64(16)


@inlined
def _place(start: Any, at: Number, state: ContextState) -> None:
    """Find the rows where a start counts."""
    source = mixed(mixed(_SEED_SOURCE, start.src_hi), start.src_lo)
    destination = mixed(mixed(_SEED_DESTINATION, start.dst_hi), start.dst_lo)
    pair = mixed(mixed(_SEED_PAIR, source), destination)
    port = (np.uint64(start.protocol) << _S16) | np.uint64(start.dst_port)
    sizes = mixed(mixed(mixed(_SEED_SIZES, port), np.uint64(start.fwd_bytes)), np.uint64(start.bwd_bytes))
    counters, places = state.counters, state.places[at]
    for scope, hashed in ((_SOURCE, source), (_DESTINATION, destination), (_PAIR, pair)):
        places[scope] = find_or_add(state.scopes, counters, _SCOPES_USED, hashed)
        places[_SCOPES + scope] = find_or_add(state.members, counters, _MEMBERS_USED, mixed(hashed, port))
    places[_EXCHANGE] = find_or_add(state.members, counters, _MEMBERS_USED, mixed(pair, sizes))


@inlined
def _count(at: Number, window: Number, sign: Number, state: ContextState) -> None:
    """Add a start to a window, or take it out."""
    counts, members = state.scopes.counts, state.members.counts
    places, marks = state.places[at], state.marks[at]
    before = 0 if sign > 0 else 1
    if counts[places[_PAIR], window, _FLOWS] == before:
        counts[places[_SOURCE], window, _PEERS] += sign
        counts[places[_DESTINATION], window, _PEERS] += sign
    for scope in range(_SCOPES):
        row, member = places[scope], places[_SCOPES + scope]
        if members[member, window, 0] == before:
            counts[row, window, _PORTS] += sign
        members[member, window, 0] += sign
        counts[row, window, _FLOWS] += sign
        for mark in range(_MARKS):
            counts[row, window, mark] += sign * marks[mark]
        state.scope_payload[row, window, 0] += sign * state.payload[at, 0]
        state.scope_payload[row, window, 1] += sign * state.payload[at, 1]
    members[places[_EXCHANGE], window, 0] += sign


@inlined
def _release(at: Number, state: ContextState) -> None:
    """Free the rows that no start of the longest window needs any more."""
    places = state.places[at]
    for scope in range(_SCOPES):
        if state.scopes.counts[places[scope], _LONGEST, _FLOWS] == 0:
            give_back(state.scopes, state.counters, _SCOPES_USED, places[scope])
    for member in range(_MEMBERS):
        row = places[_SCOPES + member]
        if state.members.counts[row, _LONGEST, 0] == 0:
            give_back(state.members, state.counters, _MEMBERS_USED, row)


@inlined
def _leave(now: Number, state: ContextState) -> None:
    """Take the starts out of the windows that they are too old for, or for which the ring has no room."""
    counters, times = state.counters, state.times
    mask = times.shape[0] - 1
    for window in range(WINDOWS):
        while counters[_LEFT + window] < counters[_ADDED]:
            at = counters[_LEFT + window] & mask
            inside = times[at] > now - WINDOWS_US[window]
            if inside and counters[_ADDED] - counters[_LEFT + window] <= mask:
                break
            _count(at, window, -1, state)
            counters[_LEFT + window] += 1
            if window == _LONGEST:
                _release(at, state)
                counters[_CROWDED_OUT] += inside


@inlined
def _write(
    row: Number, window: Number, state: ContextState, out: NDArray[np.float32], at: Number, peers: bool
) -> Number:
    """Write a scope's features of a window; return where the next ones go."""
    counts, payload = state.scopes.counts[row, window], state.scope_payload[row, window]
    out[at] = counts[_FLOWS]
    if peers:
        at += 1
        out[at] = counts[_PEERS]
    out[at + 1] = counts[_PORTS]
    at += 2
    for mark in range(_MARKS):
        out[at + mark] = counts[mark] / counts[_FLOWS]
    total = payload[0] + payload[1]
    out[at + _MARKS] = (payload[0] - payload[1]) / total if total > 0 else 0.0
    return at + _MARKS + 1


@kernel
def follow(starts: Starts, state: ContextState, out: NDArray[np.float32]) -> None:
    """Count n starts in, and write the features of each: n x the features' number."""
    counters = state.counters
    mask = state.times.shape[0] - 1
    for number in range(starts.shape[0]):
        start = starts[number]
        now = max(counters[_NEWEST], start.start)
        counters[_NEWEST] = now
        _leave(now, state)
        at = counters[_ADDED] & mask
        state.times[at] = now
        state.payload[at, 0] = start.fwd_bytes
        state.payload[at, 1] = start.bwd_bytes
        _place(start, at, state)
        places, marks = state.places[at], state.marks[at]
        marks[_UNANSWERED] = start.bwd_packets == 0
        marks[_SHORT] = start.fwd_packets + start.bwd_packets <= _FEW_PACKETS
        marks[_RESET] = start.reset
        marks[_REPEATED] = state.members.counts[places[_EXCHANGE], _LONGEST, 0] > 0
        for window in range(WINDOWS):
            _count(at, window, 1, state)
        counters[_ADDED] += 1
        column = 0
        for scope in range(_SCOPES):
            for window in range(WINDOWS):
                column = _write(places[scope], window, state, out[number], column, scope != _PAIR)
