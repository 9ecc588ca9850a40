from __future__ import annotations

import logging
import queue
import threading
import time
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest

from detection.novelty import Novelty
from detection.pace import FEWEST, MOST
from detection.remote.champion import RemoteChampion
from detection.remote.endpoint import Endpoint
from detection.scorer import ModelUnavailableError, Scorer
from detection.worker import REMOTE_SECONDS, ScoringWorker
from flows.dialects import PYTHON
from flows.schema import COMMON_NAMES, IMPROVED_NAMES
from flows.table import FlowTable, concat_tables
from flows.verdicts import Verdicts
from helpers.models import made_up_flows, make_record, make_scorer, typical_table
from helpers.novelty import make_detector
from helpers.remote_model import Gateway, by_row, gateway, status
from helpers.server import wait_until

SECONDS = 60.0


class Sink:
    """Where captured flows and their verdicts go; may be told to fail or to wait."""

    def __init__(self) -> None:
        self.delivered: list[tuple[FlowTable, Verdicts]] = []
        self.failures = 0
        self.go_on = threading.Event()
        self.go_on.set()
        self.entered = threading.Event()

    def __call__(self, table: FlowTable, verdicts: Verdicts) -> None:
        self.entered.set()
        self.go_on.wait(SECONDS)
        if self.failures:
            self.failures -= 1
            raise OSError("disk full")
        self.delivered.append((table, verdicts))

    @property
    def flows(self) -> int:
        return sum(len(table) for table, _ in self.delivered)


class FailingScorer(Scorer):
    """Scores as another one, but for a call (by its number, from 1) or, with None, for every one."""

    def __init__(self, scorer: Scorer, *, fails_at: int | None) -> None:
        self.__dict__.update(scorer.__dict__)
        self.fails_at = fails_at
        self.calls = 0

    def score(self, table: FlowTable) -> Verdicts:
        self.calls += 1
        if self.fails_at in (None, self.calls):
            raise ArithmeticError(f"call {self.calls}")
        return super().score(table)


@contextmanager
def working(sink: Sink, scorer: Scorer | None, **options: Any) -> Iterator[ScoringWorker]:
    worker = ScoringWorker(sink, **options)
    worker.scorer = scorer
    worker.start()
    try:
        yield worker
    finally:
        sink.go_on.set()
        assert worker.stop(SECONDS)
        counters = worker.counters()
        assert counters.waiting == 0
        assert counters.handed_over == (
            counters.captured + counters.shed + sum(counters.refused.values()) + counters.failed
        )


@pytest.fixture(scope="module")
def scorer() -> Scorer:
    return make_scorer()


def numbered(rows: int, *, sensor: str = "test") -> FlowTable:
    features, _ = made_up_flows(rows, seed=rows)
    return FlowTable.from_features(features, COMMON_NAMES, "improved", sensor=sensor)


def test_captured_flows_are_delivered_in_order_with_their_verdicts(scorer: Scorer) -> None:
    sink = Sink()
    tables = [numbered(rows) for rows in (3, 1, 500, 2)]
    with working(sink, scorer) as worker:
        assert [worker.hand_over(table) for table in tables] == [0, 0, 0, 0]
    together = concat_tables(table for table, _ in sink.delivered)
    assert (together.features == concat_tables(tables).features).all()
    for table, verdicts in sink.delivered:
        assert (verdicts.code == scorer.score(table).code).all()
    counters = worker.counters()
    assert counters.captured == counters.handed_over == 506
    assert counters.attacks == sum(int(verdicts.is_attack.sum()) for _, verdicts in sink.delivered) > 0


def test_what_waits_is_joined_up_to_a_batch(scorer: Scorer) -> None:
    sink = Sink()
    sink.go_on.clear()
    with working(sink, scorer) as worker:
        worker.hand_over(numbered(1))
        assert sink.entered.wait(SECONDS)
        for _ in range(3):
            worker.hand_over(numbered(10))
        worker.hand_over(numbered(5, sensor="other"))
        worker.hand_over(numbered(2 * MOST + 9))
        sink.go_on.set()
    sizes = [(table.sensor, len(table)) for table, _ in sink.delivered]
    assert sizes[:4] == [("test", 1), ("test", 30), ("other", 5), ("test", FEWEST)]
    assert all(FEWEST <= size <= MOST for _, size in sizes[3:-1])
    parts = concat_tables(table for table, _ in sink.delivered[3:])
    assert (parts.features == numbered(2 * MOST + 9).features).all()


