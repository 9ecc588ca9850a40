"""How bad an alert is: Suricata's scale (1 high, 2 medium, 3 low) from class and confidence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from flows.labels import BY_CODE

LOWEST: Final = 3
CONFIDENT: Final = 0.8
"""Below this P(attack) an alert is one step less severe than its class."""


@dataclass(frozen=True, slots=True)
class Kind:
    """What a family of classes is to an analyst: its severity when sure, Suricata's name for it."""

    severity: int
    category: str


# fmt: off
KINDS: Final[dict[str, Kind]] = {
    "backdoor": Kind(1, "A Network Trojan was detected"),
    "botnet": Kind(1, "A Network Trojan was detected"),
    "exfiltration": Kind(1, "Large Scale Information Leak"),
    "exploit": Kind(1, "Attempted Administrator Privilege Gain"),
    "infiltration": Kind(1, "Successful Administrator Privilege Gain"),
    "privilege-escalation": Kind(1, "Attempted Administrator Privilege Gain"),
    "worm": Kind(1, "A Network Trojan was detected"),
    "attack": Kind(2, "Misc Attack"),
    "brute-force": Kind(2, "Attempted User Privilege Gain"),
    "ddos": Kind(2, "Detection of a Denial of Service Attack"),
    "dos": Kind(2, "Attempted Denial of Service"),
    "generic": Kind(2, "Misc Attack"),
    "web": Kind(2, "Web Application Attack"),
    "fuzzing": Kind(3, "Attempted Information Leak"),
    "novelty": Kind(3, "Unknown Traffic"),
    "scan": Kind(3, "Detection of a Network Scan"),
}
# fmt: on


def severity(code: int, p_attack: float) -> int:
    """Return 1 (high) to 3 (low) for an attack class and the largest P(attack) seen of it."""
    surest = KINDS[BY_CODE[code].family].severity
    return surest if p_attack >= CONFIDENT else min(surest + 1, LOWEST)


def category(code: int) -> str:
    """Return Suricata's classification of an attack class."""
    return KINDS[BY_CODE[code].family].category
