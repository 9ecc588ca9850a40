from __future__ import annotations

import os
import signal
import threading

import pytest

from clients.attack_consumer.interruption import Interruption


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_waiting_ends_at_once(number: signal.Signals) -> None:
    interruption = Interruption()
    with interruption.handling_signals():
        timer = threading.Timer(0.1, lambda: os.kill(os.getpid(), number))
        timer.start()
        interruption.sleep(600)
        timer.join()
    assert interruption.requested


def test_what_is_being_handled_is_finished_unless_asked_twice() -> None:
    interruption = Interruption()
    with interruption.handling_signals():
        signal.raise_signal(signal.SIGINT)
        assert interruption.requested
        assert interruption.wait_for(lambda: 1) is None
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)


def test_handlers_are_put_back() -> None:
    before = signal.getsignal(signal.SIGINT)
    with Interruption().handling_signals():
        assert signal.getsignal(signal.SIGINT) != before
    assert signal.getsignal(signal.SIGINT) == before


def test_a_result_is_passed_on() -> None:
    assert Interruption().wait_for(lambda: 7) == 7
