from __future__ import annotations

import ipaddress

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from flows.address_columns import address_texts, packed_addresses
from flows.addresses import pack_address


@given(st.lists(st.one_of(st.ip_addresses().map(str), st.sampled_from(["", "host", "1.2.3", None]))))
def test_columns_are_converted_like_single_addresses(texts):
    packed = packed_addresses(pa.array(texts, pa.string()))
    assert packed.shape == (len(texts), 16)
    for row, text in zip(packed, texts, strict=True):
        try:
            ipaddress.ip_address(text)
        except ValueError:
            assert not row.any()
        else:
            assert row.tobytes() == pack_address(text)
    assert (packed_addresses(address_texts(packed)) == packed).all()


def test_unknown_addresses_are_null():
    assert address_texts(np.zeros((2, 16), np.uint8)).to_pylist() == [None, None]
