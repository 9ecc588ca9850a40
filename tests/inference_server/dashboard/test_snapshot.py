from __future__ import annotations

from helpers.models import make_scorer
from helpers.status import make_status
from inference_server.dashboard.snapshot import Snapshot, Totals, rates_between, totals_of


def test_the_totals_are_the_counters() -> None:
    totals = totals_of(make_status(make_scorer()))
    assert totals == Totals(packets=100, drops=5, flows=16, attacks=2, captured=10, requested=6)


def test_rates_are_growth_a_second_and_never_negative() -> None:
    rates = rates_between(Totals(packets=100, flows=9), Totals(packets=300, flows=3), 2.0)
    assert rates["packets"] == 100.0
    assert rates["flows"] == 0.0


def test_messages_that_wait_and_those_given_up_are_counted_over_all_places() -> None:
    snapshot = Snapshot(time=0.0, status=make_status(make_scorer()), health={})
    assert (snapshot.pending, snapshot.dead, snapshot.shed) == (1, 0, 4)
