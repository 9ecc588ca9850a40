"""Pieces of Markdown."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence
from typing import Final

WIDTH: Final = 100


def paragraph(text: str) -> str:
    """Return text with its lines broken anew."""
    return _filled(text, "")


def bullets(texts: Iterable[str]) -> str:
    """Return a list, one item a text."""
    return "\n".join("- " + _filled(text, "  ") for text in texts)


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table: the first column to the left, the others to the right."""
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _filled(text: str, indent: str) -> str:
    return textwrap.fill(
        " ".join(text.split()),
        WIDTH,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )
