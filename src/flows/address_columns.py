"""Whole columns of addresses: IPv4 by octets, every other distinct one once."""

from __future__ import annotations

from functools import cache
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from flows.addresses import MAPPED_PREFIX, UNKNOWN, address_text, pack_address

_MAPPED: Final = np.frombuffer(MAPPED_PREFIX, np.uint8)


def packed_addresses(texts: pa.Array) -> NDArray[np.uint8]:
    """Return n texts as n x 16 bytes, zero where a text is no address."""
    encoded = pc.dictionary_encode(pc.fill_null(texts, ""))
    packed = b"".join(_packed(text) for text in encoded.dictionary.to_pylist())
    rows: NDArray[np.uint8] = np.frombuffer(packed, np.uint8).reshape(-1, 16)[encoded.indices.to_numpy()]
    return rows


def _packed(text: str) -> bytes:
    try:
        return pack_address(text)
    except ValueError:
        return UNKNOWN


def address_texts(packed: NDArray[np.uint8]) -> pa.Array:
    """Return n x 16 bytes as n strings, null where unknown."""
    is_ipv4 = (packed[:, :12] == _MAPPED).all(axis=1)
    octets = [_octets().take(pa.array(np.ascontiguousarray(packed[:, 12 + at]))) for at in range(4)]
    texts = pc.binary_join_element_wise(*octets, ".")
    return texts if is_ipv4.all() else pc.if_else(pa.array(is_ipv4), texts, _each_text(packed))


@cache
def _octets() -> pa.Array:
    # Not made on import: Arrow's first array imports pandas where that is installed.
    return pa.array([str(octet) for octet in range(256)])


def _each_text(packed: NDArray[np.uint8]) -> pa.Array:
    rows = pa.py_buffer(np.ascontiguousarray(packed))
    encoded = pc.dictionary_encode(
        pa.FixedSizeBinaryArray.from_buffers(pa.binary(16), len(packed), [None, rows])
    )
    texts = [address_text(address) for address in encoded.dictionary.to_pylist()]
    return pa.array(texts, pa.string()).take(encoded.indices)
