from __future__ import annotations

from pathlib import Path

from alerting.alert_log import NAME, AlertLog
from helpers.alerts import one_alert, validated


def test_every_message_is_a_line_of_the_published_schema(tmp_path: Path) -> None:
    log = AlertLog(tmp_path)
    alerts = [one_alert() for _ in range(3)]
    log.write(alerts)
    log.write(alerts[:1])
    log.close()
    lines = validated((tmp_path / NAME).read_text())
    assert [line["ml_ids"]["alert_id"] for line in lines] == [
        alert.alert_id for alert in (*alerts, alerts[0])
    ]
    assert (log.status().name, log.status().written, log.status().lost) == (NAME, 4, 0)


def test_it_is_rotated_like_the_other_logs(tmp_path: Path) -> None:
    log = AlertLog(tmp_path, max_bytes=3000, files=3)
    for _ in range(20):
        log.write([one_alert()])
    log.close()
    assert sorted(path.name for path in tmp_path.iterdir()) == [NAME, f"{NAME}.1", f"{NAME}.2"]
    for path in tmp_path.iterdir():
        assert path.stat().st_size <= 3000
        validated(path.read_text())


def test_a_directory_that_cannot_be_written_is_counted(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    log = AlertLog(tmp_path / "file")
    log.write([one_alert()] * 2)
    assert (log.status().written, log.status().lost) == (0, 2)
