"""A scenario and a seed make a schedule: the same one every time."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

from pydantic import BaseModel

from lab.activities.catalogue import KINDS
from lab.activities.kind import Kind
from lab.draws import Value, drawn
from lab.scenario import Activity, Scenario


@dataclass(frozen=True, slots=True)
class Step:
    """One host does one thing once.

    Attributes:
        start: seconds after the beginning.
        seconds: after which it is stopped.
        kind: what it does.
        source, target: names of hosts; the target may be `lab.scenario.NOBODY`.
        parameters: drawn, checked.
        seed: of what it draws itself.
    """

    start: float
    seconds: float
    kind: Kind
    source: str
    target: str
    parameters: BaseModel
    seed: int


def schedule(scenario: Scenario, seed: int) -> list[Step]:
    """Return all steps by start."""
    steps: list[Step] = []
    for number, activity in enumerate(scenario.activities):
        # A seed of its own for each, so that one more activity leaves the others as they are.
        rng = random.Random(f"{scenario.name}/{number}/{seed}")
        for group in activity.by:
            for source in scenario.members(group):
                steps += _steps(scenario, activity, source, rng)
    return sorted(steps, key=lambda step: step.start)


def _steps(scenario: Scenario, activity: Activity, source: str, rng: random.Random) -> Iterator[Step]:
    kind = KINDS[activity.do]
    targets = [name for group in activity.to for name in scenario.members(group) or [group] if name != source]
    start = _seconds(drawn(activity.at, rng))
    if not targets:
        return
    for _ in range(activity.repeat):
        seconds = min(_seconds(drawn(activity.seconds, rng)), scenario.seconds - start)
        target = rng.choice(targets)
        values = {name: drawn(draw, rng) for name, draw in activity.parameters.items()}
        seed = rng.getrandbits(32)
        if seconds <= 0:
            return
        yield Step(start, seconds, kind, source, target, kind.parameters.model_validate(values), seed)
        start += seconds + _seconds(drawn(activity.pause, rng))


def _seconds(value: Value) -> float:
    return float(value)
