from alerting.outbox.running_time import RunningTime
from helpers.alerts import HandClock


def test_goes_on_from_where_earlier_starts_came_to() -> None:
    hand = HandClock()
    running = RunningTime(hand.clock.monotonic)
    hand.pass_(2)
    assert running.now_us() == 2_000_000
    running.go_on_from(50_000_000)
    hand.pass_(1.5)
    assert running.now_us() == 51_500_000


def test_a_clock_that_is_set_changes_nothing() -> None:
    hand = HandClock()
    running = RunningTime(hand.clock.monotonic)
    hand.us += 10**15
    assert running.now_us() == 0
