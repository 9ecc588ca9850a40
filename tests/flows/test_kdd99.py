from __future__ import annotations

import random

import pytest

from flows.kdd99 import FEATURES, FLAGS, PROTOCOLS, features_of, is_connection
from helpers.kdd99 import EXAMPLE


def test_the_order_of_keys_and_other_keys_do_not_matter() -> None:
    shuffled = list((EXAMPLE | {"service": "http", "target": "normal."}).items())
    random.Random(0).shuffle(shuffled)
    assert features_of(dict(shuffled)).tolist() == features_of(EXAMPLE).tolist()


@pytest.mark.parametrize(("name", "codes"), [("flag", FLAGS), ("protocol_type", PROTOCOLS)])
def test_every_flag_and_protocol_has_its_code(name: str, codes: dict[str, int]) -> None:
    at = FEATURES.index(name)
    for text, code in codes.items():
        for sent in (text, text.lower(), code):
            assert features_of(EXAMPLE | {name: sent})[at] == code


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"flag": "S4"}, "flag 'S4' is none of SF, S0, REJ"),
        ({"protocol_type": "igmp"}, "protocol_type 'igmp' is none of icmp, tcp, udp"),
        ({"flag": 11}, "flag 11 is none of"),
        ({"hot": "many"}, "Not numeric: hot"),
        ({"hot": None}, "Not numeric: hot"),
    ],
)
def test_what_is_no_value_is_named(change: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        features_of(EXAMPLE | change)


def test_missing_features_are_named() -> None:
    few = {name: value for name, value in EXAMPLE.items() if name not in ("duration", "hot")}
    with pytest.raises(ValueError, match=r"^Missing feature: duration, hot$"):
        features_of(few)


def test_a_flow_is_no_connection() -> None:
    assert is_connection(EXAMPLE)
    assert not is_connection({"flow_duration": 1, "tot_fwd_pkts": 2, "count": 3})
    assert not is_connection({})
