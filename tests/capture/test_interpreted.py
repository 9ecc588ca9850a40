"""Compiled and interpreted, the same code gives the same outcome for any bytes."""

from __future__ import annotations

import random

from fuzz.outcomes import Input, outcome, outcomes_elsewhere
from fuzz.seeds import mutated, seeds
from fuzz.targets import TARGETS

MUTANTS = {"decoder": 400, "files": 150, "meter": 100}
LONGEST_CASE = 900


def inputs() -> list[Input]:
    rng = random.Random(3)
    found: list[Input] = []
    for target in TARGETS:
        known = seeds(target)
        found += [(target, seed) for seed in known[:40]]
        found += [(target, mutated(rng, rng.choice(known))) for _ in range(MUTANTS[target])]
    return found + [("meter", rng.randbytes(rng.randrange(LONGEST_CASE))) for _ in range(100)]


def test_interpreted_and_compiled_kernels_agree() -> None:
    cases = inputs()
    compiled = [outcome(*case) for case in cases]
    interpreted = outcomes_elsewhere(cases, NUMBA_DISABLE_JIT="1", PYTHONWARNINGS="error")
    different = [
        (target, data.hex(), one, other)
        for (target, data), one, other in zip(cases, compiled, interpreted, strict=True)
        if one != other
    ]
    assert different[:3] == []
    counters = [found["counters"] for found in compiled if "counters" in found]
    for reached in ("metered", "late", "flows_dropped", "emitted_early"):
        assert sum(found[reached] for found in counters) > 0
    for group in ("ignored", "emitted"):
        totals = {name: sum(found[group][name] for found in counters) for name in counters[0][group]}
        assert min(totals.values()) > 0, totals
