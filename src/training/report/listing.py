"""Every capture of an attack by itself: what it is, what of it is flagged, and what flows cannot show."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from training.capture_set import Capture
from training.markdown import paragraph, table
from training.report.tradeoff import FOUND, HEADLINES, Scored, flagged


@dataclass(frozen=True, slots=True)
class Listed:
    """A capture of an attack.

    Attributes:
        file, source: of the manifest.
        about: what it is.
        flows, flagged: those that are the attack, and those of them that are flagged at the first headline.
        beyond_flows: why flows cannot show it, "" where they can.
    """

    file: str
    source: str
    about: str
    flows: int
    flagged: int
    beyond_flows: str

    @property
    def found(self) -> bool:
        """Whether so many flows are flagged that it counts as found."""
        return self.flagged >= FOUND * self.flows


def listed(captures: Sequence[Capture], scored: Sequence[Scored]) -> tuple[Listed, ...]:
    """Return the captures of attacks, at the first headline of the trade-off, the least found first."""
    flags = flagged(scored, HEADLINES[0])
    found = [
        Listed(
            capture.entry.file,
            capture.entry.source,
            capture.about or capture.entry.label,
            len(flag),
            int(flag.sum()),
            capture.beyond_flows,
        )
        for capture, flag in zip(captures, flags, strict=True)
        if capture.is_attack
    ]
    return tuple(sorted(found, key=lambda each: (each.flagged / each.flows, each.file)))


def listing_section(captures: Sequence[Listed]) -> list[str]:
    """Return the section about each capture; nothing without captures."""
    if not captures:
        return []
    shown = [each for each in captures if not each.beyond_flows]
    beyond = [each for each in captures if each.beyond_flows]
    head = ["capture", "what it is", "attack flows", "flagged"]
    parts = [
        "### Capture by capture",
        paragraph(
            f"""At {100 * HEADLINES[0]:g} %. Of the {len(shown)} captures of kinds that flows can show,
            {sum(each.found for each in shown)} have half of their flows flagged:"""
        ),
        table(head, [_row(each) for each in shown]),
    ]
    if beyond:
        rows = [[*_row(each), each.beyond_flows] for each in beyond]
        parts += ["Flows cannot show:", table([*head, "why"], rows)]
    return parts


def _row(each: Listed) -> list[str]:
    return [each.file, each.about, f"{each.flows:,}", f"{each.flagged / each.flows:.1%}"]