def test_what_does_not_fit_is_shed_and_counted(scorer: Scorer) -> None:
    sink = Sink()
    sink.go_on.clear()
    with working(sink, scorer, capacity=100) as worker:
        assert worker.hand_over(numbered(60)) == 0
        assert sink.entered.wait(SECONDS)
        assert worker.hand_over(numbered(60)) == 20
        assert worker.hand_over(numbered(7)) == 7
        assert worker.counters().waiting == 100
        sink.go_on.set()
        wait_until(lambda: worker.counters().waiting == 0)
        assert worker.hand_over(numbered(100)) == 0
    assert worker.counters().shed == 27
    assert sink.flows == 200
    assert (sink.delivered[1][0].features == numbered(60).features[:40]).all()


def test_captured_flows_wait_for_a_model_and_requests_do_not(scorer: Scorer) -> None:
    sink = Sink()
    with working(sink, None) as worker:
        worker.hand_over(numbered(4))
        with pytest.raises(ModelUnavailableError, match="no model is loaded yet"):
            worker.submit(numbered(1))
        assert worker.counters().waiting == 4
        worker.scorer = scorer
        wait_until(lambda: sink.flows == 4)
        assert len(worker.submit(numbered(2)).result(SECONDS)) == 2


def test_what_waits_for_a_model_at_the_stop_is_shed() -> None:
    sink = Sink()
    with working(sink, None) as worker:
        worker.hand_over(numbered(4))
    assert worker.counters().shed == 4
    assert worker.hand_over(numbered(3)) == 3
    with pytest.raises(ModelUnavailableError, match="the service is stopping"):
        worker.submit(numbered(1))


def test_a_worker_that_never_started_sheds_at_the_stop(scorer: Scorer) -> None:
    worker = ScoringWorker(Sink())
    worker.scorer = scorer
    worker.hand_over(numbered(4))
    assert worker.stop(0)
    assert (worker.counters().shed, worker.counters().waiting) == (4, 0)


def test_stop_scores_what_waits(scorer: Scorer) -> None:
    sink = Sink()
    sink.go_on.clear()
    with working(sink, scorer) as worker:
        worker.hand_over(numbered(1))
        assert sink.entered.wait(SECONDS)
        worker.hand_over(numbered(3 * MOST))
        answer = worker.submit(numbered(2))
        assert not worker.stop(0.01)
        sink.go_on.set()
    assert sink.flows == 3 * MOST + 1
    assert len(answer.result(0)) == 2
    assert not worker.running


def test_each_request_gets_its_own_verdicts(scorer: Scorer) -> None:
    sink = Sink()
    sink.go_on.clear()
    tables = [numbered(rows) for rows in (1, 7, 300)]
    wide = np.ones((3, len(IMPROVED_NAMES)))
    tables.append(FlowTable.from_features(wide, IMPROVED_NAMES, "improved"))
    tables.append(typical_table([5, 0], dialect="cic-2018"))
    with working(sink, scorer) as worker:
        worker.hand_over(numbered(1))
        assert sink.entered.wait(SECONDS)
        answers = [worker.submit(table) for table in tables]
        sink.go_on.set()
        for table, answer in zip(tables, answers, strict=True):
            assert (answer.result(SECONDS).p_attack == scorer.score(table).p_attack).all()
    assert worker.counters().requested == 313
    assert sink.flows == 1


