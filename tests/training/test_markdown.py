from __future__ import annotations

from training.markdown import bullets, paragraph, table


def test_paragraphs_are_broken_anew() -> None:
    text = paragraph("one\n    two  " + "word " * 40)
    assert text.startswith("one two word")
    assert max(map(len, text.splitlines())) <= 100


def test_bullets_are_indented() -> None:
    first, second, *_ = bullets(["word " * 30, "next"]).splitlines()
    assert first.startswith("- word")
    assert second.startswith("  word")


def test_tables_align_numbers_to_the_right() -> None:
    assert table(["name", "n"], [["a", "1"]]) == "| name | n |\n| --- | ---: |\n| a | 1 |"
