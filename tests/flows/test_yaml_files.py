from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import BaseModel

from flows.yaml_files import read_yaml


class Part(BaseModel):
    size: int


class Whole(BaseModel):
    parts: list[Part]


def test_a_file_holds_a_model(tmp_path: Path) -> None:
    path = tmp_path / "whole.yaml"
    path.write_text("parts: [{size: 2}]")
    assert read_yaml(path, Whole) == Whole(parts=[Part(size=2)])


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"parts: [{size: 2}, {size: two}]", "parts.1.size: Input should be a valid integer"),
        (b"parts: [", "not YAML: while parsing a flow"),
        (b"\xff\xfe\xfa", "not YAML: "),
        (b"", "Input should be a valid dictionary"),
    ],
)
def test_what_it_should_not_hold_is_named(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "whole.yaml"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"whole\.yaml: ") as refusal:
        read_yaml(path, Whole)
    assert said in str(refusal.value)


def test_a_file_that_is_not_there_is_an_oserror(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_yaml(tmp_path / "none.yaml", Whole)
