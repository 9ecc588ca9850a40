from __future__ import annotations

import pytest

from flows.dialects import DIALECTS, known_dialect


def test_known_dialects_pass():
    assert [known_dialect(name) for name in DIALECTS] == list(DIALECTS)


def test_a_misspelt_dialect_names_the_right_ones():
    with pytest.raises(ValueError, match=r"unknown dialect 'cicflowmeter': use one of .*python-cicflowmeter"):
        known_dialect("cicflowmeter")
