from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.addresses import MAPPED_PREFIX, UNKNOWN, address_text, pack_address


@given(st.ip_addresses(v=4))
def test_ipv4_is_mapped_and_comes_back(address):
    packed = pack_address(f" {address} ")
    assert packed == MAPPED_PREFIX + address.packed
    assert address_text(packed) == str(address)


@given(st.ip_addresses(v=6))
def test_16_bytes_come_back_whatever_they_are(address):
    text = address_text(address.packed)
    assert (UNKNOWN if text is None else pack_address(text)) == address.packed


def test_unknown_has_no_text_but_the_any_address_of_ipv4_has():
    assert address_text(UNKNOWN) is None
    assert address_text(pack_address("0.0.0.0")) == "0.0.0.0"


@pytest.mark.parametrize("text", ["", "host", "1.2.3", "1.2.3.256", "::1::"])
def test_what_is_no_address_is_refused(text):
    with pytest.raises(ValueError, match="does not appear to be"):
        pack_address(text)
