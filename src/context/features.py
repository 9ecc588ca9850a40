"""What a host's recent past tells of a flow: names, units and formulas.

The time- and host-based traffic features of KDD99 in the terms of flows: of the flows that began in the last
seconds, those of the same source, of the same destination, and between the same two.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

WINDOWS_SECONDS: Final = (2, 10, 60)
SCOPES: Final = {
    "src": "from the same source",
    "dst": "to the same destination",
    "pair": "from the same source to the same destination",
}
COUNTS: Final = {
    "flows": ("flows", "how many"),
    "peers": ("addresses", "addresses at the other end"),
    "ports": ("ports", "destination ports, by protocol"),
}
SHARES: Final = {
    "unanswered": "share without a packet of the destination",
    "short": "share of one or two packets",
    "reset": "share with a RST",
    "repeated": "share like another between the two within 60 s: same port and payload bytes each way",
}
ASYMMETRY: Final = "asymmetry"


@dataclass(frozen=True, slots=True)
class ContextFeature:
    """One feature: its name, unit and what it is."""

    name: str
    unit: str
    formula: str


def _of(scope: str, seconds: int) -> list[ContextFeature]:
    counts = {name: told for name, told in COUNTS.items() if (scope, name) != ("pair", "peers")}
    told = {
        **counts,
        **{name: ("share", what) for name, what in SHARES.items()},
        ASYMMETRY: ("ratio", "(forward - backward) / all payload bytes, 0 without any"),
    }
    return [
        ContextFeature(f"{scope}_{name}_{seconds}s", unit, f"{what}; flows {SCOPES[scope]}, {seconds} s")
        for name, (unit, what) in told.items()
    ]


CONTEXT: Final = tuple(
    feature for scope in SCOPES for seconds in WINDOWS_SECONDS for feature in _of(scope, seconds)
)
"""All features, in the order of their columns."""

CONTEXT_NAMES: Final = tuple(feature.name for feature in CONTEXT)
