from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detection.remote.answer import AnswerError, Numbers, read_answer
from flows.labels import ATTACK, BY_CODE

HULK = 5


def read(answer: object, rows: int, numbers: Numbers = "attack") -> tuple[list[int], list[float]]:
    found = read_answer(json.dumps(answer).encode(), rows, numbers)
    return found.codes(0.5).tolist(), found.p_attack.tolist()


@pytest.mark.parametrize("wrapped", [False, True])
@pytest.mark.parametrize(
    ("entries", "codes", "p_attack"),
    [
        ([1.0, 0.0], [ATTACK, 0], [1.0, 0.0]),
        ([1, 0], [ATTACK, 0], [1.0, 0.0]),
        ([True, False], [ATTACK, 0], [1.0, 0.0]),
        ([0.5, 0.49], [ATTACK, 0], [0.5, 0.49]),
        ([[1.0], [0.0]], [ATTACK, 0], [1.0, 0.0]),
        ([[0.25, 0.75], [0.75, 0.25]], [ATTACK, 0], [0.75, 0.25]),
        ([[0.25, 0.5, 0.25]], [ATTACK], [0.75]),
        (["DoS Hulk", "BENIGN", "attack"], [HULK, 0, ATTACK], [1.0, 0.0, 1.0]),
        ([], [], []),
    ],
)
def test_decisions_probabilities_and_labels(
    entries: list[object], codes: list[int], p_attack: list[float], wrapped: bool
) -> None:
    answer = {"predictions": entries} if wrapped else entries
    assert read(answer, len(entries)) == (codes, p_attack)


def test_numbers_are_class_codes_where_that_is_said() -> None:
    assert read([0, HULK, 1.0], 3, "code") == ([0, HULK, 1], [0.0, 1.0, 1.0])


@given(st.lists(st.floats(0, 1), max_size=50), st.floats(0.01, 1))
def test_a_probability_is_an_attack_from_the_threshold_on(values: list[float], threshold: float) -> None:
    answer = read_answer(json.dumps(values).encode(), len(values), "attack")
    assert answer.p_attack.tolist() == values
    assert (answer.codes(threshold) != 0).tolist() == [value >= threshold for value in values]


@given(st.lists(st.sampled_from(sorted(BY_CODE)), max_size=50))
def test_codes_and_their_labels_are_the_same_verdicts(codes: list[int]) -> None:
    labels = [BY_CODE[code].name for code in codes]
    assert read(codes, len(codes), "code") == read(labels, len(codes))


@pytest.mark.parametrize(
    ("content", "numbers", "words"),
    [
        (b"<html>", "attack", "not JSON"),
        (b'{"error": "x"}', "attack", "neither a list nor an object with a list of predictions"),
        (b"7", "attack", "neither a list"),
        (b"[1.0]", "attack", "1 answers to 2 flows"),
        (b"[1.0, 0.0, 1.0]", "attack", "3 answers to 2 flows"),
        (b'[1.0, "BENIGN"]', "attack", "not all numbers"),
        (b"[null, 1.0]", "attack", "not all numbers"),
        (b'[{"0": 1.0}, {"0": 1.0}]', "attack", "not all numbers"),
        (b"[NaN, 1.0]", "attack", "not JSON"),
        (b"[14, 0]", "attack", "14 is neither 0 .* set REMOTE_MODEL_NUMBERS=code"),
        (b"[-0.1, 0]", "attack", "-0.1 is neither"),
        (b"[99, 0]", "code", "99 is no class code"),
        (b"[0.5, 0]", "code", "0.5 is no class code"),
        (b'["Klingon", "BENIGN"]', "attack", "unknown label 'Klingon'"),
        (b"[[0.5, 0.5], [1.0]]", "attack", "not lists of as many numbers"),
        (b'[[0.5, 0.5], [1.0, "x"]]', "attack", "not lists of as many numbers"),
        (b"[[], []]", "attack", "do not add up"),
        (b"[[0.5, 0.1], [0.5, 0.5]]", "attack", "do not add up"),
        (b"[[1.5, -0.5], [0.5, 0.5]]", "attack", "not between 0 and 1"),
        (b"[1e999, 0]", "attack", "not"),
    ],
)
def test_what_cannot_be_used_is_an_error_that_says_why(content: bytes, numbers: Numbers, words: str) -> None:
    with pytest.raises(AnswerError, match=words):
        read_answer(content, 2, numbers)


def test_no_number_of_verdicts_is_not_finite() -> None:
    p_attack = read_answer(b"[1, 0.25]", 2, "attack").p_attack
    assert all(map(math.isfinite, p_attack))
    assert p_attack.dtype == np.float64
