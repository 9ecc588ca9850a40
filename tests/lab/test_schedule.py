from __future__ import annotations

from itertools import pairwise

from lab.scenario import NOBODY, Scenario
from lab.schedule import schedule

BASE = {
    "name": "s",
    "description": "",
    "seconds": 20,
    "hosts": {"web": {"services": ["nginx"]}, "user": {"count": 3}},
}
BROWSE = {
    "do": "browse",
    "by": "user",
    "to": "web",
    "at": {"low": 0.0, "high": 3.0},
    "seconds": {"low": 1, "high": 4},
    "repeat": 3,
    "pause": 0.5,
    "with": {"think": {"low": 0.1, "high": 2.0}},
}


def scenario(*activities: dict[str, object]) -> Scenario:
    return Scenario.model_validate(BASE | {"activities": list(activities)})


def test_a_seed_gives_the_same_schedule_every_time_and_another_one_another() -> None:
    assert schedule(scenario(BROWSE), 7) == schedule(scenario(BROWSE), 7)
    assert schedule(scenario(BROWSE), 7) != schedule(scenario(BROWSE), 8)


def test_one_more_activity_leaves_the_others_as_they_are() -> None:
    alone = schedule(scenario(BROWSE), 7)
    scan = {"do": "nmap", "by": "user-1", "to": "web"}
    together = schedule(scenario(BROWSE, scan), 7)
    assert [step for step in together if step.kind.name == "browse"] == alone


def test_every_host_of_a_group_does_it_one_time_after_the_other() -> None:
    steps = schedule(scenario(BROWSE), 1)
    assert [step.start for step in steps] == sorted(step.start for step in steps)
    for host in ("user-1", "user-2", "user-3"):
        own = [step for step in steps if step.source == host]
        assert len(own) == 3
        assert {step.target for step in own} == {"web"}
        for before, after in pairwise(own):
            assert after.start == before.start + before.seconds + 0.5


def test_nothing_lasts_longer_than_the_scenario() -> None:
    steps = schedule(scenario(BROWSE | {"seconds": 15, "repeat": 9}), 1)
    assert all(step.seconds > 0 and step.start + step.seconds <= 20 for step in steps)


def test_nobody_aims_at_itself_and_some_at_nobody() -> None:
    steps = schedule(
        scenario({"do": "nmap", "by": "user", "to": ["user", NOBODY], "repeat": 20, "seconds": 1}), 1
    )
    assert all(step.source != step.target for step in steps)
    assert NOBODY in {step.target for step in steps}
