import itertools

from hypothesis import given
from hypothesis import strategies as st

from alerting.outbox.back_off import FIRST_SECONDS, LONGEST_SECONDS, back_off


@given(st.integers(1, 10**6))
def test_waits_from_a_second_to_five_minutes(attempts: int) -> None:
    assert FIRST_SECONDS <= back_off(attempts) <= LONGEST_SECONDS == 300


def test_waits_longer_each_time_and_never_all_alike() -> None:
    waits = [[back_off(attempts) for _ in range(50)] for attempts in range(1, 9)]
    assert all(max(earlier) <= min(later) for earlier, later in itertools.pairwise(waits))
    assert all(len(set(each)) > 1 for each in waits)
