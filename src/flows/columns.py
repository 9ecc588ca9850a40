"""Column names: one alias map from every data set's spelling to the canonical name."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from flows.schema import FEATURES

METADATA: Final[dict[str, tuple[str, ...]]] = {
    "flow_id": ("Flow ID",),
    "src_ip": ("Source IP", "Src IP"),
    "src_port": ("Source Port", "Src Port"),
    "dst_ip": ("Destination IP", "Dst IP"),
    "dst_port": ("Destination Port", "Dst Port"),
    "protocol": ("Protocol",),
    "timestamp": ("Timestamp",),
    "label": ("Label",),
}

# The 2017 files hold this column twice; pandas names the second one so.
DUPLICATED: Final = "fwd_header_len"
DUPLICATE_TITLE: Final = "Fwd Header Length.1"

LONGEST_SPELLING: Final = 64


def _key(spelling: str) -> str:
    # Also what people make of the titles: lower case, every other character an underscore.
    return re.sub(r"[^0-9a-z]+", "_", spelling.lower()).strip("_")


def _spellings() -> Iterable[tuple[str, str]]:
    for feature in FEATURES:
        for spelling in (
            feature.cic_2017,
            feature.cic_2018,
            feature.cic_v4,
            feature.python_key,
            feature.name,
        ):
            if spelling:
                yield spelling, feature.name
    yield DUPLICATE_TITLE, DUPLICATED
    for name, spellings in METADATA.items():
        yield name, name
        for spelling in spellings:
            yield spelling, name


_EXACT: Final[dict[str, str]] = dict(_spellings())
_BY_KEY: Final[dict[str, str]] = {_key(spelling): name for spelling, name in _EXACT.items()}


def canonical(spelling: str) -> str | None:
    """Return the canonical name of a feature or metadata column, None when no set spells one so.

    Case, a byte order mark, surrounding blanks and the characters between words do not matter.
    """
    name = _EXACT.get(spelling)
    if name is None and len(spelling) <= LONGEST_SPELLING:
        name = _BY_KEY.get(_key(spelling))
    return name
