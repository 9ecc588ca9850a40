"""docs/features.md: what every feature is in every dialect, made from the schema so that it cannot rot."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from flows.dialects import GENERATIONS
from flows.differences import differences_of
from flows.schema import COMMON, FEATURES, IMPROVED_2024_EXTRA, IMPROVED_EXTRA, Feature

_HEADING: Final = """\
# Features

What each feature of a flow is: name, unit, formula, and what the CICFlowMeter generations ("dialects") make
of it instead. `ml-ids meter --dialect D` measures by the rules of one; a flow table, its Parquet file and a
model carry the name. This document is generated from the schema by `scripts/write_docs.py`;
[parity.md](parity.md) counts the rows of the original tools that prove it.

## What all dialects share

- Times are the capture's, truncated to microseconds; durations, gaps, active and idle times are in
  microseconds; rates divide by the duration in seconds.
- A packet's length is the payload that was captured above layer 4, not what was on the wire; a header's
  length is that of the layer-4 header with its options. The IP header counts nowhere.
- Forward is what comes from the source address of the flow's first packet, also when a capture begins in
  mid-flow.
- A gap is the time between consecutive packets in the order of arrival; times out of order give negative
  gaps.
- Statistics are those of commons-math in the order of arrival:
  `d = x - m; m += d / n; s += (n - 1) * d * (d / n)`. The standard deviation is the sample's,
  `sqrt(s / (n - 1))`, 0 for one value. `//` truncates.
- A flow ends at the latest when a packet of its five-tuple comes more than 120 s after its start: the
  packet begins the next flow. That caps the duration; a silent flow stays open until then or until the
  capture ends.
- An idle gap is one of more than 5 s; the active period before it began after the one before. The last
  active period counts nowhere.
- A bulk is a run of at least four packets with payload in one direction, at most a second apart, that no
  data packet of the other direction interrupts.
- A VLAN tag is passed over and not part of the five-tuple. Of a fragmented packet the first fragment counts
  as the packet it begins, later ones belong to protocol 0 of the host pair. IP in IP has the outer
  addresses and the inner ports. IPv6, which the original tools do not measure, is measured by the same
  rules.

## Dialects

"""
_ABOUT_FORMULAS: Final = """
## Formulas

The formula is that of `improved`. Another dialect's is the same unless the last column says otherwise; in
brackets how that is known: *rows* of the original tool for the same packets, or *data*: rows that the
authors of a data set published.
"""
_ABOUT_SPELLINGS: Final = """
## Spellings

What each set calls a feature. PyPI cicflowmeter 0.5 gives in seconds what is here in microseconds. The
published files of 2017 have `Fwd Header Length` twice.

"""


def features_markdown() -> str:
    """Return docs/features.md."""
    return "".join(
        (
            _HEADING,
            _dialects(),
            _ABOUT_FORMULAS,
            _formulas("The 76 features of all dialects", COMMON),
            _formulas("Features of `improved` besides", IMPROVED_EXTRA),
            _formulas(
                "Features of `improved-2024` besides; it has no `total_tcp_flow_time`", IMPROVED_2024_EXTRA
            ),
            _ABOUT_SPELLINGS,
            _spellings(),
        )
    )


def _table(titles: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    head = [*titles]
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def _dialects() -> str:
    titles = ("dialect", "tool", "made", "known from", "packets", "a flow ends", "after the time-out")
    return _table(
        titles,
        (
            (f"`{name}`", found.tool, found.made, found.evidence, found.packets, found.ends, found.goes_on)
            for name, found in GENERATIONS.items()
        ),
    )


def _formulas(title: str, features: Iterable[Feature]) -> str:
    rows = (
        (f"`{feature.name}`", feature.unit, feature.formula, _differences(feature)) for feature in features
    )
    return f"\n### {title}\n\n" + _table(("feature", "unit", "formula", "otherwise in"), rows)


def _differences(feature: Feature) -> str:
    return "<br>".join(
        f"{', '.join(f'`{dialect}`' for dialect in found.dialects)}: {found.text} [{found.evidence}]"
        for found in differences_of(feature.name)
    )


def _spellings() -> str:
    spelled: dict[str, Callable[[Feature], str]] = {
        "feature": lambda feature: f"`{feature.name}`",
        "CIC-IDS2017": lambda feature: feature.cic_2017,
        "CSE-CIC-IDS2018": lambda feature: feature.cic_2018,
        "V4 and the improved tools": lambda feature: feature.cic_v4,
        "PyPI cicflowmeter": lambda feature: feature.python_key if feature in COMMON else "",
    }
    return _table(spelled, ([spelling(feature) for spelling in spelled.values()] for feature in FEATURES))
