"""Starts of flows in one line each, and what their contexts are by definition."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from context.features import CONTEXT_NAMES, WINDOWS_SECONDS
from flows.starts import START


class Start(NamedTuple):
    """A start: time in milliseconds, ends as small numbers, and what was seen within two seconds."""

    at_ms: int
    src: int = 1
    dst: int = 2
    port: int = 80
    fwd: tuple[int, int] = (1, 0)
    bwd: tuple[int, int] = (1, 0)
    reset: bool = False
    protocol: int = 6


def rows_of(starts: Sequence[Start], first_uid: int = 1) -> Any:
    """START rows; packets and bytes each way are `fwd` and `bwd`."""
    rows = np.zeros(len(starts), START)
    for uid, (row, start) in enumerate(zip(rows, starts, strict=True), first_uid):
        row["uid"], row["start"] = uid, start.at_ms * 1000
        row["src_lo"], row["dst_lo"], row["dst_port"] = start.src, start.dst, start.port
        row["fwd_packets"], row["fwd_bytes"] = start.fwd
        row["bwd_packets"], row["bwd_bytes"] = start.bwd
        row["reset"], row["protocol"] = start.reset, start.protocol
    return rows


def contexts_by_definition(starts: Sequence[Start]) -> list[dict[str, float]]:
    """The features of each start, counted from nothing for each."""
    return [_context(starts[: number + 1]) for number in range(len(starts))]


def _context(past: Sequence[Start]) -> dict[str, float]:
    now = max(start.at_ms for start in past)
    times = np.maximum.accumulate([start.at_ms for start in past])
    repeated = [_repeated(past[: at + 1], times[: at + 1]) for at in range(len(past))]
    found = {}
    for scope in ("src", "dst", "pair"):
        for seconds in WINDOWS_SECONDS:
            inside = [
                (start, again)
                for start, time, again in zip(past, times, repeated, strict=True)
                if time > now - 1000 * seconds and _same(scope, start, past[-1])
            ]
            for name, value in _features(scope, [start for start, _ in inside]).items():
                found[f"{scope}_{name}_{seconds}s"] = value
            found[f"{scope}_repeated_{seconds}s"] = float(np.mean([again for _, again in inside]))
    return {name: found[name] for name in CONTEXT_NAMES}


def _same(scope: str, one: Start, other: Start) -> bool:
    return (scope == "dst" or one.src == other.src) and (scope == "src" or one.dst == other.dst)


def _repeated(past: Sequence[Start], times: Any) -> bool:
    def exchange(start: Start) -> Any:
        return start.src, start.dst, start.port, start.protocol, start.fwd[1], start.bwd[1]

    recent = [start for start, time in zip(past, times, strict=True) if time > times[-1] - 60_000]
    return exchange(past[-1]) in {exchange(start) for start in recent[:-1]}


def _features(scope: str, inside: Sequence[Start]) -> dict[str, float]:
    forward, backward = sum(each.fwd[1] for each in inside), sum(each.bwd[1] for each in inside)
    total = forward + backward
    others = {"src": "dst", "dst": "src"}.get(scope, "dst")
    return {
        "flows": len(inside),
        "peers": len({getattr(each, others) for each in inside}),
        "ports": len({(each.protocol, each.port) for each in inside}),
        "unanswered": float(np.mean([each.bwd[0] == 0 for each in inside])),
        "short": float(np.mean([each.fwd[0] + each.bwd[0] <= 2 for each in inside])),
        "reset": float(np.mean([each.reset for each in inside])),
        "asymmetry": (forward - backward) / total if total else 0.0,
    }
