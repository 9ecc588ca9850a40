from __future__ import annotations

from dataclasses import replace

from helpers.models import make_scorer
from helpers.status import SINK, make_status
from inference_server.dashboard.losses import PACKETS, REFUSED, SHED, UNALERTED, UNWRITTEN, growth, losses


def test_each_place_tells_its_own_loss() -> None:
    lost = losses(make_status(make_scorer()))
    assert lost[PACKETS] == 5
    assert lost[SHED] == 4
    assert lost[REFUSED] == 2
    assert lost[UNWRITTEN] == 2
    assert lost[UNALERTED] == 1


def test_growth_is_what_was_lost_in_between() -> None:
    before = losses(make_status(make_scorer()))
    after = losses(make_status(make_scorer(), sink=replace(SINK, dropped=12)))
    assert growth(before, after) == {UNWRITTEN: 10}
    assert growth({}, before) == {name: total for name, total in before.items() if total}
