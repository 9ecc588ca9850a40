from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from capture.flow_table import find_row, insert_row, key_tag, rebuild_index, remove_row
from capture.layout import FLOW, PACKET, records
from flows.jit import kernel

TAGS = st.sampled_from([0, 1, 2, 3, 15, 16, 17, 0xFFFFFFFF])


@kernel
def _insert(slots, tag, row):  # type: ignore[no-untyped-def]
    insert_row(slots, tag, row)


@kernel
def _remove(slots, tag, row):  # type: ignore[no-untyped-def]
    remove_row(slots, tag, row)


@kernel
def _find(flows, slots, tag, packets):  # type: ignore[no-untyped-def]
    return find_row(flows, slots, tag, packets[0])


@kernel
def _tag(packets):  # type: ignore[no-untyped-def]
    return key_tag(packets[0])


def _packet(src_port: int, dst_port: int = 80, *, backwards: bool = False):  # type: ignore[no-untyped-def]
    packets = records(1, PACKET)
    ends = [(0, 0xFFFF0A000001, src_port), (0, 0xFFFF0A000002, dst_port)]
    (packets.src_hi, packets.src_lo, packets.src_port) = ends[backwards]
    (packets.dst_hi, packets.dst_lo, packets.dst_port) = ends[not backwards]
    packets.protocol = 6
    return packets


def _flow_of(flows, row: int, packets) -> None:  # type: ignore[no-untyped-def]
    for name in ("src_hi", "src_lo", "dst_hi", "dst_lo", "src_port", "dst_port", "protocol"):
        flows[row][name] = packets[0][name]


def test_both_directions_have_one_tag() -> None:
    assert _tag(_packet(1000)) == _tag(_packet(1000, backwards=True))


def test_ports_swapped_between_hosts_are_another_flow() -> None:
    flows, slots = records(1, FLOW), np.zeros(4, np.uint64)
    _flow_of(flows, 0, _packet(1000, 80))
    tag = np.uint64(7)
    _insert(slots, tag, 0)
    assert _find(flows, slots, tag, _packet(1000, 80, backwards=True)) == 0
    assert _find(flows, slots, tag, _packet(80, 1000)) == -1


@given(st.lists(st.tuples(TAGS, st.booleans()), max_size=40))
@settings(deadline=None)
def test_index_equals_a_dictionary(steps: list[tuple[int, bool]]) -> None:
    flows, slots = records(40, FLOW), np.zeros(64, np.uint64)
    there: dict[int, int] = {}
    for row, (tag, remove) in enumerate(steps):
        if remove and there:
            gone = min(there)
            _remove(slots, np.uint64(there.pop(gone)), gone)
        _flow_of(flows, row, _packet(row + 1))
        _insert(slots, np.uint64(tag), row)
        there[row] = tag
        for known in range(row + 1):
            tag_of_known = steps[known][0]
            expected = known if known in there else -1
            assert _find(flows, slots, np.uint64(tag_of_known), _packet(known + 1)) == expected
    larger = np.zeros(256, np.uint64)
    rebuild_index(larger, slots)
    for known, tag in there.items():
        assert _find(flows, larger, np.uint64(tag), _packet(known + 1)) == known
