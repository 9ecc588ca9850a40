from __future__ import annotations

import logging
from pathlib import Path

import pytest

from alerting.rules_file import MAX_BYTES, RulesFile, read_rules

GOOD = """
rules:
  - name: our scanner
    source: [10.0.0.9, 10.0.1.0/24]
    until: 2027-01-01T00:00:00Z
    comment: the weekly scan
  - {name: backup, destination: 10.0.0.7, port: 873, protocol: tcp, class: Infiltration}
"""
NOW_US = 1_767_355_200_000_000


def test_a_file_of_rules(tmp_path: Path) -> None:
    path = tmp_path / "rules.yaml"
    path.write_text(GOOD)
    scanner, backup = read_rules(path)
    assert (scanner.name, scanner.comment, backup.port) == ("our scanner", "the weekly scan", (873,))
    path.write_text("# nothing yet\n")
    assert read_rules(path) == ()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("rules:\n  - name: a\n   port: 1\n", ", line 3: "),
        ("rules:\n- name: a\n  port: 1\n- name: b\n  port: 99999\n", ", line 5, port: "),
        ("rules:\n- name: a\n  prot: 6\n", "line 3, prot: no such field; there are name, source, "),
        ("rules:\n- port: 6\n", "line 2, name: Field required; give every rule a name"),
        ("rules:\n- {name: a}\n", "line 2, rules: it suppresses everything"),
        ("rules:\n- name: a\n  source:\n  - 10.0.0.1\n  - 10.0.0.0/33\n", "line 5, source: "),
        ("rules:\n- {name: a, port: 1, until: 2026-01-01}\n", "until: .*write a time such as 2026-12-31T"),
        ("rules: 5\n", "line 1, rules: .*write a list of rules"),
        ("- name: a\n", "line 1, rules: "),
        ("allow: []\n", "no such field"),
        ("x" * (MAX_BYTES + 1), "larger than"),
        ("\tx: 1", "correct the YAML"),
    ],
)
def test_errors_name_line_field_and_remedy(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "rules.yaml"
    path.write_text(text)
    with pytest.raises(ValueError, match=says) as error:
        read_rules(path)
    assert str(error.value).startswith(str(path))
    assert "\n" not in str(error.value)


def test_a_file_that_is_not_there_or_no_text(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="No such file or directory; create it, or unset ALERT_RULES"):
        read_rules(tmp_path / "none.yaml")
    (tmp_path / "binary").write_bytes(b"\xff\xfe\xff")
    with pytest.raises(ValueError, match="not UTF-8"):
        read_rules(tmp_path / "binary")


def test_a_changed_file_is_read_again_and_a_wrong_one_changes_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "rules.yaml"
    path.write_text(GOOD)
    file = RulesFile(path)
    file.refresh(0)
    assert [rule.name for rule in file.in_force(NOW_US)] == ["our scanner", "backup"]
    path.write_text("rules: [{name: a, port: x}]")
    file.refresh(0.5)
    assert file.status().error is None
    with caplog.at_level(logging.ERROR):
        for second in range(1, 10):
            file.refresh(second)
    assert len(file.in_force(NOW_US)) == 2
    status = file.status()
    assert (status.rules, status.loads) == (2, 1)
    assert status.error is not None
    assert "port" in status.error
    assert [record.levelno for record in caplog.records].count(logging.ERROR) == 1
    assert "the 2 rules before stay in use" in caplog.text
    path.unlink()
    file.refresh(20)
    assert "No such file" in str(file.status().error)
    path.write_text("rules: [{name: a, port: 1}]")
    file.refresh(30)
    assert (len(file.in_force(NOW_US)), file.status().error, file.status().loads) == (1, None, 2)


def test_an_expired_rule_is_not_in_force(tmp_path: Path) -> None:
    path = tmp_path / "rules.yaml"
    path.write_text(GOOD)
    file = RulesFile(path)
    file.refresh(0)
    assert [rule.name for rule in file.in_force(NOW_US + 400 * 86_400_000_000)] == ["backup"]
