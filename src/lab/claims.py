"""Labels from the schedule: who did what to whom when, as label rules.

Every activity that ran claims flows. Where activities with different labels claim the same flow nobody can
tell whose it is, so a rule without a label stands before both.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import combinations
from typing import Final, TypeVar

from flows.label_rules import LabelRule, LabelRules

LINGER: Final = timedelta(seconds=3)
"""A flow that begins so long after an activity's end is what a host had still to say."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Claim:
    """Flows between two hosts, whoever began them, in a time.

    Attributes:
        label: theirs.
        begin, end: UTC.
        source, destination: addresses; None is any.
        protocol: a name; None is any.
        ports: of the destination; None is any.
        about: scenario, activity, tool and parameters.
    """

    label: str
    begin: datetime
    end: datetime
    source: frozenset[str] | None
    destination: frozenset[str] | None
    protocol: str | None = None
    ports: frozenset[int] | None = None
    about: dict[str, bool | str | int | float] = field(default_factory=dict, compare=False)

    def turned(self) -> Claim | None:
        """Return the same flows seen from the other side; None where rules cannot say so."""
        if self.ports is not None:
            return None
        return Claim(
            self.label, self.begin, self.end, self.destination, self.source, self.protocol, None, self.about
        )


def label_rules(claims: Sequence[Claim], description: str, source: str) -> LabelRules:
    """Return the rules that follow from claims; what nobody claims has no label."""
    narrow = sorted(claims, key=_width)
    rules = [_rule(shared) for shared in _disputed(claims)] + [_rule(claim) for claim in narrow]
    return LabelRules(
        description=description,
        source=source,
        checked="they follow from the schedule that made the traffic",
        default="",
        rules=rules,
    )


def _width(claim: Claim) -> tuple[bool, bool, int, timedelta]:
    """Order claims so that what is said of a flow is what the narrowest of them says."""
    hosts = len(claim.source or ()) + len(claim.destination or ())
    return claim.ports is None, claim.protocol is None, hosts, claim.end - claim.begin


def _disputed(claims: Sequence[Claim]) -> Iterator[Claim]:
    seen: set[Claim] = set()
    for one, other in combinations(claims, 2):
        if one.label == other.label or one.end < other.begin or other.end < one.begin:
            continue
        for view in _views(one, other):
            shared = _shared(*view)
            if shared is not None and shared not in seen:
                seen.add(shared)
                yield shared


def _views(one: Claim, other: Claim) -> Iterator[tuple[Claim, Claim]]:
    yield one, other
    if (turned := other.turned()) is not None:
        yield one, turned
    elif (turned := one.turned()) is not None:
        yield turned, other


def _shared(one: Claim, other: Claim) -> Claim | None:
    """Return the flows that both claim, looking from their sources."""
    if one.protocol is not None and other.protocol is not None and one.protocol != other.protocol:
        return None
    source = _both(one.source, other.source)
    destination = _both(one.destination, other.destination)
    ports = _both(one.ports, other.ports)
    if frozenset() in (source, destination, ports):
        return None
    return Claim(
        label="",
        begin=max(one.begin, other.begin),
        end=min(one.end, other.end),
        source=source,
        destination=destination,
        protocol=one.protocol or other.protocol,
        ports=ports,
    )


def _both(one: frozenset[T] | None, other: frozenset[T] | None) -> frozenset[T] | None:
    if one is None or other is None:
        return other if one is None else one
    return one & other


def _rule(claim: Claim) -> LabelRule:
    return LabelRule.model_validate(
        {
            "label": claim.label,
            "from": claim.begin.astimezone(UTC),
            "until": claim.end.astimezone(UTC),
            "source": None if claim.source is None else sorted(claim.source),
            "destination": None if claim.destination is None else sorted(claim.destination),
            "protocol": claim.protocol,
            "destination_port": None if claim.ports is None else sorted(claim.ports),
            "either_way": True,
            "about": claim.about,
        }
    )
