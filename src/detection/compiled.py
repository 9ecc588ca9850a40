"""The compiled model: a classifier as plain arrays that give scikit-learn's own probabilities."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import IO, Any, Final

import numpy as np
from numpy.typing import NDArray

from detection.kernel import Program, score_rows
from detection.layers import Neighbours
from detection.model import check_width
from detection.program import program_of
from detection.step_checks import Floats
from detection.steps import COLUMN_WISE, KEEPS_NAN, READS_NAN, STEPS, Step

FEATURES: Final = "features"


@dataclass(frozen=True)
class CompiledModel:
    """Steps that turn F features into the probabilities of C classes; see `detection.steps`.

    Attributes:
        features: F, how many features a row has.
        steps: in the order they run; the last one's answers are the class probabilities.
    """

    features: int
    steps: tuple[Step, ...]

    def __post_init__(self) -> None:
        """Check the steps: the kernel does not check bounds.

        Raises:
            ValueError: the arrays do not make a model; the message names the step and the array.
        """
        width = self.features
        for index, step in enumerate(self.steps):
            try:
                step.check()
                if step.columns.size and not 0 <= step.columns.min() <= step.columns.max() < width:
                    raise ValueError(f"columns: must lie within 0 and {width - 1}")
            except ValueError as error:
                raise ValueError(f"step {index} ({step.kind}): {error}") from None
            width += step.width()
        if not self.steps or isinstance(self.steps[-1], COLUMN_WISE) or self.classes < 2:
            raise ValueError("steps: the last one must answer the probabilities of two classes or more")

    @property
    def classes(self) -> int:
        """C, how many classes the model knows."""
        return self.steps[-1].width()

    @property
    def takes_nan(self) -> bool:
        """Whether rows may hold NaN: nothing but trees reads a feature that nothing was put in place of."""
        raw, width = set(range(self.features)), self.features
        for step in self.steps:
            reads = not raw.isdisjoint(step.columns.tolist())
            if reads and isinstance(step, KEEPS_NAN):
                raw.update(range(width, width + step.width()))
            elif reads and not isinstance(step, READS_NAN):
                return False
            width += step.width()
        return True

    @property
    def explainable(self) -> bool:
        """Whether what a feature adds can be followed through all steps."""
        return not any(isinstance(step, Neighbours) for step in self.steps)

    def probabilities(self, rows: Floats) -> Floats:
        """Return n x C class probabilities of n x F preprocessed rows.

        Rows are finite; where the model `takes_nan` they may hold NaN.

        Raises:
            ValueError: the rows do not have F columns.
        """
        check_width(rows, self.features)
        answers = np.empty((rows.shape[0], self.classes))
        program = self._program
        score_rows(
            np.ascontiguousarray(rows, np.float64),
            program.steps,
            program.columns,
            program.numbers,
            program.nodes,
            program.roots,
            program.fresh,
            program.width,
            answers,
        )
        return answers

    @cached_property
    def _program(self) -> Program:
        return program_of(self.features, self.steps)

    def save(self, file: Path | IO[bytes]) -> None:
        """Write the arrays as a compressed npz file; equal models give equal bytes.

        It holds `features`, and every step's arrays as index.kind.name, such as `1.forest.threshold`.
        """
        arrays: dict[str, Any] = {FEATURES: np.array(self.features, np.int64)}
        arrays |= {
            f"{index}.{step.kind}.{field.name}": getattr(step, field.name)
            for index, step in enumerate(self.steps)
            for field in fields(step)
        }
        np.savez_compressed(file, **arrays)

    @classmethod
    def load(cls, file: Path | IO[bytes]) -> CompiledModel:
        """Read what `save` wrote; nothing in the file is executed.

        Raises:
            OSError: the file cannot be read.
            ValueError: it is not such a file, or its arrays do not make a model.
        """
        with np.load(file, allow_pickle=False) as archive:
            arrays = {name: np.ascontiguousarray(archive[name]) for name in archive.files}
        features = arrays.pop(FEATURES, None)
        if features is None or features.size != 1 or features.dtype != np.int64:
            raise ValueError("features: must be one int64; it is no model of this version")
        return cls(int(features.item()), _steps(arrays))


def _steps(arrays: Mapping[str, NDArray[Any]]) -> tuple[Step, ...]:
    """Return the steps of a file's arrays."""
    grouped: dict[tuple[int, str], dict[str, NDArray[Any]]] = {}
    for key, array in arrays.items():
        index, _, rest = key.partition(".")
        kind, _, name = rest.partition(".")
        if not index.isdigit() or kind not in STEPS:
            raise ValueError(f"{key}: is no array of a model of this version")
        grouped.setdefault((int(index), kind), {})[name] = array
    steps = []
    for expected, (place, kind) in enumerate(sorted(grouped)):
        wanted = [field.name for field in fields(STEPS[kind])]
        if place != expected or set(grouped[place, kind]) != set(wanted):
            raise ValueError(f"step {expected}: must have the arrays {', '.join(wanted)}")
        steps.append(STEPS[kind](**grouped[place, kind]))
    return tuple(steps)
