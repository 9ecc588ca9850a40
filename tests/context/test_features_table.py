from __future__ import annotations

from pathlib import Path

from context.features_table import context_markdown
from context.stage import STARTS

DOCUMENT = Path(__file__).parents[2] / "docs" / "context.md"


def test_the_document_is_what_the_features_say() -> None:
    assert DOCUMENT.read_text() == context_markdown()


def test_it_says_how_many_starts_are_held() -> None:
    assert f"the last {STARTS:,} starts" in context_markdown()
