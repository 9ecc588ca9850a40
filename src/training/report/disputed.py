"""Benign flows whose label is in doubt, because one of their two hosts was attacking the other."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from flows.table import UNKNOWN_TIME
from training.dataset import UNKNOWN_PAIR, LabelledFlows

BESIDE_US: Final = 60_000_000
"""An attack is under way a minute before and after each of its flows."""


def beside_attacks(flows: LabelledFlows, *, within_us: int = BESIDE_US) -> NDArray[np.bool_]:
    """Return which of n flows are called benign, and began while one of their hosts attacked the other.

    Among them are answers to a scan that were metered as flows of the scanned host: no detector of scans
    passes them by. Flows of unknown hosts or times are never among them.
    """
    found = np.zeros(len(flows), np.bool_)
    known = np.flatnonzero((flows.pair != UNKNOWN_PAIR) & (flows.start_us != UNKNOWN_TIME))
    order = known[np.lexsort((flows.start_us[known], flows.pair[known]))]
    pair, start, attack = flows.pair[order], flows.start_us[order], flows.codes[order] != 0
    place = np.arange(len(order))
    before = np.maximum.accumulate(np.where(attack, place, -1))
    after = np.minimum.accumulate(np.where(attack, place, len(order))[::-1])[::-1]
    for nearest, there in ((before, before >= 0), (after, after < len(order))):
        at = nearest[there]
        close = (pair[at] == pair[there]) & (np.abs(start[at] - start[there]) <= within_us)
        found[order[there]] |= close & ~attack[there]
    return found