def test_requests_go_first_and_then_turns_alternate(scorer: Scorer) -> None:
    sink = Sink()
    sink.go_on.clear()
    with working(sink, scorer) as worker:
        worker.hand_over(numbered(1))
        assert sink.entered.wait(SECONDS)
        for _ in range(3):
            worker.hand_over(numbered(MOST))
        delivered_before: list[int] = []
        for rows in (1, FEWEST, 1):
            answer = worker.submit(numbered(rows))
            answer.add_done_callback(lambda _: delivered_before.append(len(sink.delivered)))
        sink.go_on.set()
        answer.result(SECONDS)
        wait_until(lambda: sink.flows == 3 * MOST + 1)
    assert delivered_before == [1, 2, 3]
    assert [len(table) for table, _ in sink.delivered[1:3]] == [FEWEST, FEWEST]


def test_a_request_that_lacks_features_fails_alone(scorer: Scorer) -> None:
    sink = Sink()
    sink.go_on.clear()
    with working(sink, scorer) as worker:
        worker.hand_over(numbered(1))
        assert sink.entered.wait(SECONDS)
        lacking = worker.submit(FlowTable.from_features(np.ones((1, 75)), COMMON_NAMES[1:], "improved"))
        fine = worker.submit(numbered(1))
        sink.go_on.set()
        with pytest.raises(KeyError, match="flow_duration"):
            lacking.result(SECONDS)
        assert len(fine.result(SECONDS)) == 1
    assert worker.counters().restarts == 0


def test_requests_are_bounded_and_may_be_given_up(scorer: Scorer) -> None:
    sink = Sink()
    sink.go_on.clear()
    with working(sink, scorer, capacity=10) as worker:
        worker.hand_over(numbered(1))
        assert sink.entered.wait(SECONDS)
        given_up: Future[Verdicts] = worker.submit(numbered(25))
        small = worker.submit(numbered(5))
        with pytest.raises(queue.Full, match="30 flows wait to be scored"):
            worker.submit(numbered(1))
        assert given_up.cancel()
        sink.go_on.set()
        assert len(small.result(SECONDS)) == 5
        assert len(worker.submit(numbered(6)).result(SECONDS)) == 6
    assert worker.counters().requested == 11


def test_a_large_request_is_scored_in_pieces_of_one_model(scorer: Scorer) -> None:
    sink = Sink()
    sink.go_on.clear()
    table, rounds = numbered(20 * MOST), 30
    with working(sink, scorer, capacity=200) as worker:
        worker.hand_over(numbered(1))
        assert sink.entered.wait(SECONDS)
        large = worker.submit(table)
        small = [worker.submit(numbered(3)) for _ in range(2)]
        unfinished: list[bool] = []
        small[1].add_done_callback(lambda _: unfinished.append(not large.done()))
        sink.go_on.set()
        versions = []
        for number in range(rounds):
            worker.scorer = make_scorer(version=str(number))
            versions.append(worker.submit(numbered(2)).result(SECONDS).model_version)
        verdicts = large.result(SECONDS)
    assert versions == [str(number) for number in range(rounds)]
    assert (verdicts.p_attack == scorer.score(table).p_attack).all()
    assert unfinished == [True]
    assert worker.counters().requested == len(table) + 6 + 2 * rounds


def test_a_request_fails_whole_when_one_of_its_pieces_does(scorer: Scorer) -> None:
    sink = Sink()
    sink.go_on.clear()
    with working(sink, scorer) as worker:
        worker.hand_over(numbered(1))
        assert sink.entered.wait(SECONDS)
        broken = FailingScorer(scorer, fails_at=3)
        worker.scorer = broken
        answer = worker.submit(numbered(20 * MOST))
        sink.go_on.set()
        with pytest.raises(ArithmeticError, match="call 3"):
            answer.result(SECONDS)
        assert len(worker.submit(numbered(2)).result(SECONDS)) == 2
    assert broken.calls == 4
    assert worker.counters().restarts == 0


