from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest

from detection.remote.champion import FAILURES, ROWS, RemoteChampion
from detection.remote.endpoint import Endpoint
from flows.labels import ATTACK
from helpers.models import typical_table
from helpers.remote_model import Gateway, by_row, gateway, slowly, status
from helpers.server import wait_until

HULK = 5
LONG = 60.0


@pytest.fixture
def model() -> Iterator[Gateway]:
    """A model that calls flows of class HULK an attack by P = 0.75, and the others by 0.25."""
    with gateway(by_row(lambda row: 0.75 if row["flow_duration"] > 1000 else 0.25)) as running:
        yield running


@contextmanager
def champion(model: Gateway, *, probe_seconds: float = 0.05, **chosen: Any) -> Iterator[RemoteChampion]:
    endpoint = Endpoint(
        "theirs", f"http://{model.address}/invocations", **({"seconds": LONG, "tries": 1} | chosen)
    )
    made = RemoteChampion(endpoint, threshold=0.5, probe_seconds=probe_seconds)
    made.start()
    try:
        yield made
    finally:
        made.stop()


def test_its_verdicts_are_those_of_the_model_by_its_name(model: Gateway) -> None:
    model.answer = by_row(lambda row: 0.75 if row["flow_duration"] > 1000 else 0.25, version="7")
    with champion(model) as remote:
        wait_until(lambda: remote.answering)
        verdicts = remote.judge(typical_table([HULK, 0]))
        status = remote.status()
    assert verdicts is not None
    assert (verdicts.model_name, verdicts.model_version, verdicts.threshold) == ("theirs", "7", 0.5)
    assert verdicts.code.tolist() == [ATTACK, 0]
    assert not verdicts.insufficient.any()
    assert verdicts.p_attack.tolist() == [0.75, 0.25]
    assert verdicts.p_label.tolist() == [0.75, 0.75]
    assert (status.flows, status.passed_over, status.error, status.problem) == (2, 0, None, None)
    assert status.calls == {"answered": 2, "refused": 0, "failed": 0}


def test_many_flows_are_several_requests_and_one_answer(model: Gateway) -> None:
    codes = np.where(np.arange(2 * ROWS + 1) % 3 == 0, HULK, 0).tolist()
    with champion(model) as remote:
        wait_until(lambda: remote.answering)
        verdicts = remote.judge(typical_table(codes))
        assert remote.judge(typical_table([])) is not None
    assert verdicts is not None
    assert verdicts.is_attack.tolist() == [code == HULK for code in codes]
    assert len(model.requests) == 1 + 3


def test_it_is_asked_no_more_after_failures_in_a_row_until_a_probe_is_answered(model: Gateway) -> None:
    well = model.answer
    with champion(model) as remote:
        wait_until(lambda: remote.answering)
        model.answer = status(500, "broken")
        table = typical_table([0])
        for _ in range(FAILURES):
            assert remote.answering
            assert remote.judge(table) is None
        assert not remote.answering
        assert remote.status().problem == "remote model theirs: status 500: broken"
        assert remote.judge(table) is None
        assert remote.status().passed_over == FAILURES + 1
        model.answer = well
        wait_until(lambda: remote.answering)
        assert remote.judge(table) is not None
        assert remote.status().problem is None


def test_nothing_waits_for_a_model_that_is_away(model: Gateway) -> None:
    model.answer = slowly(1.0, model.answer)
    with champion(model, seconds=0.2, probe_seconds=LONG) as remote:
        wait_until(lambda: remote.status().calls["failed"] == 1)
        assert [remote.judge(typical_table([0])) for _ in range(20)] == [None] * 20
        assert remote.status().calls["failed"] == 1
        assert len(model.requests) == 1
        assert remote.status().problem == "remote model theirs: no answer within 0.2 s"


def test_flows_that_are_refused_do_not_end_it(model: Gateway) -> None:
    well = model.answer
    with champion(model) as remote:
        wait_until(lambda: remote.answering)
        model.answer = status(400, "missing columns")
        for _ in range(2 * FAILURES):
            assert remote.judge(typical_table([0])) is None
        assert remote.answering
        assert "missing columns" in (remote.status().problem or "")
        model.answer = well
        assert remote.judge(typical_table([0])) is not None
        assert remote.status().problem is None


def test_it_is_not_asked_before_its_first_probe_is_answered(model: Gateway) -> None:
    endpoint = Endpoint("theirs", f"http://{model.address}/invocations")
    remote = RemoteChampion(endpoint, threshold=0.5, probe_seconds=LONG)
    assert remote.judge(typical_table([0])) is None
    assert remote.status().problem == "remote model theirs was not reached yet"
    remote.stop()
    assert model.requests == []
