from __future__ import annotations

import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from alerting.book.book import AlertBook
from alerting.policy import AlertPolicy
from flows.addresses import parse_network
from helpers.alerts import attacks, taken
from helpers.book import all_alerts, open_book, opening, written
from helpers.server import wait_until

HOUR = timedelta(hours=1)


def now() -> datetime:
    return datetime.now(UTC)


def test_an_alert_has_the_summary_of_its_latest_message(tmp_path: Path) -> None:
    policy = AlertPolicy(aggregated={"sidecar"})
    with open_book(tmp_path / "alerts.db") as book:
        book.take(taken(policy, *attacks(["10.0.0.1"])))
        (opened,) = all_alerts(written(book))
        taken(policy, *attacks(["10.0.0.1"] * 4))
        book.take(list(policy.close()))
        (closed,) = all_alerts(written(book))
    assert opened | {"seq": 0, "time": ""} == {
        **{"id": opened["id"], "seq": 0, "time": "", "opened": opened["opened"], "state": "open"},
        **{"revision": 1, "count": 1, "prediction": 17, "label": "Portscan", "family": "scan"},
        **{"technique": "T1046", "severity": 3, "p_attack_max": 0.9, "sensor": "test", "source": "sidecar"},
        **{"src_ip": "10.0.0.1", "src_port": 40_000, "dst_ip": "10.0.0.2", "dst_port": 443, "proto": "TCP"},
        **{"model_version": "7", "acknowledged": False, "acknowledged_by": None, "acknowledged_at": None},
        "feedback": None,
    }
    assert (closed["state"], closed["count"], closed["revision"]) == ("closed", 5, 2)
    assert closed["opened"] == opened["opened"]
    assert closed["seq"] > opened["seq"]
    assert closed["time"] >= opened["time"]


def test_the_detail_has_the_eve_object_and_the_evidence(tmp_path: Path) -> None:
    (message,) = opening(["10.0.0.1"])
    with open_book(tmp_path / "alerts.db", evidence=lambda alert_id: tmp_path / f"{alert_id}.pcap") as book:
        book.take([message])
        detail = written(book).get(message.alert_id)
        assert detail is not None
        assert detail.eve["ml_ids"]["alert_id"] == message.alert_id
        assert detail.evidence == tmp_path / f"{message.alert_id}.pcap"
        assert book.get("no such alert") is None


def test_what_was_said_of_an_alert_survives_its_revisions_and_a_restart(tmp_path: Path) -> None:
    policy = AlertPolicy(aggregated={"sidecar"})
    (message,) = taken(policy, *attacks(["10.0.0.1"]))
    with open_book(tmp_path / "alerts.db") as book:
        book.take([message])
        written(book)
        seen = book.acknowledge(message.alert_id, "eve")
        assert seen
        assert (seen["acknowledged"], seen["acknowledged_by"]) == (True, "eve")
        judged = book.label(message.alert_id, "true_positive", "DDOS LOIT", "as in May", "eve")
        assert judged
        assert judged["feedback"] | {"at": ""} == {
            **{"verdict": "true_positive", "label": "DDoS", "note": "as in May", "who": "eve", "at": ""}
        }
        taken(policy, *attacks(["10.0.0.1"]))
        book.take(list(policy.close()))
        written(book)
    with open_book(tmp_path / "alerts.db") as book:
        wait_until(lambda: book.status().alerts)
        (alert,) = all_alerts(book)
        assert book.status().labels == 1
    assert (alert["state"], alert["acknowledged"], alert["feedback"]["label"]) == ("closed", True, "DDoS")


@pytest.mark.parametrize(
    ("verdict", "label", "said"),
    [
        ("false_positive", "Portscan", "a false positive is benign, not Portscan: leave the class out"),
        ("true_positive", "benign", "a true positive is an attack, not benign: name its class, or none"),
        ("true_positive", "Teapot", "unknown label 'Teapot': not in the label table"),
    ],
)
def test_a_label_that_contradicts_its_verdict_is_refused(
    tmp_path: Path, verdict: Any, label: str, said: str
) -> None:
    with open_book(tmp_path / "alerts.db") as book:
        book.take(opening(["10.0.0.1"]))
        (alert,) = all_alerts(written(book))
        with pytest.raises(ValueError, match=said):
            book.label(alert["id"], verdict, label, None, None)


