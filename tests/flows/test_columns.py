from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.columns import _BY_KEY, _EXACT, METADATA, canonical
from flows.schema import FEATURES


def test_every_set_s_spelling_of_a_feature_is_its_alias():
    for feature in FEATURES:
        for spelling in (
            feature.cic_2017,
            feature.cic_2018,
            feature.cic_v4,
            feature.python_key,
            feature.name,
        ):
            if spelling:
                assert canonical(spelling) == feature.name


def test_no_tolerant_spelling_means_two_things():
    keys: dict[str, set[str]] = {}
    for spelling, name in _EXACT.items():
        keys.setdefault("".join(c if c.isalnum() else "_" for c in spelling.lower()), set()).add(name)
    assert all(len(names) == 1 for names in keys.values())
    assert len(_BY_KEY) > len(FEATURES)


@pytest.mark.parametrize(
    ("spelling", "name"),
    [
        ("Source IP", "src_ip"),
        ("Src IP", "src_ip"),
        ("src_ip", "src_ip"),
        (" Destination Port", "dst_port"),
        ("\ufeff Destination Port", "dst_port"),
        ("ï»¿Destination Port", "dst_port"),
        ("Dst Port", "dst_port"),
        ("PROTOCOL", "protocol"),
        ("Timestamp", "timestamp"),
        ("Label", "label"),
        ("Flow ID", "flow_id"),
        ("cwr_flag_count", "cwe_flag_count"),
        ("CWR Flag Count", "cwe_flag_count"),
        ("Fwd Header Length.1", "fwd_header_len"),
        (" Fwd Header Length ", "fwd_header_len"),
        ("init_win_bytes_forward", "init_fwd_win_byts"),
        ("flow_bytes_s", "flow_byts_s"),
        ("Total TCP Flow Time", "total_tcp_flow_time"),
    ],
)
def test_known_spellings(spelling, name):
    assert canonical(spelling) == name


@pytest.mark.parametrize(
    "spelling", ["", "id", "Attempted Category", "Fwd Header Length.2", "flow", "x" * 10_000]
)
def test_other_columns_are_unknown(spelling):
    assert canonical(spelling) is None


@given(
    st.sampled_from(sorted(_EXACT)),
    st.sampled_from(["", " ", "\ufeff", "\t", "\ufeff  "]),
    st.sampled_from([str.lower, str.upper, str.title, str]),
)
def test_blanks_byte_order_mark_and_case_do_not_matter(spelling, before, recase):
    assert canonical(before + recase(spelling) + "  ") == _EXACT[spelling]


def test_metadata_is_no_feature():
    assert not {feature.name for feature in FEATURES} & METADATA.keys()
