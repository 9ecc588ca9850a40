from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from flows.addresses import pack_address
from flows.label_rules import read_label_rules, write_label_rules
from flows.table import FlowTable
from helpers.flows import flow_table
from lab.claims import Claim, label_rules

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
USER, MALLORY, WEB = "198.18.0.11", "198.18.0.12", "198.18.0.10"


def claim(label: str, source: str, *, after: float = 0, seconds: float = 10, **more: object) -> Claim:
    begin = NOON + timedelta(seconds=after)
    return Claim(
        label, begin, begin + timedelta(seconds=seconds), frozenset({source}), frozenset({WEB}), **more
    )


def flows(*rows: tuple[str, str, int, float]) -> FlowTable:
    """Flows of source, destination, destination port and seconds after noon."""

    def packed(column: int) -> np.ndarray:
        return np.frombuffer(b"".join(pack_address(str(row[column])) for row in rows), np.uint8).reshape(
            -1, 16
        )

    noon = int(NOON.timestamp() * 1e6)
    return flow_table(
        len(rows),
        src_addr=packed(0),
        dst_addr=packed(1),
        dst_port=np.array([row[2] for row in rows]),
        start_us=np.array([noon + int(row[3] * 1e6) for row in rows]),
    )


def labels(table: FlowTable, *claims: Claim) -> list[str]:
    return label_rules(claims, "", "").labels(table).tolist()


def test_a_flow_has_the_label_of_who_did_it_where_and_when() -> None:
    browsing = claim("Benign", USER, protocol="tcp", ports=frozenset({80}))
    scanning = claim("Portscan", MALLORY, after=5)
    table = flows((USER, WEB, 80, 1), (MALLORY, WEB, 999, 6), (USER, WEB, 22, 1), (MALLORY, WEB, 999, 1))
    assert labels(table, browsing, scanning) == ["Benign", "Portscan", "", ""]


def test_what_the_other_host_begins_counts_too() -> None:
    assert labels(flows((WEB, MALLORY, 40000, 1)), claim("Portscan", MALLORY)) == ["Portscan"]


def test_nobody_can_tell_what_two_activities_claim() -> None:
    browsing = claim("Benign", USER, protocol="tcp", ports=frozenset({80, 443}))
    scanning = claim("Portscan", USER, after=5)
    table = flows((USER, WEB, 80, 1), (USER, WEB, 80, 7), (USER, WEB, 22, 7), (USER, WEB, 80, 12))
    rules = label_rules([browsing, scanning], "", "")
    assert rules.labels(table).tolist() == ["Benign", "", "Portscan", "Portscan"]
    assert rules.matched(table).tolist() == [1, 0, 2, 2]


def test_two_that_look_at_each_other_dispute_both_ways() -> None:
    there = Claim("Bot", NOON, NOON + timedelta(10), frozenset({USER}), frozenset({WEB}))
    back = Claim("Portscan", NOON, NOON + timedelta(10), frozenset({WEB}), frozenset({USER}))
    assert labels(flows((USER, WEB, 80, 1), (WEB, USER, 80, 1)), there, back) == ["", ""]


def test_equal_labels_other_hosts_ports_protocols_and_times_are_no_dispute() -> None:
    web = claim("Benign", USER, protocol="tcp", ports=frozenset({80}))
    others = [
        claim("Benign", USER),
        claim("Bot", MALLORY),
        claim("Bot", USER, protocol="tcp", ports=frozenset({81})),
        claim("Bot", USER, protocol="udp"),
        claim("Bot", USER, after=20),
    ]
    for other in others:
        assert len(label_rules([web, other], "", "").rules) == 2, other


def test_the_rules_are_a_file_that_training_reads(tmp_path: Path) -> None:
    about: dict[str, bool | str | int | float] = {"tool": "nmap", "ports": 9, "rate": 0.5, "tls": True}
    scanning = claim("Portscan", MALLORY, ports=frozenset({80, 22}), protocol="tcp", about=about)
    rules = label_rules([scanning, claim("Bot", MALLORY)], "a scan", "ml-ids lab run x --seed 1")
    write_label_rules(rules, tmp_path / "x.labels.yaml")
    again = read_label_rules(tmp_path / "x.labels.yaml")
    assert again == rules
    assert again.rules[1].about == about
