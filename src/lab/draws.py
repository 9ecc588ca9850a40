"""Parameters drawn by seed: a value, one of several, or a number between two."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

Value = bool | int | float | str


class Range(BaseModel):
    """A number of [low, high]: an integer where both are integers."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    low: int | float
    high: int | float

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.low > self.high:
            raise ValueError(f"low {self.low} is above high {self.high}")
        return self


class Choice(BaseModel):
    """One of several values."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    choice: Annotated[tuple[Value, ...], Field(min_length=1)]


Draw = Range | Choice | Value


def drawn(draw: Draw, rng: random.Random) -> Value:
    """Return one value."""
    if isinstance(draw, Range):
        if isinstance(draw.low, int) and isinstance(draw.high, int):
            return rng.randint(draw.low, draw.high)
        return round(rng.uniform(draw.low, draw.high), 3)
    return rng.choice(draw.choice) if isinstance(draw, Choice) else draw


def corners(draws: Mapping[str, Draw]) -> list[dict[str, Value]]:
    """Return sets of values in which every limit and every choice of every parameter comes up once."""
    each = {name: _corners(draw) for name, draw in draws.items()}
    count = max((len(values) for values in each.values()), default=1)
    return [{name: values[min(at, len(values) - 1)] for name, values in each.items()} for at in range(count)]


def _corners(draw: Draw) -> tuple[Value, ...]:
    if isinstance(draw, Range):
        return (draw.low, draw.high)
    return draw.choice if isinstance(draw, Choice) else (draw,)
