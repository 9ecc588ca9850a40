from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.addresses import pack_address
from flows.label_rules import LabelRules, read_label_rules
from flows.table import UNKNOWN_TIME, FlowTable
from helpers.flows import flow_table


def packed(*texts: str) -> np.ndarray:
    return np.frombuffer(b"".join(pack_address(text) for text in texts), np.uint8).reshape(-1, 16)


def labels(table: FlowTable, *rules: dict[str, object], **more: object) -> list[str]:
    return LabelRules.model_validate({"rules": list(rules)} | more).labels(table).tolist()


def test_the_first_rule_that_matches_counts_and_the_default_is_for_the_others() -> None:
    table = flow_table(3, dst_port=np.array([80, 443, 22]))
    found = labels(
        table,
        {"label": "DoS Hulk", "destination_port": 80},
        {"label": "Portscan", "destination_port": [80, 443]},
    )
    assert found == ["DoS Hulk", "Portscan", "Benign"]
    assert labels(table, default="") == ["", "", ""]


def test_a_rule_without_a_label_leaves_flows_of_which_nobody_can_tell() -> None:
    table = flow_table(3, dst_port=np.array([80, 443, 22]))
    rules = LabelRules.model_validate(
        {
            "rules": [
                {"label": "", "destination_port": 80},
                {"label": "Bot", "destination_port": [80, 443], "about": {"tool": "curl"}},
            ]
        }
    )
    assert rules.labels(table).tolist() == ["", "Bot", "Benign"]
    assert rules.matched(table).tolist() == [0, 1, -1]
    assert rules.rules[1].about == {"tool": "curl"}


def test_hosts_are_addresses_or_networks_of_both_families() -> None:
    table = flow_table(4, src_addr=packed("10.0.0.1", "10.0.1.0", "10.0.0.255", "fe80::7"))
    assert labels(table, {"label": "Bot", "source": "10.0.0.0/24"}) == ["Bot", "Benign", "Bot", "Benign"]
    found = labels(table, {"label": "Bot", "source": ["10.0.1.0", "fe80::/64"]})
    assert found == ["Benign", "Bot", "Benign", "Bot"]


@given(st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1), st.integers(0, 32))
def test_a_network_matches_what_the_standard_library_says(host: int, other: int, bits: int) -> None:
    import ipaddress

    network = ipaddress.ip_network((other, bits), strict=False)
    table = flow_table(1, src_addr=packed(str(ipaddress.ip_address(host))))
    inside = ipaddress.ip_address(host) in network
    assert labels(table, {"label": "Bot", "source": str(network)}) == ["Bot" if inside else "Benign"]


def test_times_are_of_the_file_s_zone_and_both_ends_count() -> None:
    moments = [
        "2017-07-06T13:39:59.999999",
        "2017-07-06T13:40:00",
        "2017-07-06T13:43:00",
        "2017-07-06T13:43:01",
    ]
    table = flow_table(4, start_us=np.array(moments, "datetime64[us]").astype(np.int64))
    inside = ["Benign", "Bot", "Bot", "Benign"]
    times = {"label": "Bot", "from": "2017-07-06 10:40", "until": "2017-07-06 10:43"}
    assert labels(table, times, timezone="-03:00") == inside
    assert labels(table, times, timezone="America/Halifax") == inside
    utc = {"label": "Bot", "from": "2017-07-06 13:40:00Z", "until": "2017-07-06 13:43"}
    assert labels(table, utc) == inside
    with pytest.raises(ValueError, match="flows without times"):
        labels(flow_table(1, start_us=np.array([UNKNOWN_TIME])), times)


def test_flows_without_payload_from_the_attacker_were_only_attempted() -> None:
    there = flow_table(2, features={"totlen_fwd_pkts": np.array([0.0, 5.0]), "totlen_bwd_pkts": 9})
    rule = {"label": "Bot", "source": "10.0.0.1", "source_port": [40000, 40001], "needs_payload": True}
    assert labels(there, rule) == ["Bot - Attempted", "Bot"]
    back = flow_table(
        2,
        src_addr=there.dst_addr,
        dst_addr=there.src_addr,
        src_port=there.dst_port,
        dst_port=there.src_port,
        features={"totlen_fwd_pkts": 9, "totlen_bwd_pkts": np.array([0.0, 5.0])},
    )
    assert labels(back, rule) == ["Benign", "Benign"]
    assert labels(back, rule | {"either_way": True}) == ["Bot - Attempted", "Bot"]


def test_protocols_have_names_and_numbers() -> None:
    table = flow_table(3, protocol=np.array([6, 17, 1], np.int16))
    assert labels(table, {"label": "Bot", "protocol": "UDP"}) == ["Benign", "Bot", "Benign"]
    assert labels(table, {"label": "Bot", "protocol": 1}) == ["Benign", "Benign", "Bot"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("rules: [{label: Gremlins}]", r"rules.0.label: .*unknown label 'Gremlins'"),
        ("rules: [{source: 10.0.0.1}]", r"rules.0.label: Field required"),
        ("rules: [{label: Bot, source: [10.0.0.1/8]}]", r"rules.0.source.0: .*10.0.0.1/8"),
        ("rules: [{label: Bot, protocol: carrier pigeon}]", r"rules.0.protocol"),
        ("rules: [{label: Bot, from: 2020-01-02 00:00, until: 2020-01-01 00:00}]", r"until is before from"),
        ("rules: [{label: Bot, port: 80}]", r"rules.0.port: Extra inputs"),
        ("timezone: Atlantis\nrules: []", r"timezone 'Atlantis'"),
        ("default: Benign", r"rules: Field required"),
        ("rules: [", r"not YAML"),
        ("", r"valid dictionary|valid dict"),
    ],
)
def test_what_is_wrong_in_a_file_is_named(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "labels.yaml").write_text(text)
    with pytest.raises(ValueError, match=rf"labels.yaml: .*(?:{said})"):
        read_label_rules(tmp_path / "labels.yaml")
