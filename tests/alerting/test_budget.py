from __future__ import annotations

from alerting.budget import Budget
from helpers.alerts import HandClock


def test_a_burst_then_so_many_a_second():
    hands = HandClock()
    budget = Budget(2, 5, hands.clock.monotonic)
    assert [budget.take() for _ in range(7)] == [True] * 5 + [False] * 2
    hands.pass_(1)
    assert [budget.take() for _ in range(3)] == [True, True, False]
    hands.pass_(1000)
    assert sum(budget.take() for _ in range(100)) == 5
