from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

from alerting.book.statistics import statistics

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def test_every_part_of_the_time_is_there_and_adds_up() -> None:
    found = statistics([(0, 17, 3, 2, 50), (2, 17, 3, 1, 1), (2, 5, 2, 4, 4)], NOON, NOON + 3 * HOUR, 3)
    assert found["bucket_seconds"] == 3600
    assert [(each["start"], each["alerts"], each["flows"]) for each in found["buckets"]] == [
        ("2026-05-01T12:00:00.000000Z", 2, 50),
        ("2026-05-01T13:00:00.000000Z", 0, 0),
        ("2026-05-01T14:00:00.000000Z", 5, 5),
    ]
    assert found["total"] == {
        "alerts": 7,
        "flows": 55,
        "by_label": {"Portscan": 3, "DoS Hulk": 4},
        "by_severity": {"1": 0, "2": 4, "3": 3},
    }


def test_times_are_told_in_utc() -> None:
    zone = timezone(timedelta(hours=2))
    found = statistics([], NOON.astimezone(zone), (NOON + HOUR).astimezone(zone), 1)
    assert (found["since"], found["until"]) == ("2026-05-01T12:00:00.000000Z", "2026-05-01T13:00:00.000000Z")
