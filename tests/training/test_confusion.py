from __future__ import annotations

import numpy as np

from flows.verdicts import Verdicts
from training.confusion import Confusion, VerdictFigures

HULK, PORTSCAN = 5, 17


def verdicts(*codes: int | None) -> Verdicts:
    """Return verdicts of these codes; None for insufficient."""
    return Verdicts(
        code=np.array([code or 0 for code in codes], np.int32),
        p_attack=np.full(len(codes), 0.5),
        p_label=np.full(len(codes), 0.5),
        insufficient=np.array([code is None for code in codes]),
        threshold=0.5,
        model_name="ml-ids",
        model_version="1",
        schema_id="",
    )


def counted(codes: list[int], *given: int | None) -> Confusion:
    confusion = Confusion()
    confusion.add(np.array(codes, np.int32), verdicts(*given))
    return confusion


def test_figures_of_each_class() -> None:
    confusion = counted([0, 0, 5, 5, 5, 5], 0, PORTSCAN, HULK, PORTSCAN, 0, None)
    assert confusion.classes() == (
        VerdictFigures(0, 2, 0, 1, precision=1 / 2, recall=1 / 2, f1=1 / 2),
        VerdictFigures(HULK, 4, 1, 2, precision=1.0, recall=1 / 4, f1=2 / 5),
        VerdictFigures(PORTSCAN, 0, 0, 0, precision=0.0, recall=None, f1=0.0),
    )
    assert confusion.accuracy == 2 / 6
    assert confusion.macro_f1 == (1 / 2 + 2 / 5) / 2


def test_batches_add_up() -> None:
    confusion = counted([0, HULK], 0, HULK)
    confusion.add(np.array([HULK, HULK], np.int32), verdicts(HULK, None))
    assert len(confusion) == 4
    assert confusion.matrix() == {"Benign": {"benign": 1}, "DoS Hulk": {"insufficient": 1, "DoS Hulk": 2}}


def test_a_class_never_named_has_no_precision() -> None:
    benign, hulk = counted([0, HULK], 0, 0).classes()
    assert (hulk.precision, hulk.recall, hulk.f1) == (None, 0.0, 0.0)
    assert benign.precision == 0.5
