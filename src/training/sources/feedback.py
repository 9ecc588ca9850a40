"""What people said of alerts, as training data."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
from sqlalchemy.exc import DBAPIError

from alerting.book.reader import BookReader
from flows.dialects import IMPROVED
from flows.schema import COMMON_NAMES
from flows.table import FlowTable
from training.cleaning import labelled, tidied, true_codes
from training.dataset import LabelledFlows

CONTRADICTED: Final = "contradicted"
OTHER_DIALECT: Final = "other dialect"


def feedback_flows(
    alerts_file: Path, dialect: str = IMPROVED, names: Sequence[str] = COMMON_NAMES
) -> LabelledFlows:
    """Return the flows of the alerts that somebody labelled: false positives benign, others of their class.

    Where flows that are equal in all features were labelled differently, what was said last counts; the
    others are dropped as "contradicted". Flows of other dialects are dropped too.

    Args:
        alerts_file: the sensor's alert book, `<STATE_DIR>/alerts.db`; a service may be using it.
        dialect: the rules that must have measured the flows.
        names: the features to take.

    Raises:
        FileNotFoundError: there is no alert book.
        ValueError: it cannot be read, or none of its alerts is labelled so.
    """
    if not alerts_file.exists():
        raise FileNotFoundError(f"{alerts_file}: no alert book: a service of this STATE_DIR makes one")
    try:
        export = BookReader(alerts_file).labelled(dialect)
    except DBAPIError as error:
        raise ValueError(
            f"{alerts_file}: cannot be read ({error.orig}): ml-ids upgrade brings it up to date"
        ) from None
    table, contradicted = latest_said(export.table, str(alerts_file), names)
    dropped = +Counter({CONTRADICTED: contradicted, OTHER_DIALECT: export.left_out})
    if not len(table):
        others = f"; {export.left_out:,} labelled flows are of other dialects" if export.left_out else ""
        raise ValueError(
            f"{alerts_file}: no labelled flow of dialect {dialect}{others}: label alerts on the dashboard or "
            "with POST /api/alerts/{id}/label"
        )
    return tidied(labelled(table, "feedback", names, dropped=dropped))


def latest_said(table: FlowTable, where: str, names: Sequence[str] = COMMON_NAMES) -> tuple[FlowTable, int]:
    """Return labelled flows without those of which something else was said later, and how many these were.

    Args:
        table: flows in the order labelled.
        where: names them in messages.
        names: the features in which equal flows are equal.

    Raises:
        KeyError: a feature is missing.
        ValueError: a label is not in the label table.
    """
    codes = true_codes(table, where).tolist()
    rows = [row.tobytes() for row in table.select(names) + 0.0]  # -0 becomes 0
    last = dict(zip(rows, codes, strict=True))
    kept = np.array([last[row] == code for row, code in zip(rows, codes, strict=True)], np.bool_)
    return table.take(kept), int((~kept).sum())
