from __future__ import annotations

import time

from alerting.clock import SYSTEM_CLOCK


def test_the_systems_clocks():
    before = SYSTEM_CLOCK.monotonic()
    assert SYSTEM_CLOCK.monotonic() >= before
    assert abs(SYSTEM_CLOCK.wall_us() / 1e6 - time.time()) < 60
