"""The dialects: whose rules measured a flow."""

from __future__ import annotations

from typing import Final

IMPROVED: Final = "improved"
PYTHON: Final = "python-cicflowmeter"
DIALECTS: Final = (IMPROVED, "improved-2024", "cic-2018", "cic-2017", "cic-v4", PYTHON)


def known_dialect(name: str) -> str:
    """Return `name` when it is a dialect.

    Raises:
        ValueError: it is none; the message names those that are.
    """
    if name not in DIALECTS:
        raise ValueError(f"unknown dialect {name!r}: use one of {', '.join(DIALECTS)}")
    return name
