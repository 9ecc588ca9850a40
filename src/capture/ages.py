"""Open flows that wait for an age at which they are emitted provisionally.

Flows reach an age in the order in which they began, so those that wait for the same one are a queue: a flow
costs it two links, and the timer wheel knows ends alone.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from capture.expiry import closing_reason, talks_to_itself
from capture.layout import Counter, MeterState, Number, Rule
from capture.rules import LIVE_AGES
from flows.jit import inlined
from flows.table import EndReason

NO_AGE: Final = (1 << 63) // 2
"""An age that no flow reaches."""

_FIRST: Final = int(Counter.AGES_FIRST)
_LAST: Final = int(Counter.AGES_LAST)
_AGE: Final = int(Rule.EARLY)
_UNANSWERED: Final = int(Rule.UNANSWERED)
_REASON_IDLE: Final = int(EndReason.IDLE)


@inlined
def await_age(state: MeterState, row: Number) -> None:
    """Queue a flow for the age that comes next, if there is one."""
    flow = state.flows[row]
    age = flow.early
    if state.rules[_AGE + age] == NO_AGE:
        return
    last = state.counters[_LAST + age]
    state.waits[row].behind = -1
    state.waits[row].ahead = last
    if last >= 0:
        state.waits[last].behind = row
    else:
        state.counters[_FIRST + age] = row
    state.counters[_LAST + age] = row
    flow.waits = 1


@inlined
def await_none(state: MeterState, row: Number) -> None:
    """Take a flow out of its queue."""
    flow = state.flows[row]
    if flow.waits == 0:
        return
    ahead, behind = state.waits[row].ahead, state.waits[row].behind
    if ahead >= 0:
        state.waits[ahead].behind = behind
    else:
        state.counters[_FIRST + flow.early] = behind
    if behind >= 0:
        state.waits[behind].ahead = ahead
    else:
        state.counters[_LAST + flow.early] = ahead
    flow.waits = 0


@inlined
def age_due(flow: Any, rules: NDArray[np.int64]) -> Number:
    """Return the time after which a flow is of the age that it waits for."""
    return flow.start + rules[_AGE + flow.early]


@inlined
def is_told(flow: Any, rules: NDArray[np.int64]) -> bool:
    """Whether a flow that is as old as it waited for is emitted.

    Not where that age is for unanswered flows and it was answered, nor where nothing came since then,
    nor where it closed: its end follows.
    """
    if closing_reason(flow, _REASON_IDLE) != _REASON_IDLE:
        return False
    if flow.early == rules[_UNANSWERED] and (flow.bwd.lengths.count > 0 or talks_to_itself(flow)):
        return False
    return bool(flow.revision == 0 or flow.last > flow.start + rules[_AGE + flow.early - 1])


@inlined
def first_of_age(state: MeterState, now: Number) -> Number:
    """Return a row whose flow is older than the age that it waits for, -1 when there is none."""
    for age in range(LIVE_AGES):
        row = state.counters[_FIRST + age]
        if row >= 0 and now > age_due(state.flows[row], state.rules):
            return row
    return -1
