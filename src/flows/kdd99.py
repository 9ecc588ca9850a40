"""Connections of the KDD Cup 1999, as the clients of lueasf/AttacksDetector send them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from flows.numbers import number

FEATURES: Final = (
    *("duration", "protocol_type", "flag", "src_bytes", "dst_bytes", "land", "wrong_fragment", "urgent"),
    *("hot", "num_failed_logins", "logged_in", "num_compromised", "root_shell", "su_attempted"),
    *("num_file_creations", "num_shells", "num_access_files", "is_guest_login", "count", "srv_count"),
    *("serror_rate", "rerror_rate", "same_srv_rate", "diff_srv_rate", "srv_diff_host_rate"),
    *("dst_host_count", "dst_host_srv_count", "dst_host_same_srv_rate", "dst_host_diff_srv_rate"),
    *("dst_host_same_src_port_rate", "dst_host_srv_diff_host_rate"),
)
"""What models read, in their order. `time`, the number of the row it once was, tells the training set's
attacks apart, and nothing else: no model reads it."""
PROTOCOLS: Final = {"icmp": 0, "tcp": 1, "udp": 2}
FLAGS: Final = {
    **{"SF": 0, "S0": 1, "REJ": 2, "RSTR": 3, "RSTO": 4, "SH": 5, "S1": 6, "S2": 7, "RSTOS0": 8, "S3": 9},
    "OTH": 10,
}
CODES: Final = {"protocol_type": PROTOCOLS, "flag": FLAGS}
CATEGORIES: Final = {0: "normal", 22: "dos", 30: "probe", 31: "r2l", 32: "u2r"}
"""What the clients call the classes of the label table."""


def is_connection(record: Mapping[str, object]) -> bool:
    """Whether an object is such a connection: most of its keys are these features' names."""
    return 2 * sum(name in record for name in FEATURES) > len(record)


def features_of(record: Mapping[str, object]) -> NDArray[np.float64]:
    """Return the 31 features, whatever the order of the keys; others are not looked at.

    Raises:
        ValueError: some are missing, or a value is none; names them.
    """
    if missing := [name for name in FEATURES if name not in record]:
        raise ValueError(f"Missing feature: {', '.join(missing)}")
    return np.array([_value(name, record[name]) for name in FEATURES])


def _value(name: str, value: object) -> float:
    codes = CODES.get(name)
    if codes is not None and isinstance(value, str):
        known = {text.lower(): code for text, code in codes.items()}
        if value.lower() not in known:
            raise ValueError(f"{name} {value[:32]!r} is none of {', '.join(codes)}")
        return float(known[value.lower()])
    found = number(value)
    if found is None or not np.isfinite(found):
        raise ValueError(f"Not numeric: {name}")
    if codes is not None and found not in codes.values():
        raise ValueError(f"{name} {found:g} is none of {', '.join(codes)}")
    return found
