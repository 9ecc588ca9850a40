"""Verdicts beside the truth: what a model that serves does with labelled flows."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from flows.labels import BY_CODE
from flows.verdicts import INSUFFICIENT, Verdicts, verdict_name

UNJUDGED: Final = -1
"""The column of flows that the model cannot judge."""


@dataclass(frozen=True, slots=True)
class VerdictFigures:
    """What became of the n flows of one class at the operating threshold.

    Attributes:
        code: the class.
        n: its flows.
        insufficient: how many of them could not be judged; they count as missed.
        flagged: how many were called an attack, of whatever class.
        precision, recall, f1: of the verdicts with this class's label; None where nothing divides.
    """

    code: int
    n: int
    insufficient: int
    flagged: int
    precision: float | None
    recall: float | None
    f1: float | None

    @property
    def name(self) -> str:
        """The class's name."""
        return BY_CODE[self.code].name


class Confusion:
    """Counts flows by their class and their verdict, batch after batch."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[int, int]] = Counter()

    def add(self, codes: NDArray[np.int32], verdicts: Verdicts) -> None:
        """Count n flows of known classes in."""
        given = np.where(verdicts.insufficient, UNJUDGED, verdicts.code)
        pairs, counts = np.unique(np.column_stack([codes, given]), axis=0, return_counts=True)
        for (code, verdict), count in zip(pairs.tolist(), counts.tolist(), strict=True):
            self._counts[code, verdict] += count

    def __len__(self) -> int:
        return sum(self._counts.values())

    def classes(self) -> tuple[VerdictFigures, ...]:
        """Return the figures of every class that a flow has or a verdict names."""
        codes = {code for pair in self._counts for code in pair} - {UNJUDGED}
        return tuple(self._figures(code) for code in sorted(codes))

    @property
    def accuracy(self) -> float:
        """The share of all flows whose verdict has their class's label."""
        return sum(count for (code, verdict), count in self._counts.items() if code == verdict) / len(self)

    @property
    def macro_f1(self) -> float:
        """The mean F1 of the classes that have flows."""
        return float(np.mean([found.f1 or 0.0 for found in self.classes() if found.n]))

    def matrix(self) -> dict[str, dict[str, int]]:
        """Return the counts: class by name, then verdict by name."""
        rows: dict[str, dict[str, int]] = {}
        for (code, verdict), count in sorted(self._counts.items()):
            name = INSUFFICIENT if verdict == UNJUDGED else verdict_name(verdict)
            rows.setdefault(BY_CODE[code].name, {})[name] = count
        return rows

    def _figures(self, code: int) -> VerdictFigures:
        of_class = {verdict: count for (true, verdict), count in self._counts.items() if true == code}
        n, hits = sum(of_class.values()), of_class.get(code, 0)
        called = sum(count for (_, verdict), count in self._counts.items() if verdict == code)
        return VerdictFigures(
            code=code,
            n=n,
            insufficient=of_class.get(UNJUDGED, 0),
            flagged=sum(count for verdict, count in of_class.items() if verdict > 0),
            precision=hits / called if called else None,
            recall=hits / n if n else None,
            f1=2 * hits / (n + called) if n + called else None,
        )
