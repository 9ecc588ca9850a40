from __future__ import annotations

import logging
import socket
from pathlib import Path

import pytest

from flows.table import FlowTable
from inference_server import live_capture
from inference_server.container import CONTAINER_VARIABLE
from inference_server.live_capture import LiveCapture, live_rules, permission_hint
from inference_server.settings import Settings


def _hand_over(table: FlowTable) -> int:
    return 0


def test_capture_that_is_not_wanted() -> None:
    capture = LiveCapture(Settings(start_cicflowmeter="false", cic_interface="lo"), _hand_over)
    capture.start()
    status = capture.status()
    assert (status.enabled, status.error, status.interfaces) == (False, None, ())
    capture.stop(1)


def test_without_permission_one_line_says_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(live_capture, "may_capture", lambda: False)
    capture = LiveCapture(Settings(cic_interface="lo"), _hand_over)
    with caplog.at_level(logging.WARNING):
        capture.start()
    capture.stop(1)
    (record,) = caplog.records
    assert "sudo setcap cap_net_raw+ep /" in record.getMessage()
    assert capture.status().error == permission_hint()


def test_in_a_container_the_capability_is_the_engines_to_give(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(CONTAINER_VARIABLE, "1")
    assert permission_hint().startswith("not permitted. Run the container with --cap-add NET_RAW;")


def test_without_a_default_route_the_interface_must_be_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_capture, "may_capture", lambda: True)
    monkeypatch.setattr(live_capture, "default_interface", lambda: None)
    assert "CIC_INTERFACE" in str(LiveCapture(Settings(), _hand_over).status().error)


def test_interfaces_are_those_of_the_settings() -> None:
    if not live_capture.may_capture():
        pytest.skip("capturing is not permitted here")
    names = [name for _, name in socket.if_nameindex()][:2]
    capture = LiveCapture(Settings(cic_interface=",".join(names)), _hand_over)
    assert [status.interface for status in capture.status().interfaces] == names


def test_the_extractor_of_pypi_must_be_installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(live_capture, "may_capture", lambda: True)
    settings = Settings(capture_extractor="cicflowmeter", state_dir=tmp_path, cic_interface="lo")
    status = LiveCapture(settings, _hand_over).status()
    assert status.error == (
        f"the environment of PyPI cicflowmeter, {tmp_path}/tools/cicflowmeter, is not there: "
        "run ml-ids setup-extractor"
    )
    assert status.dialect == "python-cicflowmeter"


def test_rules_are_those_of_the_settings() -> None:
    rules = live_rules(Settings(close_linger=1.5, capture_idle_seconds=30))
    assert (rules.linger_seconds, rules.idle_seconds) == (1.5, 30)
