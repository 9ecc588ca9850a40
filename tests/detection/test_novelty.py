from __future__ import annotations

import numpy as np
import pytest

from detection.novelty import Novelty
from detection.scorer import Scorer
from flows.labels import NOVELTY
from flows.schema import COMMON_NAMES
from flows.table import FlowTable
from flows.verdicts import Verdicts
from helpers.flows import verdicts_for
from helpers.models import make_record, typical_table
from helpers.novelty import detector_record, make_detector

Told = list[tuple[FlowTable, Verdicts]]


def judging(detector: Scorer | None, **options: int) -> tuple[Novelty, Told]:
    told: Told = []
    novelty = Novelty(lambda *judged: told.append(judged), **options)
    novelty.detector = detector
    return novelty, told


def offered(novelty: Novelty, kinds: list[int], codes: list[int] | None = None, **more: object) -> None:
    """Offer typical flows of these kinds, which the champion called so."""
    table = typical_table(kinds)
    novelty.offer(table, verdicts_for(table, codes or [0] * len(kinds), **more))
    while novelty.waiting:
        novelty.step()


def test_what_is_unlike_all_it_knows_is_told_as_novelty() -> None:
    novelty, told = judging(make_detector())
    offered(novelty, [17, 0, 17, 0])
    [(table, verdicts)] = told
    assert table.column("flow_duration").tolist() == typical_table([0, 0]).column("flow_duration").tolist()
    assert verdicts.code.tolist() == [NOVELTY] * 2
    assert verdicts.label(0) == "Novelty"
    assert (verdicts.p_attack >= verdicts.threshold).all()
    assert (verdicts.model_name, verdicts.model_version) == ("ml-ids-novelty", "1")
    counts = novelty.counts()
    assert (counts.looked_at, counts.novel, counts.skipped, counts.error) == (4, 2, {}, None)


def test_attacks_and_insufficient_flows_are_not_its_business() -> None:
    novelty, told = judging(make_detector())
    offered(novelty, [0, 0, 0], [5, 0, 0], insufficient=np.array([False, True, False]))
    assert sum(len(table) for table, _ in told) == 1
    assert novelty.counts().looked_at == 1


def test_without_a_detector_nothing_is_taken() -> None:
    novelty, told = judging(None)
    offered(novelty, [0, 17])
    assert (novelty.waiting, told, novelty.counts().looked_at) == (0, [], 0)
    novelty.detector = make_detector()
    table = typical_table([0])
    novelty.offer(table, verdicts_for(table, [0]))
    novelty.detector = None
    novelty.step()
    assert (novelty.waiting, told) == (0, [])


def test_more_than_may_wait_is_skipped_and_counted() -> None:
    novelty, _ = judging(make_detector(), capacity=3)
    offered(novelty, [17] * 5)
    assert (novelty.counts().looked_at, novelty.counts().skipped) == (3, {"busy": 2})


def test_flows_it_cannot_read_are_skipped_with_the_reason() -> None:
    record = detector_record()
    other = make_record(classes=record.classes, threshold=record.threshold, dialect="cic-v4")
    novelty, told = judging(make_detector(other))
    offered(novelty, [0])
    counts = novelty.counts()
    assert (counts.skipped, told) == ({"dialect": 1}, [])
    assert "reads dialect cic-v4" in str(counts.error)


def test_one_that_fails_harms_nothing(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    novelty, told = judging(make_detector())
    with monkeypatch.context() as broken:
        broken.setattr(Scorer, "score", lambda *_: 1 / 0)
        offered(novelty, [0, 0])
    offered(novelty, [0])
    counts = novelty.counts()
    assert (counts.skipped, counts.looked_at, len(told)) == ({"failed": 2}, 1, 1)
    assert counts.error == "ZeroDivisionError: division by zero"
    assert "failed on 2 flows" in caplog.text
    assert len(COMMON_NAMES) == told[0][0].features.shape[1]
