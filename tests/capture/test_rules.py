from __future__ import annotations

import pytest

from capture.rules import LiveRules


@pytest.mark.parametrize("times", [{"linger_seconds": 0}, {"idle_seconds": -1}, {"idle_seconds": 121}])
def test_times_that_make_no_sense_are_refused(times: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="idle_seconds must"):
        LiveRules(**times)
