from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from starlette.responses import JSONResponse, PlainTextResponse, Response

from helpers.central import Central, central_service
from helpers.flows import assert_same_table
from helpers.sensors import captured_table
from helpers.server import wait_until
from helpers.tools import free_port
from inference_server.central.scoring import CentralScoring
from inference_server.live_capture import CaptureStatus
from inference_server.settings import load_settings

Start = Callable[..., Any]


@pytest.fixture
def central() -> Iterator[Central]:
    with central_service() as running:
        yield running


@pytest.fixture
def start(tmp_path: Path) -> Start:
    """Run a sensor's part; its spool stays from one start to the next."""

    @contextmanager
    def running(url: str, **settings: Any) -> Iterator[CentralScoring]:
        given = load_settings(remote_scoring_url=url, state_dir=tmp_path, sensor_id="edge-1", **settings)
        remote = CentralScoring(given, url, lambda: CaptureStatus(True, None, ()))
        remote.start()
        try:
            yield remote
        finally:
            remote.stop(3)

    return running


def assert_identities(remote: CentralScoring) -> None:
    status = remote.status()
    assert status.handed_over == status.waiting + sum(status.lost.values()) + status.spooled
    assert status.spooled == status.pending + status.delivered + sum(status.dropped.values())


def test_flows_arrive_as_they_were_captured(central: Central, start: Start) -> None:
    first, second = captured_table([0, 5, 17]), captured_table([5], first_uid=3)
    with start(central.url, remote_scoring_key="hush") as remote:
        assert remote.put(first) == remote.put(second) == 0
        wait_until(lambda: remote.status().delivered == 4)
        assert_identities(remote)
        wait_until(lambda: central.reports)
        assert remote.status().error is None
    ((stream, seq, table),) = central.batches
    assert (len(stream), seq, central.keys) == (32, 1, {"hush"})
    assert_same_table(table.take(slice(0, 3)), first)
    assert central.reports[0]["sensor"] == "edge-1"


def test_flows_of_unlike_kinds_go_in_batches_of_their_own(central: Central, start: Start) -> None:
    with start(central.url) as remote:
        for number in range(3):
            remote.put(captured_table([0] * 3000, first_uid=3000 * number))
        wait_until(lambda: remote.status().delivered == 9000)
    assert sorted(len(table) for _, _, table in central.batches)[-1] <= 4096
    assert central.flows == list(range(9000))


@pytest.mark.parametrize(
    ("answer", "pressed"),
    [
        (JSONResponse({}, 503, {"Retry-After": "1"}), True),
        (JSONResponse({}, 429), True),
        (PlainTextResponse("defect", 500), False),
        (PlainTextResponse("not a central service", 200), False),
        (JSONResponse({"detail": "API key not accepted"}, 401), False),
    ],
)
def test_what_is_not_taken_is_sent_again_and_counted(
    central: Central, start: Start, answer: Response, pressed: bool
) -> None:
    central.answers.append(answer)
    with start(central.url) as remote:
        remote.put(captured_table([0, 5]))
        remote.put(captured_table([5], first_uid=2))
        wait_until(lambda: remote.status().delivered == 3)
        status = remote.status()
        assert (status.failures, status.back_pressure, status.error) == (1, int(pressed), None)
        assert_identities(remote)
    assert central.flows == [0, 1, 2]


def test_what_can_never_be_taken_holds_nothing_up(central: Central, start: Start) -> None:
    central.answers.append(JSONResponse({"detail": "no batch"}, 422))
    with start(central.url) as remote:
        remote.put(captured_table([0, 5]))
        wait_until(lambda: remote.status().dropped == {"rejected": 2})
        remote.put(captured_table([5], first_uid=2))
        wait_until(lambda: remote.status().delivered == 1)
        assert_identities(remote)
    assert central.flows == [2]


def test_what_could_not_be_sent_waits_on_disk_for_the_next_start(central: Central, start: Start) -> None:
    nowhere = f"http://127.0.0.1:{free_port()}"
    for number in range(2):
        with start(nowhere) as remote:
            remote.put(captured_table([0, 5], first_uid=2 * number))
            wait_until(lambda: remote.status().error)
    with start(central.url) as remote:
        wait_until(lambda: remote.status().delivered == 4)
        assert_identities_over_starts(remote)
    assert [(seq, len(table)) for _, seq, table in central.batches] == [(1, 2), (2, 2)]
    assert central.flows == [0, 1, 2, 3]
    assert len({stream for stream, _, _ in central.batches}) == 1


def assert_identities_over_starts(remote: CentralScoring) -> None:
    status = remote.status()
    assert status.spooled == status.pending + status.delivered == 4


def test_a_stop_sends_what_has_just_come(central: Central, start: Start) -> None:
    with start(central.url) as remote:
        wait_until(lambda: central.reports)
        remote.put(captured_table([0, 5]))
    assert central.flows == [0, 1]
    assert remote.put(captured_table([0])) == 1
    assert remote.status().lost == {"stopped": 1}


def test_the_central_model_decides_whether_context_is_measured(central: Central, start: Start) -> None:
    central.host_context = True
    with start(central.url) as remote:
        wait_until(remote.host_context)


def test_a_damaged_spool_is_set_aside_and_another_stream_begun(
    central: Central, start: Start, tmp_path: Path
) -> None:
    with start(central.url) as remote:
        remote.put(captured_table([0]))
    (tmp_path / "spool.db").write_bytes(b"no database" * 1000)
    with start(central.url) as remote:
        remote.put(captured_table([0], first_uid=1))
        wait_until(lambda: remote.status().delivered == 1)
        assert "set aside" in remote.status().notes[0]
    assert [seq for _, seq, _ in central.batches] == [1, 1]
    assert len({stream for stream, _, _ in central.batches}) == 2
