from __future__ import annotations

import socket
import time
from collections.abc import Iterator

import pytest

from capture import packet_filter
from capture.interfaces import may_capture
from capture.options import CaptureOptions
from capture.packet_filter import attach, compile_filter
from capture.ring import PacketRing
from capture.rules import LiveRules
from capture.sidecar import Sidecar


@pytest.fixture
def _permitted() -> None:
    if not may_capture():
        pytest.skip("capturing is not permitted here")


@pytest.fixture
def _without_libpcap(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    packet_filter._libpcap.cache_clear()
    monkeypatch.setattr(packet_filter, "LIBRARIES", ("libnosuch.so.1",))
    yield
    packet_filter._libpcap.cache_clear()


@pytest.mark.usefixtures("_permitted")
def test_a_wrong_filter_is_named_with_libpcaps_reason() -> None:
    with pytest.raises(ValueError, match=r"CAPTURE_FILTER='tcp prot 80': .*syntax error.*pcap-filter\(7\)"):
        compile_filter("tcp prot 80", "lo")


@pytest.mark.usefixtures("_permitted")
def test_a_program_ends_with_taking_whole_packets() -> None:
    program = compile_filter("udp", "lo")
    assert (packet_filter.RETURN, 0, 0, 262_144) in program
    assert program[-1][0] == packet_filter.RETURN


@pytest.mark.usefixtures("_permitted")
def test_a_program_too_long_for_the_kernel_is_refused_in_words() -> None:
    with (
        socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as packet_socket,
        pytest.raises(ValueError, match="CAPTURE_FILTER is too long: 5000 instructions, 4096"),
    ):
        attach(packet_socket, [(packet_filter.RETURN, 0, 0, 0)] * 5000)


@pytest.mark.usefixtures("_permitted", "_without_libpcap")
def test_without_libpcap_only_a_filter_fails() -> None:
    with PacketRing("lo"):
        pass
    with pytest.raises(ValueError, match=r"CAPTURE_FILTER needs libpcap.*apt-get install libpcap0\.8"):
        PacketRing("lo", CaptureOptions(packet_filter="tcp"))


@pytest.mark.usefixtures("_permitted")
def test_a_wrong_filter_keeps_the_capture_down_and_says_so() -> None:
    options = CaptureOptions(packet_filter="nonsense of all kinds")
    sidecar = Sidecar(["lo"], lambda table: 0, sensor="t", rules=LiveRules(), options=options)
    sidecar.start()
    deadline = time.monotonic() + 120
    while sidecar.status()[0].restarts < 1 and time.monotonic() < deadline:
        time.sleep(0.1)
    status = sidecar.status()[0]
    sidecar.stop(10)
    assert not status.running
    assert status.error is not None
    assert "CAPTURE_FILTER='nonsense of all kinds'" in status.error
