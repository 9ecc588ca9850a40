"""The model's record: everything serving must know of a model beside its arrays."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from functools import cached_property
from typing import Annotated, Final, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, ValidationError, model_validator
from pydantic_core import ErrorDetails

from context.features import CONTEXT_NAMES
from flows.columns import DUPLICATED, canonical
from flows.labels import BY_CODE
from flows.schema import BY_NAME, schema_id

RECORD_FORMAT: Final = 1
SIZES: Final = ("tot_fwd_pkts", "tot_bwd_pkts", "flow_duration")
"""The features that say whether a flow is insufficient."""
LEVELS: Final = tuple(np.linspace(0.0, 1.0, 21).tolist())
"""The levels of benign quantiles."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Preprocessing(_Part):
    """What becomes of values that a model cannot read; see `detection.preprocess.clean`.

    Attributes:
        nan: what stands for NaN; None leaves it to the model, whose trees know where it goes.
        infinity: what stands for plus infinity; minus infinity becomes `minimum`.
        minimum, maximum: finite values are clipped to this range.
    """

    nan: FiniteFloat | None
    infinity: FiniteFloat
    minimum: FiniteFloat
    maximum: FiniteFloat


class InsufficientRule(_Part):
    """Which flows a model knows nothing of: the training data held none like them.

    Attributes:
        max_packets: flows of no more packets than this are insufficient.
        max_duration_us: flows that last no longer than this, in microseconds, are insufficient.
    """

    max_packets: int
    max_duration_us: int


class BenignQuantiles(_Part):
    """Quantiles of every feature over benign training flows, after preprocessing.

    Attributes:
        levels: the q levels, between 0 and 1, ascending; none when the flows are not known.
        values: one row a feature, q values each.
    """

    levels: tuple[FiniteFloat, ...]
    values: tuple[tuple[FiniteFloat, ...], ...]

    @classmethod
    def of(cls, features: NDArray[np.float64]) -> BenignQuantiles:
        """Return the quantiles at LEVELS of n x F preprocessed features, NaN left out."""
        if not len(features):
            return cls(levels=(), values=((),) * features.shape[1])
        # A feature that is NaN in every flow has no quantiles: 0 stands for it.
        known = np.where(np.isnan(features).all(axis=0), 0.0, features)
        rows = np.nanquantile(known, LEVELS, axis=0).T
        return cls(levels=LEVELS, values=tuple(tuple(row) for row in rows.tolist()))


