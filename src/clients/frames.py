"""Frames as text, for terminals."""

from __future__ import annotations

import shutil
from enum import StrEnum

import pandas as pd


class Overflow(StrEnum):
    """What becomes of columns that do not fit into the window."""

    WRAP = "WRAP"
    NOWRAP = "NOWRAP"


def printable(text: str) -> str:
    """Return a text that others sent without what would steer a terminal."""
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in text)


def frame_text(frame: pd.DataFrame, overflow: Overflow) -> str:
    """Return all rows and columns of a frame, below each other where they do not fit if WRAP is wanted."""
    frame = frame.map(_cell).rename(columns=printable)
    if overflow == Overflow.NOWRAP:
        return frame.to_string(index=False)
    return frame.reset_index(drop=True).to_string(line_width=shutil.get_terminal_size().columns)


def _cell(value: object) -> object:
    return printable(value) if isinstance(value, str) else value