def test_a_label_without_a_class_is_the_alerts_or_benign(tmp_path: Path) -> None:
    with open_book(tmp_path / "alerts.db") as book:
        book.take(opening(["10.0.0.1"]))
        (alert,) = all_alerts(written(book))
        right = book.label(alert["id"], "true_positive", None, None, None)
        wrong = book.label(alert["id"], "false_positive", None, None, None)
        assert right
        assert wrong
        assert right["feedback"]["label"] == "Portscan"
        assert wrong["feedback"]["label"] == "Benign"
        wait_until(lambda: book.status().labels == 1)


def test_novelty_that_was_right_is_an_attack_of_no_known_kind(tmp_path: Path) -> None:
    with open_book(tmp_path / "alerts.db") as book:
        book.take(taken(AlertPolicy(), *attacks(["10.0.0.1"], [37])))
        (alert,) = all_alerts(written(book))
        assert (alert["label"], alert["severity"]) == ("Novelty", 3)
        right = book.label(alert["id"], "true_positive", None, None, None)
        assert right
        assert right["feedback"]["label"] == "Attack"


def test_novelty_blocks_nobody_and_says_nothing_of_the_model(tmp_path: Path) -> None:
    with open_book(tmp_path / "alerts.db") as book:
        book.take(taken(AlertPolicy(), *attacks(["198.51.100.1", "198.51.100.2"], [37, 17])))
        alerts = all_alerts(written(book))
        assert [str(each) for each in book.blocklist(3, HOUR, ["sidecar"])] == ["198.51.100.2/32"]
        for alert in alerts:
            book.label(alert["id"], "true_positive", None, None, None)
        wait_until(lambda: book.judged() == {"Portscan": {"Portscan": 1}})


def test_nothing_can_be_said_of_an_alert_that_is_not_there(tmp_path: Path) -> None:
    with open_book(tmp_path / "alerts.db") as book:
        wait_until(lambda: (tmp_path / "alerts.db").exists())
        assert book.acknowledge("no such alert", None) is None
        assert book.label("no such alert", "true_positive", "DDoS", None, None) is None
        assert book.label("no such alert", "true_positive", None, None, None) is None


def test_statistics_count_what_was_opened_by_class_and_severity(tmp_path: Path) -> None:
    began = now()
    with open_book(tmp_path / "alerts.db") as book:
        book.take(opening(["10.0.0.1", "10.0.0.2", "10.0.0.3"], [17, 17, 5]))
        found = written(book).statistics(began - HOUR, began + HOUR, 2)
        earlier = book.statistics(began - 2 * HOUR, began, 4)
    assert found["total"] == {
        "alerts": 3,
        "flows": 3,
        "by_label": {"DoS Hulk": 1, "Portscan": 2},
        "by_severity": {"1": 0, "2": 1, "3": 2},
    }
    assert [bucket["alerts"] for bucket in found["buckets"]] == [0, 3]
    assert found["bucket_seconds"] == 3600
    assert found["buckets"][1]["start"] == f"{began:%Y-%m-%dT%H:%M:%S.%f}Z"
    assert earlier["total"]["alerts"] == 0


def test_the_top_has_whom_most_alerts_are_about(tmp_path: Path) -> None:
    policy = AlertPolicy(aggregated={"sidecar"})
    with open_book(tmp_path / "alerts.db") as book:
        book.take(taken(policy, *attacks(["10.0.0.1", "10.0.0.1", "10.0.0.9"], [17, 5, 17])))
        book.take(list(policy.close()))
        written(book)
        sources = book.top("sources", now() - HOUR, 5)
        targets = book.top("targets", now() - HOUR, 1)
        assert book.top("sources", now() + HOUR, 5) == []
    assert [(each["address"], each["alerts"]) for each in sources] == [("10.0.0.1", 2), ("10.0.0.9", 1)]
    assert sources[0]["labels"] == ["DoS Hulk", "Portscan"]
    assert sources[0]["severity"] == 2
    assert [(each["address"], each["alerts"], each["flows"]) for each in targets] == [("10.0.0.2", 3, 3)]


def test_the_block_list_names_recent_bad_sources_but_never_our_own(tmp_path: Path) -> None:
    ours = [parse_network("10.0.0.0/8"), parse_network("2001:db8::/32")]
    sources = ["10.0.0.1", "2001:db8::1", "127.0.0.1", "::1", "224.0.0.1", "fe80::1", "192.0.2.1"]
    blocked = ["198.51.100.1", "192.0.2.2", "192.0.2.3", "2606:4700::1"]
    with open_book(tmp_path / "alerts.db", never_blocked=lambda: ours) as book:
        book.take(opening([*sources, *blocked], [17] * len(sources) + [5] * len(blocked)))
        (false,) = all_alerts(written(book), address="198.51.100.1")
        book.label(false["id"], "false_positive", None, None, None)

        def named(severity: int, age: timedelta = HOUR, origin: str = "sidecar") -> list[str]:
            return [str(each) for each in book.blocklist(severity, age, [origin])]

        assert named(2) == ["192.0.2.2/31", "2606:4700::1/128"]
        assert named(3) == ["192.0.2.1/32", "192.0.2.2/31", "2606:4700::1/128"]
        assert named(1) == []
        assert named(3, timedelta()) == []
        assert named(3, origin="api") == []


def test_messages_beyond_the_queue_are_counted(tmp_path: Path) -> None:
    book = AlertBook(tmp_path / "alerts.db", capacity=3)
    book.take(opening([f"10.0.0.{host}" for host in range(1, 6)]))
    status = book.status()
    assert (status.offered, status.waiting, status.lost) == (5, 3, {"queue full": 2})
    book.start()
    assert len(all_alerts_once_there(book, 3)) == 3
    book.stop(30)
    book.take(opening(["10.0.0.9"]))
    status = book.status()
    assert status.offered == status.committed + status.waiting + sum(status.lost.values())
    assert status.lost["stopped"] == 1


def all_alerts_once_there(book: AlertBook, count: int) -> list[dict[str, Any]]:
    wait_until(lambda: book.status().committed == count)
    return all_alerts(book)


def test_a_damaged_file_is_set_aside_and_the_book_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "alerts.db"
    path.write_bytes(b"\xa5" * 10_000)
    with open_book(path) as book:
        book.take(opening(["10.0.0.1"]))
        assert len(all_alerts(written(book))) == 1
        (note,) = book.status().notes
    (aside,) = tmp_path.glob("alerts.db.aside-*")
    assert note.endswith(
        f"was set aside as {aside.name}: the alerts are in alerts.json; acknowledgements and labels are in "
        "that file only"
    )


def test_numbers_go_on_after_a_book_was_set_aside(tmp_path: Path) -> None:
    path = tmp_path / "alerts.db"
    with open_book(path) as book:
        book.take(opening(["10.0.0.1"]))
        (before,) = all_alerts(written(book))
    path.unlink()
    with open_book(path) as book:
        book.take(opening(["10.0.0.1"]))
        (after,) = all_alerts(written(book))
    assert after["seq"] > before["seq"]


def test_alerts_that_a_killed_run_left_open_are_closed_at_the_start(tmp_path: Path) -> None:
    path = tmp_path / "alerts.db"
    with open_book(path) as book:
        book.take(opening(["10.0.0.1", "10.0.0.2"]))
        assert {alert["state"] for alert in all_alerts(written(book))} == {"open"}
    with open_book(path) as book:
        wait_until(lambda: book.status().alerts == 2)
        assert {alert["state"] for alert in all_alerts(book)} == {"closed"}


def test_the_oldest_alerts_make_room_and_labels_stay(tmp_path: Path) -> None:
    from alerting.book.writer import BookLimits

    with open_book(tmp_path / "alerts.db", limits=BookLimits(max_bytes=600_000)) as book:
        book.take(opening(["10.0.0.1"]))
        (first,) = all_alerts(written(book))
        book.label(first["id"], "false_positive", None, None, None)
        for network in range(10):
            book.take(opening([f"10.{network}.{host}.7" for host in range(100)]))
            written(book)
        wait_until(lambda: book.status().deleted)
        newest = [alert["src_ip"] for alert in all_alerts(book)]
        assert newest[0] == "10.9.99.7"
        assert first["src_ip"] not in newest
        wait_until(lambda: book.status().labels == 1 and book.status().bytes <= 600_000)


def test_old_alerts_are_forgotten(tmp_path: Path) -> None:
    with open_book(tmp_path / "alerts.db") as book:
        book.take(opening(["10.0.0.1", "10.0.0.2"]))
        written(book)
    with sqlite3.connect(tmp_path / "alerts.db") as connection:
        connection.execute(
            "UPDATE alerts SET changed_us = changed_us - 91 * 86400000000 WHERE number = "
            "(SELECT min(number) FROM alerts)"
        )
    connection.close()
    with open_book(tmp_path / "alerts.db") as book:
        wait_until(lambda: book.status().deleted == 1)
        assert [alert["src_ip"] for alert in all_alerts(book)] == ["10.0.0.2"]
