"""Explanations: which features moved a model's answer for one flow, and how far."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Contribution:
    """What one feature did to a flow's P(attack).

    Attributes:
        feature: its canonical name.
        value: as the flow has it, in the feature's unit; may be NaN or infinite.
        median: of the benign training flows, NaN when not known.
        contribution: added to P(attack); negative where it speaks for benign.
    """

    feature: str
    value: float
    median: float
    contribution: float


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a model gave one flow its P(attack): base + all contributions + rest = p_attack.

    Attributes:
        base: what the model answers before it looks at any feature.
        p_attack: 1 - P(benign) of the flow.
        contributions: of the features that moved it most, largest magnitude first.
        rest: what all other features added together.
    """

    base: float
    p_attack: float
    contributions: tuple[Contribution, ...]
    rest: float
