from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from context.features import CONTEXT_NAMES
from context.kernel import follow
from context.layout import ContextState, Position, make_state
from helpers.starts import Start, contexts_by_definition, rows_of

AT = {name: at for at, name in enumerate(CONTEXT_NAMES)}
SIDES = st.sampled_from([(0, 0), (1, 0), (1, 40), (3, 40), (9, 900)])
STARTS = st.lists(
    st.builds(
        Start,
        at_ms=st.integers(0, 40_000),
        src=st.integers(1, 3),
        dst=st.integers(2, 4),
        port=st.sampled_from([53, 80]),
        fwd=SIDES,
        bwd=SIDES,
        reset=st.booleans(),
        protocol=st.sampled_from([6, 17]),
    ),
    max_size=40,
)


def contexts(
    starts: Sequence[Start], state: ContextState | None = None
) -> tuple[NDArray[np.float32], ContextState]:
    state = state or make_state(64)
    out = np.zeros((len(starts), len(CONTEXT_NAMES)), np.float32)
    follow(rows_of(starts).view(np.recarray), state, out)
    return out, state


def expected(starts: Sequence[Start]) -> NDArray[np.float32]:
    rows = [list(each.values()) for each in contexts_by_definition(starts)]
    return np.array(rows, np.float32).reshape(-1, len(CONTEXT_NAMES))


@settings(deadline=None)
@given(STARTS, st.integers(0, 40))
def test_the_features_are_those_of_the_definition_in_one_call_or_two(starts: list[Start], cut: int) -> None:
    # Steps between the starts: some windows empty in between.
    walked = np.cumsum([start.at_ms % 9000 for start in starts]).tolist()
    starts = [start._replace(at_ms=at) for start, at in zip(starts, walked, strict=True)]
    first, state = contexts(starts[:cut])
    second, _ = contexts(starts[cut:], state)
    expected = [list(each.values()) for each in contexts_by_definition(starts)]
    assert (
        np.vstack([first, second]).tolist()
        == np.array(expected, np.float32).reshape(-1, len(CONTEXT_NAMES)).tolist()
    )


@settings(deadline=None)
@given(STARTS)
def test_a_start_out_of_order_counts_as_of_the_newest(starts: list[Start]) -> None:
    found, _ = contexts(starts)
    assert found.tolist() == expected(starts).tolist()


def test_a_scan_shows_at_its_source_and_a_flood_at_its_target() -> None:
    scan = [Start(at, src=9, dst=2, port=at, fwd=(1, 0), bwd=(0, 0)) for at in range(100)]
    flood = [Start(100 + at, src=20 + at, dst=3, fwd=(1, 0), bwd=(0, 0)) for at in range(100)]
    found, _ = contexts(scan + flood, make_state(1000))
    last_scan, last_flood = found[99], found[199]
    assert last_scan[AT["src_ports_2s"]] == 100
    assert last_scan[AT["src_unanswered_2s"]] == 1
    assert last_scan[AT["src_peers_2s"]] == 1
    assert last_flood[AT["dst_peers_2s"]] == 100
    assert last_flood[AT["src_flows_2s"]] == 1


def test_when_more_begin_than_there_is_room_for_the_oldest_leave_early_and_are_counted() -> None:
    starts = [Start(at) for at in range(100)]
    found, state = contexts(starts, make_state(64))
    assert found[-1, AT["pair_flows_60s"]] == 64
    assert state.counters[Position.CROWDED_OUT] == 36


def test_memory_is_used_again() -> None:
    state = make_state(64)
    for round_ in range(50):
        many = [Start(round_ * 70_000 + at, src=round_ * 100 + at, port=at) for at in range(60)]
        contexts(many, state)
    assert state.counters[Position.SCOPES_USED] <= len(state.scopes.hashes)
    assert state.counters[Position.MEMBERS_USED] <= 4 * 61
    assert np.count_nonzero(state.scopes.slots) == 60 + 60 + 1
