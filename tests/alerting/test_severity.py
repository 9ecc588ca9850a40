from __future__ import annotations

import pytest

from alerting.severity import CONFIDENT, KINDS, category, severity
from flows.labels import LABELS


@pytest.mark.parametrize("label", [label for label in LABELS if label.code], ids=lambda label: label.name)
def test_every_class_of_attack_has_a_severity_and_a_category(label):
    assert severity(label.code, 1.0) in (1, 2, 3)
    assert category(label.code)


def test_a_doubtful_alert_is_a_step_less_severe_but_never_below_low():
    assert [severity(16, p) for p in (1.0, CONFIDENT, CONFIDENT - 1e-9, 0.1)] == [1, 1, 2, 2]
    assert [severity(5, p) for p in (1.0, 0.5)] == [2, 3]
    assert [severity(17, p) for p in (1.0, 0.5)] == [3, 3]


def test_no_family_of_the_table_is_made_up():
    assert set(KINDS) == {label.family for label in LABELS if label.code}
