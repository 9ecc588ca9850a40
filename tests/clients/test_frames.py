from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from clients.frames import printable


@given(st.text())
def test_what_is_printable_stays_and_the_rest_becomes_so(text: str) -> None:
    shown = printable(text)
    assert shown.isprintable()
    assert (shown == text) == text.isprintable()
