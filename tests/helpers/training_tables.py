"""Tables of made-up labelled flows, as files of training data hold them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from flows.labels import BY_CODE
from flows.schema import COMMON_NAMES
from flows.table import FlowTable
from helpers.models import made_up_flows


def labelled_table(rows: int, *, seed: int = 0) -> FlowTable:
    """Made-up flows of three classes of very different sizes, some rows twice."""
    features, codes = made_up_flows(rows, seed=seed)
    few = np.random.default_rng(seed).random(rows) < np.where(
        codes == 0, 1.0, np.where(codes == 5, 0.3, 0.02)
    )
    rows_of = np.flatnonzero(few)
    rows_of = np.concatenate([rows_of, rows_of[::7]])
    labels = np.array([BY_CODE[code].name for code in codes[rows_of].tolist()], object)
    made = FlowTable.from_features(features[rows_of], COMMON_NAMES, "improved", extras={"label": labels})
    return replace(made, start_us=np.arange(len(made), dtype=np.int64) * 1000)
