"""Context of flows that lie in a file: what was noted of their starts is kept beside them.

A table with these notes tells the context of its flows, by the kernel that serves, as long as no flow of its
capture is missing. A table without them cannot: its context is NaN.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from context.features import CONTEXT_NAMES
from context.stage import ContextStage
from flows.starts import START
from flows.table import UNKNOWN_TIME, FlowTable

NOTES: Final = {
    "young_fwd_pkts": "fwd_packets",
    "young_bwd_pkts": "bwd_packets",
    "young_fwd_byts": "fwd_bytes",
    "young_bwd_byts": "bwd_bytes",
    "young_rst": "reset",
}
"""Columns of a file, and what of a start (`flows.starts`) they hold: the flow as it was when 2 s old."""


def with_notes(table: FlowTable, starts: NDArray[np.void]) -> FlowTable:
    """Return the flows of a whole capture in the order of their starts, with the notes as extras.

    Args:
        table: all flows of a capture.
        starts: all that the meter noted of their starts.

    Raises:
        ValueError: a flow has no start, or not the same one.
    """
    order = np.argsort(table.flow_uid, kind="stable")
    ordered, noted = table.take(order), starts[np.argsort(starts["uid"], kind="stable")]
    known = starts_of(replace(ordered, extras={name: np.zeros(len(ordered), np.int32) for name in NOTES}))
    same = len(noted) == len(ordered) and all(
        (known[name] == noted[name]).all() for name in known.dtype.names or () if name not in _UNLIKE
    )
    if not same:
        raise ValueError("the starts are not those of these flows")
    notes = {name: noted[of].astype(np.bool_ if of == "reset" else np.int32) for name, of in NOTES.items()}
    return replace(ordered, extras={**ordered.extras, **notes})


_UNLIKE: Final = frozenset({*NOTES.values(), "row"})


def has_notes(table: FlowTable) -> bool:
    """Whether a table tells what was noted of its starts."""
    return NOTES.keys() <= table.extras.keys()


def starts_of(table: FlowTable) -> NDArray[np.void]:
    """Return the starts of n flows, START rows in the order of the uids."""
    starts = np.zeros(len(table), START)
    for end, addresses in (("src", table.src_addr), ("dst", table.dst_addr)):
        words = np.ascontiguousarray(addresses).view(">u8").reshape(-1, 2)
        starts[f"{end}_hi"], starts[f"{end}_lo"] = words[:, 0], words[:, 1]
    starts["uid"], starts["start"] = table.flow_uid, table.start_us
    starts["dst_port"], starts["protocol"] = table.dst_port, table.protocol
    for name, of in NOTES.items():
        starts[of] = table.extras[name]
    return starts[np.argsort(starts["uid"], kind="stable")]


def with_context(table: FlowTable) -> FlowTable:
    """Return n flows with their context, NaN throughout where the table does not tell their starts.

    A table that has context keeps it.
    """
    if set(CONTEXT_NAMES) <= set(table.feature_names):
        return table
    if not has_notes(table) or (table.start_us == UNKNOWN_TIME).any():
        return replace(
            table,
            features=np.hstack([table.features, np.full((len(table), len(CONTEXT_NAMES)), np.nan)]),
            feature_names=(*table.feature_names, *CONTEXT_NAMES),
        )
    stage = ContextStage(kept=len(table) + 1)
    stage.learn(starts_of(table.take(~table.provisional)))
    [found] = [*stage.add(table), *stage.rest()]
    return found
