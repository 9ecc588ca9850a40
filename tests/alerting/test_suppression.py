from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest
from pydantic import ValidationError

from alerting.suppression import Rule, RuleSet
from helpers.alerts import packed
from helpers.flows import flow_table

TABLE = flow_table(
    4,
    src_addr=packed("10.1.2.3", "192.168.0.1", "2001:db8::1", "::"),
    dst_addr=packed("10.0.0.1", "10.0.0.2", "2001:db8::2", "::"),
    dst_port=np.array([80, 443, 53, -1], np.int32),
    protocol=np.array([6, 6, 17, -1], np.int16),
)
CODES = np.array([17, 5, 17, 5], np.int32)


@pytest.mark.parametrize(
    ("conditions", "rows"),
    [
        ({"source": "10.0.0.0/8"}, [0]),
        ({"source": "0.0.0.0/0"}, [0, 1]),
        ({"source": "::/0"}, [2]),
        ({"source": ["10.1.2.3", "2001:db8::/32"]}, [0, 2]),
        ({"source": "10.1.2.2/31"}, [0]),
        ({"destination": "10.0.0.0/30"}, [0, 1]),
        ({"destination": "10.0.0.0/30", "source": "10.0.0.0/8"}, [0]),
        ({"port": 443}, [1]),
        ({"port": [80, 53]}, [0, 2]),
        ({"port": 0}, []),
        ({"protocol": "udp"}, [2]),
        ({"protocol": [6, "UDP"]}, [0, 1, 2]),
        ({"class": "PortScan"}, [0, 2]),
        ({"class": ["Portscan", "DoS Hulk"], "port": 443}, [1]),
    ],
)
def test_what_a_rule_matches(conditions, rows):
    rule = Rule.model_validate({"name": "r", **conditions})
    assert np.flatnonzero(rule.matches(TABLE, CODES)).tolist() == rows


def test_a_rule_ends_at_its_time():
    rule = Rule.model_validate({"name": "r", "port": 1, "until": datetime(2026, 1, 2, tzinfo=UTC)})
    end = int(datetime(2026, 1, 2, tzinfo=UTC).timestamp() * 1e6)
    assert rule.in_force(end - 1_000_000)
    assert not rule.in_force(end)
    assert Rule.model_validate({"name": "r", "port": 1}).in_force(2**62 // 1000)


@pytest.mark.parametrize(
    ("rule", "says"),
    [
        ({"name": "r"}, "suppresses everything"),
        ({"name": "r", "source": "10.0.0.1/8"}, "host bits set; write an address or a network"),
        ({"name": "r", "source": []}, "at least 1"),
        ({"name": "r", "protocol": "nosuch"}, "write a name such as tcp"),
        ({"name": "r", "class": "Foo"}, "write a class as the logs do"),
        ({"name": "r", "class": "benign"}, "benign flows raise no alert"),
        ({"name": "r", "port": 1, "until": "2026-01-01T00:00:00"}, "timezone"),
    ],
)
def test_what_no_rule_can_be(rule, says):
    with pytest.raises(ValidationError, match=says):
        Rule.model_validate(rule)


def test_names_are_distinct():
    with pytest.raises(ValidationError, match="two rules are called 'r'"):
        RuleSet.model_validate({"rules": [{"name": "r", "port": 1}, {"name": "r", "port": 2}]})
