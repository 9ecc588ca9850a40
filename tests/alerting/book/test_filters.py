from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from alerting.book.book import AlertBook
from alerting.book.filters import AlertFilter, AlertQuery, read_cursor, write_cursor
from alerting.policy import AlertPolicy
from helpers.alerts import HandClock, attacks, packed, taken
from helpers.book import all_alerts, open_book, written

SOURCES = ["10.0.0.1", "10.0.1.1", "10.0.0.200", "2001:db8::1", "2001:db8:1::1", "::ffff:0:1", "203.0.113.9"]
CODES = [17, 5, 1, 17, 11, 5, 17]
NETWORKS = [
    *("10.0.0.0/24", "10.0.0.0/8", "10.0.0.1", "0.0.0.0/0", "203.0.113.8/31", "192.0.2.0/24", "10.0.0.2"),
    *("2001:db8::/32", "2001:db8::/64", "::/0", "::ffff:0:0/96", "2001:db8::1"),
]
WORDS = [
    "hulk",
    "PORTSCAN",
    "10.0.0.",
    "tcp",
    "sidecar",
    "api",
    "443",
    "2001:db8",
    "test",
    "scan t1046",
    "weekly",
]
DAY = timedelta(days=1)


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AlertBook]:
    """Alerts of a week: open, closed, acknowledged, labelled, of several sources and origins."""
    hand = HandClock()
    with open_book(tmp_path_factory.mktemp("book") / "alerts.db") as book:
        for day in range(7):
            policy = AlertPolicy(aggregated={"sidecar"}, clock=hand.clock)
            chosen = slice(day % 3, None)
            book.take(taken(policy, *attacks(SOURCES[chosen], CODES[chosen])))
            book.take(taken(policy, *attacks(SOURCES[:2], CODES[:2]), source="api"))
            if day % 2:
                book.take(list(policy.close()))
            hand.pass_(86_400)
        every = all_alerts(written(book))
        for alert in every[::3]:
            book.acknowledge(alert["id"], "eve")
        for alert in every[::4]:
            book.label(alert["id"], "false_positive", None, "the weekly Scan", "eve")
        yield book


def moments() -> st.SearchStrategy[datetime | None]:
    first = datetime.fromtimestamp(HandClock().us / 1e6, UTC)
    return st.none() | st.integers(-1, 9).map(lambda days: first + days * DAY)


FILTERS = st.fixed_dictionaries(
    {},
    optional={
        "since": moments(),
        "until": moments(),
        "label": st.lists(st.sampled_from([17, "DoS Hulk", "FTP-BruteForce", 1, 0]), max_size=3),
        "severity": st.lists(st.integers(1, 3), max_size=3),
        "address": st.none() | st.sampled_from(NETWORKS),
        "state": st.none() | st.sampled_from(["open", "closed"]),
        "acknowledged": st.none() | st.booleans(),
        "text": st.lists(st.sampled_from(WORDS), max_size=2).map(" ".join),
    },
)


def fits(alert: dict[str, Any], wanted: AlertFilter) -> bool:
    """What the conditions on the tables must come to."""
    time, opened = (datetime.fromisoformat(alert[name]) for name in ("time", "opened"))
    note = (alert["feedback"] or {}).get("note") or ""
    words = " ".join(
        str(alert[name])
        for name in (
            *("label", "family", "technique", "src_ip", "src_port", "dst_ip", "dst_port", "proto", "sensor"),
            *("source", "id"),
        )
    )
    checks: list[Callable[[], bool]] = [
        lambda: wanted.since is None or time >= wanted.since,
        lambda: wanted.until is None or opened < wanted.until,
        lambda: not wanted.label or alert["prediction"] in wanted.label,
        lambda: not wanted.severity or alert["severity"] in wanted.severity,
        lambda: wanted.address is None or _about(alert, wanted.address),
        lambda: wanted.state in (None, alert["state"]),
        lambda: wanted.acknowledged in (None, alert["acknowledged"]),
        lambda: all(word in words.lower() or word in note.lower() for word in wanted.text.lower().split()),
    ]
    return all(check() for check in checks)


def _about(alert: dict[str, Any], network: Any) -> bool:
    return any(_ip(alert[name]) in network for name in ("src_ip", "dst_ip"))


def _ip(text: str) -> Any:
    return ipaddress.ip_address(text)


@settings(max_examples=150, deadline=None)
@given(wanted=FILTERS, limit=st.integers(1, 60))
def test_pages_hold_every_alert_that_fits_once(book: AlertBook, wanted: dict[str, Any], limit: int) -> None:
    every = all_alerts(book)
    numbers = [alert["opened"] for alert in every]
    assert numbers == sorted(numbers, reverse=True)
    parsed = AlertFilter.model_validate(wanted)
    expected = [alert["id"] for alert in every if fits(alert, parsed)]
    assert [alert["id"] for alert in all_alerts(book, limit=limit, **wanted)] == expected


def test_an_alert_that_changes_while_pages_are_read_is_neither_missed_nor_repeated(tmp_path: Path) -> None:
    policy = AlertPolicy(aggregated={"sidecar"})
    with open_book(tmp_path / "alerts.db") as book:
        book.take(taken(policy, *attacks([f"10.0.0.{host}" for host in range(1, 21)])))
        first = written(book).page(AlertQuery(limit=7))
        book.take(list(policy.close()))
        book.take(taken(policy, *attacks(["10.0.1.1"])))
        written(book)
        rest = all_alerts(book, limit=7, cursor=first.cursor)
        ids = [alert["id"] for alert in first.alerts + rest]
        assert len(ids) == len(set(ids)) == 20


def test_every_destination_that_an_alert_names_is_found(tmp_path: Path) -> None:
    policy = AlertPolicy(aggregated={"sidecar"})
    targets = [f"192.0.2.{host}" for host in range(1, 6)]
    with open_book(tmp_path / "alerts.db") as book:
        book.take(taken(policy, *attacks(["10.0.0.1"] * 5, dst_addr=packed(*targets))))
        book.take(list(policy.close()))
        written(book)
        for target in targets:
            assert len(all_alerts(book, address=target)) == 1
        assert all_alerts(book, address="192.0.2.6") == []
        since = datetime.now(UTC) - DAY
        assert {each["address"] for each in book.top("targets", since, 9)} == set(targets)


@given(st.integers(0, 2**63 - 1))
def test_a_cursor_comes_back(number: int) -> None:
    assert read_cursor(write_cursor(number)) == number


@given(st.text(max_size=16))
def test_any_other_text_is_no_cursor(text: str) -> None:
    with pytest.raises(ValueError, match="send the cursor of an earlier page as it came, or none"):
        read_cursor(f"{text}.")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("label", ["Gremlins"]),
        ("label", [99]),
        ("severity", [0]),
        ("address", "10.0.0.1/8"),
        ("since", "2026-01-01"),
        ("since", datetime(1, 1, 1, tzinfo=UTC)),
        ("state", "ajar"),
        ("text", "x" * 201),
        ("limit", 1001),
        ("cursor", ""),
        ("colour", "red"),
    ],
)
def test_what_is_wrong_is_named(field: str, value: Any) -> None:
    with pytest.raises(ValidationError) as wrong:
        AlertQuery.model_validate({field: value})
    assert wrong.value.errors()[0]["loc"][0] == field


def test_equal_filters_are_one() -> None:
    assert len({AlertFilter(), AlertFilter(label=()), AlertFilter.model_validate({"text": ""})}) == 1
