from __future__ import annotations

import pytest

from capture.extractors.defects import _BOTH, _BY_RELEASE, known_defects, reason
from capture.extractors.environment import RELEASES
from flows.schema import COMMON_NAMES


@pytest.mark.parametrize("release", RELEASES)
def test_reasons_are_about_features_that_there_are(release: str) -> None:
    assert set(_BOTH) | set(_BY_RELEASE[release]) <= set(COMMON_NAMES)


def test_releases_have_their_own() -> None:
    assert any("counted twice" in defect for defect in known_defects("0.5.0"))
    assert not any("counted twice" in defect for defect in known_defects("0.2.0"))
    assert reason("active_mean", "0.5.0") == "always 0"
    assert reason("tot_bwd_pkts", "0.5.0") == ""