class ModelRecord(_Part):
    """The record of one model, `record.json` of its package.

    Attributes:
        record_format: version of this layout.
        description: what the model is, in a line.
        features: names of the F columns the model reads, in order: the canonical ones, or a model's own
            for what the schema does not know. Only `fwd_header_len` may stand twice, as in CIC-IDS2017.
        schema_id: the id of these features and their units.
        dialect: the rules that measured the training flows.
        context_windows: per-host windows the model reads; this version knows none.
        classes: codes of the C classes, in the order of the probabilities' columns; 0 is benign.
        class_names: their names in the label table.
        preprocessing: what becomes of inf, NaN and values out of range.
        threshold: the operating threshold on 1 - P(benign).
        insufficient: which flows get no verdict, None when the model can judge all.
        benign_quantiles: of every feature, for drift and explanations.
        figures: measured figures of the model by name, for the registry.
        measured_on: sha256 of the labelled flows that the splits' figures are of, "" when that is not known:
            only figures of the same flows can be compared.
        estimator: the name of the kind of estimator, "" when it was not made here.
    """

    record_format: Literal[1]
    description: str
    features: Annotated[tuple[str, ...], Field(min_length=1)]
    schema_id: str
    dialect: str
    context_windows: tuple[str, ...] = ()
    classes: Annotated[tuple[int, ...], Field(min_length=2)]
    class_names: tuple[str, ...]
    preprocessing: Preprocessing
    threshold: FiniteFloat
    insufficient: InsufficientRule | None
    benign_quantiles: BenignQuantiles
    figures: dict[str, FiniteFloat] = {}
    measured_on: str = ""
    estimator: str = ""

    @cached_property
    def benign_column(self) -> int:
        """The column of P(benign)."""
        return self.classes.index(0)

    @cached_property
    def context(self) -> frozenset[str]:
        """The features that tell what hosts did before a flow: NaN where that is not known."""
        return frozenset(CONTEXT_NAMES).intersection(self.features)

    @cached_property
    def benign_medians(self) -> tuple[float, ...]:
        """Every feature's median over benign training flows, after preprocessing; NaN when not known."""
        levels, values = self.benign_quantiles.levels, self.benign_quantiles.values
        return tuple(float(np.interp(0.5, levels, row)) if levels else math.nan for row in values)

    def to_json(self) -> str:
        """Return the text of `record.json`."""
        return self.model_dump_json(indent=1) + "\n"

    @classmethod
    def from_json(cls, text: str | bytes) -> ModelRecord:
        """Read the text of `record.json`.

        Raises:
            ValueError: a field is missing, of the wrong type or contradicts another; all are named.
        """
        try:
            return cls.model_validate_json(text)
        except ValidationError as error:
            raise ValueError("; ".join(_problem(item) for item in error.errors())) from None

    @model_validator(mode="after")
    def _features_are_served(self) -> ModelRecord:
        check_features(self.features)
        if self.schema_id != schema_id(self.features):
            raise ValueError(
                f"schema_id: {self.schema_id} is not the id these features have here, "
                f"{schema_id(self.features)}: their units differ"
            )
        if self.context_windows:
            raise ValueError("context_windows: this version measures none; serve a model without them")
        if self.insufficient is not None and not set(SIZES) <= set(self.features):
            raise ValueError(f"insufficient: the rule needs {', '.join(SIZES)}")
        return self

    @model_validator(mode="after")
    def _classes_are_known(self) -> ModelRecord:
        if 0 not in self.classes or len(set(self.classes)) != len(self.classes):
            raise ValueError("classes: must hold 0 (benign) and no code twice")
        unknown = [str(code) for code in self.classes if code not in BY_CODE]
        if unknown:
            raise ValueError(f"classes: codes {', '.join(unknown)} are not in the label table")
        if self.class_names != tuple(BY_CODE[code].name for code in self.classes):
            raise ValueError("class_names: do not match the label table's names of the classes")
        return self

    @model_validator(mode="after")
    def _numbers_fit(self) -> ModelRecord:
        if not 0 < self.threshold <= 1:
            raise ValueError(f"threshold: {self.threshold} is not above 0 and at most 1")
        if self.preprocessing.minimum >= self.preprocessing.maximum:
            raise ValueError("preprocessing: minimum must be below maximum")
        quantiles = self.benign_quantiles
        if len(quantiles.values) != len(self.features) or any(
            len(row) != len(quantiles.levels) for row in quantiles.values
        ):
            raise ValueError("benign_quantiles: must be one row a feature, one value a level")
        return self


def check_features(names: Sequence[str]) -> None:
    """Check that a model can read features of these names.

    Raises:
        ValueError: it cannot; the message names them.
    """
    foreign = [name for name in names if name not in BY_NAME]
    taken = [name for name in foreign if name != name.strip() or not name or canonical(name) is not None]
    if taken:
        raise ValueError(
            f"features: {', '.join(map(repr, taken))} are no features' canonical names: addresses, ports, "
            "protocol, times and labels are never read"
        )
    twice = [name for name, times in Counter(names).items() if times > 1 + (name == DUPLICATED)]
    if twice:
        raise ValueError(f"features: {', '.join(twice)}: a name stands twice")


def _problem(item: ErrorDetails) -> str:
    where = ".".join(str(part) for part in item["loc"])
    message = item["msg"].removeprefix("Value error, ")
    return f"{where}: {message}" if where else message
