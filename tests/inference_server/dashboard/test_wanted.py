from __future__ import annotations

import itertools

from inference_server.dashboard.wanted import Wanted


def test_nothing_is_looked_up_before_somebody_asks() -> None:
    counted = itertools.count()
    wanted = Wanted(lambda: next(counted), 3600)
    wanted.refresh()
    assert wanted.ask() is None
    wanted.refresh()
    wanted.refresh()
    assert wanted.ask() == 0


def test_what_is_outdated_is_looked_up_again_and_shown_until_then() -> None:
    counted = itertools.count()
    wanted = Wanted(lambda: next(counted), 3600)
    wanted.ask()
    wanted.refresh()
    wanted.outdate()
    assert wanted.ask() == 0
    wanted.refresh()
    assert wanted.ask() == 1
