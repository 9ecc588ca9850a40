"""Titles: what each column of some rows holds, found once for all rows that have the same titles."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from flows.columns import METADATA, canonical

KEPT_COLUMNS: Final = 512
KEPT_CHARACTERS: Final = 16_384
"""Longer lists of titles are looked at anew each time: what is kept must stay small."""


@dataclass(frozen=True, slots=True)
class Titles:
    """Where the columns are that a model reads, and what the others are.

    Attributes:
        names: the titles as sent.
        features: position of each required feature that has a column, in the order required; nothing when
            any is missing.
        where: position of each known column, by canonical name.
        missing: required features without a column, those that may be absent left out.
        repeated: pairs of positions of one feature's or metadata's columns.
        metadata: position of each metadata column, by canonical name.
        unknown: titles that no set has.
    """

    names: tuple[str, ...]
    features: tuple[int, ...]
    where: dict[str, int]
    missing: tuple[str, ...]
    repeated: tuple[tuple[int, int], ...]
    metadata: dict[str, int]
    unknown: tuple[str, ...]


def read_titles(
    names: tuple[str, ...], required: tuple[str, ...], optional: frozenset[str] = frozenset()
) -> Titles:
    """Say what each column is; `required` are the canonical names of the features to find.

    A required name is found as it is spelled even if no set has such a feature. Those of `optional` may be
    absent.
    """
    small = len(names) <= KEPT_COLUMNS and sum(map(len, names)) <= KEPT_CHARACTERS
    return (_kept if small else _read)(names, required, optional)


def _read(names: tuple[str, ...], required: tuple[str, ...], optional: frozenset[str]) -> Titles:
    where: dict[str, int] = {}
    repeated: list[tuple[int, int]] = []
    unknown: dict[str, None] = {}
    wanted = set(required)
    for at, title in enumerate(names):
        name = title if title in wanted else canonical(title)
        if name is None:
            unknown[title] = None
        elif name in where:
            repeated.append((where[name], at))
        else:
            where[name] = at
    missing = tuple(name for name in required if name not in where and name not in optional)
    return Titles(
        names=names,
        features=() if missing else tuple(where[name] for name in required if name in where),
        where=where,
        missing=missing,
        repeated=tuple(repeated),
        metadata={name: at for name, at in where.items() if name in METADATA},
        unknown=tuple(unknown),
    )


_kept: Final = lru_cache(maxsize=64)(_read)
