"""What a run of a scenario made."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from flows.label_rules import LabelRules
from lab.scenario import Scenario

Progress = Callable[[str], None]


@dataclass
class Outcome:
    """What a run made.

    Attributes:
        scenario, seed: what ran.
        rules: labels.
        done: activities by kind.
        left_out: activities that could not be, by reason.
        failed: activities whose tool ended with an error, by kind and what it said.
        packets: that crossed the bridge.
        missed: packets that the recorder did not get.
        cut: whether the run was stopped because of too many packets.
    """

    scenario: Scenario
    seed: int
    rules: LabelRules
    done: Counter[str] = field(default_factory=Counter)
    left_out: Counter[str] = field(default_factory=Counter)
    failed: Counter[str] = field(default_factory=Counter)
    packets: int = 0
    missed: int = 0
    cut: bool = False