def test_requests_are_answered_under_endless_captures(scorer: Scorer) -> None:
    sink = Sink()
    stop = threading.Event()
    table = numbered(3000)

    def capture() -> None:
        while not stop.is_set():
            worker.hand_over(table)

    with working(sink, scorer) as worker:
        thread = threading.Thread(target=capture)
        thread.start()
        wait_until(lambda: worker.counters().shed)
        before = worker.counters().captured
        waited: list[int] = []
        for _ in range(50):
            turns = len(sink.delivered)
            assert len(worker.submit(numbered(2)).result(SECONDS)) == 2
            waited.append(len(sink.delivered) - turns)
        stop.set()
        thread.join(SECONDS)
        assert worker.counters().captured > before
    # One turn may be under way, another end before this thread looks again.
    assert sorted(waited)[len(waited) // 2] <= 3


def test_captures_are_scored_under_endless_requests(scorer: Scorer) -> None:
    sink = Sink()
    stop = threading.Event()
    answered: list[int] = []

    def ask() -> None:
        waiting: deque[Future[Verdicts]] = deque()
        while not stop.is_set():
            waiting.append(worker.submit(numbered(500)))
            if len(waiting) > 10:
                answered.append(len(waiting.popleft().result(SECONDS)))
        for answer in waiting:
            answer.result(SECONDS)

    with working(sink, scorer) as worker:
        threads = [threading.Thread(target=ask) for _ in range(2)]
        for thread in threads:
            thread.start()
        wait_until(lambda: answered)
        before = len(answered)
        worker.hand_over(numbered(20 * FEWEST))
        wait_until(lambda: sink.flows == 20 * FEWEST)
        wait_until(lambda: len(answered) > before)
        stop.set()
        for thread in threads:
            thread.join(SECONDS)
    assert max(len(table) for table, _ in sink.delivered) <= MOST


def test_requests_are_answered_while_captures_pause_after_a_failure(scorer: Scorer) -> None:
    sink = Sink()
    sink.failures = 1_000_000
    with working(sink, scorer) as worker:
        for _ in range(3):
            worker.hand_over(numbered(2))
            wait_until(lambda: worker.counters().waiting == 0)
            assert len(worker.submit(numbered(2)).result(SECONDS)) == 2
    assert worker.counters().failed == 6


def test_a_challenger_scores_what_has_its_verdict(scorer: Scorer) -> None:
    sink = Sink()
    challenger = make_scorer(version="2").with_threshold(1.0)
    with working(sink, scorer) as worker:
        worker.challenger = challenger
        worker.hand_over(typical_table([0, 5, 17]))
        worker.submit(typical_table([5])).result(SECONDS)
        wait_until(lambda: _compared(worker) == 4)
        status = worker.challenger_status()
        assert worker.challenger is challenger
        worker.challenger = None
        assert worker.challenger_status() is None
    assert status is not None
    assert (status.version, status.champion_version) == ("2", "1")
    assert sum(status.disagreements.values()) == 3
    assert {challenger for _, challenger in status.disagreements} == {"benign"}
    assert worker.counters().requested == 1


def test_a_challenger_that_fails_harms_nothing(scorer: Scorer, caplog: pytest.LogCaptureFixture) -> None:
    sink = Sink()
    with working(sink, scorer) as worker:
        worker.challenger = FailingScorer(make_scorer(version="2"), fails_at=None)
        for rows in (3, 4):
            worker.hand_over(numbered(rows))
            assert len(worker.submit(numbered(1)).result(SECONDS)) == 1
        wait_until(lambda: _skipped(worker).get("failed") == 9)
        status = worker.challenger_status()
    assert status is not None
    assert status.flows == 0
    assert status.error
    assert status.error.startswith("ArithmeticError: call ")
    assert worker.counters().restarts == 0
    assert sink.flows == 7
    assert caplog.text.count("the champion serves on") == 1


def _compared(worker: ScoringWorker) -> int:
    status = worker.challenger_status()
    return status.flows if status else 0


def _skipped(worker: ScoringWorker) -> dict[str, int]:
    status = worker.challenger_status()
    return status.skipped if status else {}


def test_flows_of_captures_get_a_second_opinion_and_those_of_requests_do_not(scorer: Scorer) -> None:
    sink, told = Sink(), []  # type: ignore[var-annotated]
    novelty = Novelty(lambda table, _: told.append(len(table)))
    novelty.detector = make_detector()
    with working(sink, scorer, novelty=novelty) as worker:
        worker.hand_over(typical_table([0, 5, 0]))
        worker.submit(typical_table([0] * 9)).result(SECONDS)
        wait_until(lambda: novelty.counts().looked_at == 2)
    assert (sink.flows, told) == (3, [2])


def test_the_model_changes_between_two_batches(scorer: Scorer) -> None:
    sink = Sink()
    sink.go_on.clear()
    with working(sink, scorer) as worker:
        worker.hand_over(numbered(1))
        assert sink.entered.wait(SECONDS)
        worker.hand_over(numbered(2))
        worker.scorer = make_scorer(version="2")
        sink.go_on.set()
    assert [verdicts.model_version for _, verdicts in sink.delivered] == ["1", "2"]


def test_a_model_the_sensor_cannot_serve_is_refused(scorer: Scorer, caplog: pytest.LogCaptureFixture) -> None:
    sink = Sink()
    icmp = make_scorer(make_record(names=(*COMMON_NAMES, "icmp_code")), version="2")
    with caplog.at_level(logging.WARNING), working(sink, scorer) as worker:
        worker.hand_over(typical_table([5, 5], dialect="cic-2018"))
        worker.hand_over(typical_table([0], dialect="cic-2018"))
        worker.hand_over(typical_table([5]))
        wait_until(lambda: worker.counters().waiting == 0)
        worker.scorer = icmp
        worker.hand_over(typical_table([5, 0, 0, 0]))
        wait_until(lambda: worker.counters().waiting == 0)
    assert worker.counters().refused == {"dialect": 3, "features": 4}
    assert sink.flows == 1
    assert worker.counters().restarts == 0
    assert [record.message for record in caplog.records] == [
        "model ml-ids version 1 reads dialect improved, the sensor measures cic-2018: "
        "captured flows get no verdict; serve another model",
        "model ml-ids version 2 reads features the sensor does not measure: icmp_code: "
        "captured flows get no verdict; serve another model",
    ]


def test_flows_of_another_dialect_are_scored_where_that_was_asked_for(
    scorer: Scorer, caplog: pytest.LogCaptureFixture
) -> None:
    sink = Sink()
    with caplog.at_level(logging.WARNING), working(sink, scorer, also_scored={PYTHON}) as worker:
        worker.hand_over(typical_table([5, 5], dialect=PYTHON))
        worker.hand_over(typical_table([5], dialect="cic-2018"))
        wait_until(lambda: worker.counters().waiting == 0)
        worker.hand_over(typical_table([5], dialect=PYTHON))
        wait_until(lambda: worker.counters().waiting == 0)
    assert sink.flows == 3
    assert worker.counters().refused == {"dialect": 1}
    assert [record.message for record in caplog.records if "as it was told to" in record.message] == [
        "model ml-ids version 1 reads dialect improved, the sensor measures python-cicflowmeter, "
        "as it was told to: verdicts are not what the model's card says"
    ]


def test_goes_on_after_a_failure(scorer: Scorer, caplog: pytest.LogCaptureFixture) -> None:
    sink = Sink()
    sink.failures = 2
    with working(sink, scorer) as worker:
        for rows in (3, 4):
            worker.hand_over(numbered(rows))
            wait_until(lambda: worker.counters().waiting == 0)
        worker.hand_over(numbered(5))
        wait_until(lambda: sink.flows == 5)
        assert len(worker.submit(numbered(1)).result(SECONDS)) == 1
        assert worker.running
    assert worker.counters().restarts == 2
    assert worker.counters().failed == 7
    assert worker.counters().captured == 5
    assert caplog.text.count("OSError: disk full") == 2


@contextmanager
def remote_champion(model: Gateway) -> Iterator[RemoteChampion]:
    endpoint = Endpoint("theirs", f"http://{model.address}/invocations", seconds=SECONDS, tries=1)
    remote = RemoteChampion(endpoint, threshold=0.5, probe_seconds=0.05)
    remote.start()
    try:
        wait_until(lambda: remote.answering)
        yield remote
    finally:
        remote.stop()


def test_captured_flows_are_the_remote_champions_while_it_answers(scorer: Scorer) -> None:
    sink = Sink()
    with (
        gateway(by_row(lambda _: 1.0)) as model,
        remote_champion(model) as remote,
        working(sink, scorer, remote=remote) as worker,
    ):
        worker.hand_over(typical_table([0]))
        wait_until(lambda: sink.flows == 1)
        model.answer = status(500)
        worker.hand_over(typical_table([0]))
        wait_until(lambda: sink.flows == 2)
        assert worker.submit(typical_table([0])).result(SECONDS).model_name == "ml-ids"
        wait_until(lambda: worker.counters().waiting == 0)
        counters = worker.counters()
    names = [verdicts.model_name for _, verdicts in sink.delivered]
    assert names == ["theirs", "ml-ids"]
    assert (counters.handed_over, counters.captured, counters.attacks, counters.waiting) == (2, 2, 1, 0)


def test_captured_flows_that_only_a_remote_champion_could_judge_wait_for_it() -> None:
    sink = Sink()
    well = by_row(lambda _: 0.0)
    with (
        gateway(well) as model,
        remote_champion(model) as remote,
        working(sink, None, remote=remote) as worker,
    ):
        model.answer = status(500)
        worker.hand_over(typical_table([0, 5]))
        wait_until(lambda: not remote.answering)
        worker.hand_over(typical_table([17]))
        assert worker.counters().waiting == 3
        model.answer = well
        wait_until(lambda: worker.counters().waiting == 0)
        counters = worker.counters()
    durations = concat_tables([table for table, _ in sink.delivered]).features[:, 0].tolist()
    assert durations == typical_table([0, 5, 17]).features[:, 0].tolist()
    assert (counters.captured, counters.failed, counters.waiting) == (3, 0, 0)


def test_a_remote_champion_that_refuses_flows_it_alone_could_judge_is_asked_again_in_a_while() -> None:
    sink = Sink()
    well = by_row(lambda _: 0.0)
    with (
        gateway(well) as model,
        remote_champion(model) as remote,
        working(sink, None, remote=remote) as worker,
    ):
        model.answer = status(400)
        asked = len(model.requests)
        began = time.monotonic()
        worker.hand_over(typical_table([0]))
        wait_until(lambda: len(model.requests) >= asked + 3)
        assert time.monotonic() - began >= 2 * REMOTE_SECONDS
        assert worker.counters().waiting == 1
        model.answer = well
        wait_until(lambda: worker.counters().captured == 1)
        model.answer = status(400)
        worker.hand_over(typical_table([0]))
        assert worker.stop(SECONDS)
    counters = worker.counters()
    assert (counters.handed_over, counters.captured, counters.shed, counters.waiting) == (2, 1, 1, 0)


def test_insufficient_flows_are_counted(scorer: Scorer) -> None:
    sink = Sink()
    table = typical_table([5, 5, 0])
    table.features[0, table.feature_names.index("flow_duration")] = 0
    with working(sink, scorer) as worker:
        worker.hand_over(table)
    assert (worker.counters().attacks, worker.counters().insufficient) == (1, 1)


def test_many_captures_and_requests_at_once(scorer: Scorer) -> None:
    sink = Sink()
    with working(sink, scorer, capacity=1000) as worker:
        shed: list[int] = []
        answered: list[int] = []

        def capture(seed: int) -> None:
            random = np.random.default_rng(seed)
            shed.extend(worker.hand_over(numbered(int(random.integers(1, 200)))) for _ in range(50))

        def ask() -> None:
            answered.extend(len(worker.submit(numbered(2)).result(SECONDS)) for _ in range(50))

        threads = [threading.Thread(target=capture, args=(seed,)) for seed in range(3)]
        threads += [threading.Thread(target=ask) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(SECONDS)
    counters = worker.counters()
    assert answered == [2] * 100
    assert counters.requested == 200
    assert counters.shed == sum(shed)
    assert sink.flows == counters.captured
