from __future__ import annotations

from pathlib import Path

from flows.features_table import features_markdown
from flows.schema import FEATURES

DOCUMENT = Path(__file__).parents[2] / "docs" / "features.md"


def test_the_document_is_the_generated_one():
    assert DOCUMENT.read_text() == features_markdown(), "run scripts/write_docs.py"


def test_every_feature_has_its_formula_and_spellings():
    text = features_markdown()
    for feature in FEATURES:
        assert text.count(f"| `{feature.name}` |") == 2
        assert feature.formula in text


def test_every_row_has_the_columns_of_its_table():
    columns = 0
    for line in features_markdown().splitlines():
        if not line.startswith("|"):
            columns = 0
        else:
            columns = columns or line.count(" | ")
            assert line.count(" | ") == columns or line.count("|  |"), line
