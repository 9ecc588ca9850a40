"""The dialects as data: the kernel's rules, and what docs/features.md says of each feature."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from capture.dialects import RULES, Close, feature_names, rule_values
from capture.layout import Rule
from flows.dialects import DIALECTS, GENERATIONS, PYTHON
from flows.differences import differing
from flows.schema import COMMON_NAMES
from helpers.oracle import DIALECTS as ORACLE
from helpers.oracle_features import features
from helpers.oracle_flows import Flow
from helpers.oracle_packets import FIN, decode
from helpers.packets import CLIENT, SERVER, Packet, reply, tcp, udp

S = 1_000_000


def test_every_dialect_but_python_s_is_metered_described_and_in_the_oracle() -> None:
    assert set(RULES) == set(DIALECTS) - {PYTHON} == set(GENERATIONS) == set(ORACLE)


def test_the_kernel_reads_the_rules_by_name() -> None:
    values = rule_values("cic-v4")
    assert len(values) == Rule.TIMES_ALL_PROTOCOLS - Rule.CLOSE + 1
    assert values[0] == Close.BACKWARD_FIN
    assert values[Rule.NO_WINDOW - Rule.CLOSE] == 0
    assert rule_values("cic-2018")[Rule.NO_WINDOW - Rule.CLOSE] == -1


def test_the_order_of_the_rules_is_the_kernel_s() -> None:
    fields = [name.upper() for name in RULES["improved"].__dataclass_fields__]
    assert fields == [rule.name for rule in Rule if Rule.CLOSE <= rule <= Rule.TIMES_ALL_PROTOCOLS]


def test_an_unknown_dialect_names_those_that_are() -> None:
    with pytest.raises(ValueError, match="'cic-v5' cannot be metered: use one of improved, improved-2024"):
        rule_values("cic-v5")


@st.composite
def one_flow(draw: st.DrawFn) -> list[Packet]:
    """Packets of one five-tuple, none of which ends the flow but a last FIN."""
    datagrams = draw(st.booleans())
    at = 0
    packets = []
    for _ in range(draw(st.integers(1, 14))):
        back = draw(st.booleans()) and bool(packets)
        payload = draw(st.sampled_from([0, 0, 3, 700, 1001]))
        if datagrams:
            packet = udp(at, payload, src=SERVER if back else CLIENT, dst=CLIENT if back else SERVER)
        else:
            flags = draw(st.sampled_from(["A", "PA", "U", "EC", "SA", "PUEC", "R", "S", "F"]))
            make = reply if back else tcp
            packet = make(at, flags, payload, window=draw(st.sampled_from([0, 7, 900])))
        packets.append(Packet(at, packet.frame + bytes(draw(st.sampled_from([0, 6])))))
        at += draw(st.sampled_from([0, 1, 500, 400_000, S + 1, 6 * S]))
    return packets


def bulks(make: Callable[..., Packet]) -> list[Packet]:
    """Bulks of four and of five packets."""
    times = [0, 1000, 2000, 3100, 3 * S, 3 * S + 1000, 3 * S + 2000, 3 * S + 3000, 3 * S + 4500]
    return [tcp(-1), *(make(at, "A", 701) for at in times)]


def pauses(*last: float) -> list[Packet]:
    """Two active periods and idle gaps, then those given and a FIN."""
    at = [0, S, 8 * S, 10 * S, 20 * S, *(20 * S + round(seconds * S) for seconds in last)]
    return [*(tcp(time) for time in at[:-1]), tcp(at[-1], "F")]


def measured(packets: list[Packet], dialect: str) -> dict[str, float]:
    """The features of these packets as one flow, which shows what arithmetic does without where flows end."""
    rules = ORACLE[dialect]()
    # A TCP packet of another flow before them, for the dialect that borrows its header.
    before = decode(0, tcp(0, src=("10.9.9.9", 1)).frame, rules.sight)
    assert before is not None
    rules.seen(before)
    decoded = []
    for packet in packets:
        found = decode(packet.at_us, packet.frame, rules.sight)
        assert found is not None
        decoded.append(rules.seen(found))
    first = decoded[0]
    flow = Flow((first.src, first.sport), (first.dst, first.dport), first.protocol)
    for number, packet in enumerate(decoded, start=1):
        last = number == len(decoded)
        flow.add(packet, silent=last and packet.has(FIN) and dialect in ("cic-2017", "cic-2018"))
    return features(flow, dialect)


def departures(packets: list[Packet], dialect: str) -> set[str]:
    """The features that a dialect computes otherwise than `improved` does."""
    one, other = measured(packets, "improved"), measured(packets, dialect)
    names = set(feature_names(dialect)) & set(feature_names("improved"))
    return {
        name
        for name in names
        if not math.isclose(one[name], other[name], rel_tol=1e-9)
        and not (math.isnan(one[name]) and math.isnan(other[name]))
    }


@pytest.mark.parametrize("dialect", [name for name in ORACLE if name != "improved"])
def test_the_listed_differences_are_the_differences(dialect: str) -> None:
    seen: Counter[str] = Counter()

    @example(bulks(tcp))
    @example(bulks(reply))
    @example(pauses(3, 33))
    @example(pauses(0.5, 6))
    @given(one_flow())
    @settings(
        max_examples=400,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    def look(packets: list[Packet]) -> None:
        single = len(packets) == 1 and ORACLE[dialect].drops_single_packets
        if not single:
            found = departures(packets, dialect)
            assert found <= differing(dialect), packets
            seen.update(found)

    look()
    assert set(seen) == differing(dialect)


def test_the_features_of_a_dialect_begin_with_the_common_ones() -> None:
    for dialect in RULES:
        assert feature_names(dialect)[:76] == COMMON_NAMES
