from __future__ import annotations

import logging
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from helpers.command import running
from helpers.server import wait_until
from inference_server.supervisor import READY, STOPPING, tell_supervisor


@pytest.fixture
def supervisor(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind(str(tmp_path / "notify"))
        receiver.settimeout(60)
        yield receiver


def test_the_service_says_when_it_is_up_and_when_it_stops(
    supervisor: socket.socket, tmp_path: Path, champion_state: Path
) -> None:
    environment = {
        "NOTIFY_SOCKET": str(tmp_path / "notify"),
        "STATE_DIR": str(champion_state),
        "START_CICFLOWMETER": "false",
        "DEMO": "0",
    }
    with running(["ml-ids", "serve", "--port", "0"], tmp_path, **environment) as service:
        assert supervisor.recv(100).decode() == READY
        wait_until(service.ready)
        service.stop(signal.SIGTERM)
        assert supervisor.recv(100).decode() == STOPPING


def test_an_abstract_socket_is_told_too(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind("\0ml-ids-test-notify")
        receiver.settimeout(10)
        monkeypatch.setenv("NOTIFY_SOCKET", "@ml-ids-test-notify")
        tell_supervisor(READY)
        assert receiver.recv(100).decode() == READY


def test_without_a_supervisor_nothing_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    tell_supervisor(READY)


def test_a_supervisor_that_is_gone_is_said(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "gone"))
    with caplog.at_level(logging.WARNING):
        tell_supervisor(READY)
    assert "NOTIFY_SOCKET: " in caplog.text
