"""Flows with what was thought of them, as files keep them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from flows.table import FlowTable
from flows.verdicts import Verdicts


def with_verdicts(table: FlowTable, verdicts: Verdicts) -> FlowTable:
    """Return n flows with their verdicts as extras.

    `verdict` (a label, `benign` or `insufficient`; no ground truth), `verdict_code`, `p_attack` (NaN when
    insufficient), `threshold`, `model_name`, `model_version`, and `interface`, of which a file has
    room for one only.
    """
    n = len(table)
    extras = {
        "verdict": verdicts.labels(),
        "verdict_code": verdicts.code,
        "p_attack": verdicts.p_attack,
        "threshold": np.full(n, verdicts.threshold),
        "model_name": np.full(n, verdicts.model_name, dtype=object),
        "model_version": np.full(n, verdicts.model_version, dtype=object),
        "interface": np.full(n, table.interface, dtype=object),
    }
    return replace(table, interface="", extras=table.extras | extras)
