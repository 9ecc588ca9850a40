"""A sample of sets that memory does not hold: of each class as many flows, or all it has.

The rows of a class with the smallest hashes stay. Which these are depends on the rows alone, not on their
order, the files or the machine; and rows that repeat one another have one hash, so that all of them are met
and all but the earliest are left out, as of a set that is read entirely.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from training.cleaning import DUPLICATE, labelled, tidied
from training.dataset import LabelledFlows, joined
from training.row_hash import row_hashes
from training.sources.read import ReadOptions, Source, pieces, wanted_names

SLACK: Final = 1.25
"""So many times the wanted rows wait before those that are too many are left out."""

NOT_SAMPLED: Final = "not in the sample"
_ALL: Final = np.uint64(2**64 - 1)


def sampled_training_data(
    locations: Sequence[str | Path], most: int, *, options: ReadOptions
) -> LabelledFlows:
    """Read labelled flows of Parquet files piece by piece, and return at most `most` of them.

    Args:
        locations: files, folders or URLs of Parquet.
        most: rows to keep, of all classes alike.
        options: what becomes of what is read.

    Raises:
        OSError, ValueError: as `read_training_data`, or a file is not of Parquet.
    """
    sample = Sample(most)
    for location in locations:
        for source in pieces(location, options):
            sample.add(source, options)
    flows = sample.flows()
    if not len(flows):
        raise ValueError(f"{', '.join(map(str, locations))}: no flow has a label")
    return flows


class Sample:
    """What is kept of the flows so far."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._parts: list[LabelledFlows] = []
        self._waiting = 0
        self._bounds: dict[int, np.uint64] = {}
        self._read = 0
        self._dropped: Counter[str] = Counter()

    def add(self, source: Source, options: ReadOptions) -> None:
        """Take flows over.

        Raises:
            ValueError: as `training.cleaning.labelled`, or they are not like those before.
        """
        part = labelled(
            source.table,
            source.name,
            wanted_names(source.table, options),
            attempted=options.attempted,
            dropped=source.dropped,
        )
        self._read += part.rows_read
        self._dropped.update(part.dropped)
        kept = row_hashes(part.features, part.codes) <= self._bounds_of(part.codes)
        self._dropped[NOT_SAMPLED] += int((~kept).sum())
        self._parts.append(part.take(kept))
        self._waiting += len(self._parts[-1])
        if self._waiting > SLACK * self._most:
            self._shrink()

    def flows(self) -> LabelledFlows:
        """Return the sample, in the order of the flows' starts."""
        self._shrink()
        dropped = {reason: count for reason, count in self._dropped.items() if count}
        return replace(self._parts[0], rows_read=self._read, dropped=dropped)

    def _shrink(self) -> None:
        parts, self._parts = self._parts, []
        whole = joined([replace(part, dropped={}, rows_read=len(part)) for part in parts])
        parts.clear()
        flows = tidied(whole)
        self._dropped[DUPLICATE] += len(whole) - len(flows)
        hashes = row_hashes(flows.features, flows.codes)
        kept = np.zeros(len(flows), np.bool_)
        for code, size in shares(flows.codes, self._most).items():
            rows = np.flatnonzero(flows.codes == code)
            if size < len(rows):
                self._bounds[code] = np.partition(hashes[rows], size - 1)[size - 1]
            kept[rows] = hashes[rows] <= self._bounds.get(code, _ALL)
        self._dropped[NOT_SAMPLED] += int((~kept).sum())
        self._parts = [flows if kept.all() else flows.take(kept)]
        self._waiting = len(self._parts[0])

    def _bounds_of(self, codes: NDArray[np.int32]) -> NDArray[np.uint64]:
        found, places = np.unique(codes, return_inverse=True)
        bounds = [self._bounds.get(int(code), _ALL) for code in found]
        return np.array(bounds, np.uint64)[places.reshape(-1)]


def shares(codes: NDArray[np.int32], most: int) -> dict[int, int]:
    """Return how many of n classes' rows are kept of each: all it has, or the number that all larger have."""
    found, counts = np.unique(codes, return_counts=True)
    left = most
    for place, at in enumerate(np.argsort(counts).tolist()):
        level = max(left // (len(found) - place), 1)
        if counts[at] > level:
            return {int(code): min(int(count), level) for code, count in zip(found, counts, strict=True)}
        left -= int(counts[at])
    return dict(zip(found.tolist(), counts.tolist(), strict=True))
