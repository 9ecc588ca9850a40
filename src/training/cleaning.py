"""Cleaning: from the rows of a source to training data, every row that is left out counted.

In this order; what readers leave out themselves (repeated headers, rows without a value) was counted before:

1. labels, however mangled, become class codes; a label that the table does not know ends the reading;
2. attempted attacks are dropped, or taken for benign or for attacks, as wanted;
3. rows without a label are dropped;
4. the rows of all sources are brought into the order of their start;
5. rows that equal an earlier one in all features and the class are dropped, before anything is split.

Infinity, NaN and negative values stay: what becomes of them is the model's own record's business.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from flows.labels import ATTEMPTED_SUFFIX, UNLABELLED, find_label
from flows.table import FlowTable
from training.dataset import UNKNOWN_ACTIVITY, LabelledFlows
from training.row_hash import host_pairs, repeats

Attempted = Literal["drop", "benign", "attack"]

UNKNOWN: Final = -1
"""Stands for the class of a flow that nobody labelled."""

ACTIVITY: Final = "activity"
"""The column in which the testbed tells what made a flow."""

NOT_LABELLED: Final = "unlabelled"
ATTEMPTED: Final = "attempted"
DUPLICATE: Final = "duplicate"


def true_codes(table: FlowTable, where: object) -> NDArray[np.int32]:
    """Return the class code of each of n flows of a file, int32, UNKNOWN where there is no label.

    An attack that did not come about has none either.

    Raises:
        ValueError: a label is not in the label table; the message names it and `where`.
    """
    codes, attempted = spelled_codes(table, where)
    return np.where(attempted, np.int32(UNKNOWN), codes)


def spelled_codes(table: FlowTable, where: object) -> tuple[NDArray[np.int32], NDArray[np.bool_]]:
    """Return the class code of each of n flows, UNKNOWN without a label, and which were only attempted.

    Raises:
        ValueError: as `true_codes`.
    """
    if "label" not in table.extras:
        return np.full(len(table), UNKNOWN, np.int32), np.zeros(len(table), np.bool_)
    given = pa.array(["" if text is None else str(text) for text in table.extras["label"].tolist()])
    encoded = pc.dictionary_encode(given)
    spelled = [text.strip() for text in encoded.dictionary.to_pylist()]
    try:
        codes = [_code(text.removesuffix(ATTEMPTED_SUFFIX)) for text in spelled]
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from None
    rows = encoded.indices.to_numpy()
    attempted = [text.endswith(ATTEMPTED_SUFFIX) for text in spelled]
    return np.array(codes, np.int32)[rows], np.array(attempted, np.bool_)[rows]


def _code(text: str) -> int:
    return UNKNOWN if text in UNLABELLED else find_label(text).code


def labelled(
    table: FlowTable,
    source: str,
    names: Sequence[str],
    *,
    attempted: Attempted = "drop",
    dropped: Mapping[str, int] | None = None,
) -> LabelledFlows:
    """Return the labelled flows of one source, in its order.

    Args:
        table: the flows, labels in `extras["label"]`.
        source: what they are from.
        names: the features to take.
        attempted: what becomes of attacks that did not come about.
        dropped: rows that the reader left out, by reason.

    Raises:
        ValueError: a label is not in the label table, or a feature is missing.
    """
    codes, kept, left_out = classed(table, source, attempted)
    left_out.update(dropped or {})
    activities, activity = _activities(table)
    return LabelledFlows(
        features=_features(table, source, tuple(names), kept),
        names=tuple(names),
        codes=codes[kept],
        dialect=table.dialect,
        start_us=table.start_us[kept],
        pair=host_pairs(table.src_addr[kept], table.dst_addr[kept]),
        dst_port=table.dst_port[kept],
        source=np.zeros(int(kept.sum()), np.int32),
        sources=(source,),
        activity=activity[kept],
        activities=activities,
        rows_read=int(kept.sum()) + left_out.total(),
        dropped=dict(left_out),
    )


def _activities(table: FlowTable) -> tuple[tuple[str, ...], NDArray[np.int32]]:
    """Return what made flows, and which of it each of n flows is of."""
    if ACTIVITY not in table.extras:
        return (), np.full(len(table), UNKNOWN_ACTIVITY, np.int32)
    given = pa.array(
        [None if name is None else str(name) for name in table.extras[ACTIVITY].tolist()], pa.string()
    )
    encoded = pc.dictionary_encode(given)
    places = pc.fill_null(encoded.indices, UNKNOWN_ACTIVITY).to_numpy().astype(np.int32)
    return tuple(encoded.dictionary.to_pylist()), places


def classed(
    table: FlowTable, source: str, attempted: Attempted
) -> tuple[NDArray[np.int32], NDArray[np.bool_], Counter[str]]:
    """Return the class codes of n flows, which of them stay, and how many do not, by reason.

    Raises:
        ValueError: a label is not in the label table.
    """
    codes, tried = spelled_codes(table, source)
    if attempted == "benign":
        codes = np.where(tried, np.int32(0), codes)
    kept = codes != UNKNOWN
    left_out = Counter({NOT_LABELLED: int((~kept).sum())})
    if attempted == "drop":
        left_out[ATTEMPTED] = int((tried & kept).sum())
        kept &= ~tried
    return codes, kept, +left_out


def _features(
    table: FlowTable, source: str, names: tuple[str, ...], kept: NDArray[np.bool_]
) -> NDArray[np.float64]:
    if missing := [name for name in names if name not in table.feature_names]:
        raise ValueError(f"{source}: lacks features that training reads: {', '.join(missing)}")
    if names == table.feature_names and kept.all():
        return table.features
    columns = np.array([table.feature_names.index(name) for name in names], np.intp)
    return table.features[np.flatnonzero(kept)[:, None], columns]


def tidied(flows: LabelledFlows, *, keep_duplicates: bool = False) -> LabelledFlows:
    """Return the flows in the order of their start, without those that repeat an earlier one.

    Ports, addresses and times are no features and do not tell rows apart. Flows that began together, or whose
    start is unknown, keep their order.
    """
    rows, repeated = tidy_rows(flows.features, flows.codes, flows.start_us, keep_duplicates=keep_duplicates)
    if len(rows) == len(flows) and (rows[1:] > rows[:-1]).all():
        return flows
    dropped = +Counter({**flows.dropped, DUPLICATE: repeated})
    return replace(flows.take(rows), rows_read=flows.rows_read, dropped=dict(dropped))


def tidy_rows(
    features: NDArray[np.float64],
    codes: NDArray[np.int32],
    start_us: NDArray[np.int64],
    *,
    keep_duplicates: bool = False,
) -> tuple[NDArray[np.intp], int]:
    """Return the indices of the rows that `tidied` keeps, in its order, and how many it does not."""
    order = np.argsort(start_us, kind="stable")
    if keep_duplicates:
        return order, 0
    repeated = repeats(features, codes, order)
    return order[~repeated], int(repeated.sum())
