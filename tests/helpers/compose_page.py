"""What docs/compose.md says to write into `.env`."""

from __future__ import annotations

import re

from helpers.engine import ROOT


def documented(profile: str) -> str:
    """The lines that the page shows for a profile."""
    blocks: list[str] = re.findall(r"```env\n(.*?)```", (ROOT / "docs" / "compose.md").read_text(), re.S)
    (found,) = (block for block in blocks if f"COMPOSE_PROFILES={profile}\n" in block)
    return found
