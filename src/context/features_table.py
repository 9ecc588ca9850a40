"""docs/context.md, made from the features so that it cannot rot."""

from __future__ import annotations

from typing import Final

from context.features import CONTEXT
from flows.starts import START_AGE_US

_AGE: Final = START_AGE_US // 1_000_000
_HEADING: Final = f"""\
# Host context

What the hosts of a flow did in the seconds before it began: the time- and host-based traffic features of
KDD99 in the terms of flows. `ml-ids meter --context` adds them to a Parquet file. This document is generated
by `scripts/write_docs.py`.

- A window of W seconds before a flow that begins at t holds the flows that began after t - W, up to and with
  itself.
- Each counts as it was {_AGE} s after its start, or at its end if that came before. So a context is known
  {_AGE} s after it began, and depends on the packets alone: neither on the order in which flows end, nor on
  whether a wire was watched or its recording read.
- A flow that goes on after the dialect's time-out begins again.
- Context is `NaN`, never 0, where it is not known, as in a data set that lacks some of its flows.
- The longest window holds the last 262,144 starts. When more begin, the oldest leave early.

| feature | unit | what it is |
| --- | --- | --- |
"""


def context_markdown() -> str:
    """Return docs/context.md."""
    rows = (f"| `{feature.name}` | {feature.unit} | {feature.formula} |\n" for feature in CONTEXT)
    return _HEADING + "".join(rows)
