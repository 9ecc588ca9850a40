from __future__ import annotations

import pytest

from flows.schema import (
    BY_NAME,
    COMMON,
    COMMON_NAMES,
    FEATURES,
    IMPROVED_2024_NAMES,
    IMPROVED_NAMES,
    schema_id,
)
from helpers.flows import EXAMPLE


def test_76_common_features_and_those_of_the_improved_dialects():
    assert (len(COMMON_NAMES), len(IMPROVED_NAMES), len(IMPROVED_2024_NAMES), len(BY_NAME)) == (
        76,
        81,
        86,
        87,
    )
    assert IMPROVED_NAMES[:76] == IMPROVED_2024_NAMES[:76] == COMMON_NAMES
    assert set(EXAMPLE) == set(IMPROVED_NAMES)


def test_every_common_feature_has_every_set_s_spelling():
    for feature in COMMON:
        assert feature.cic_2017
        assert feature.cic_2018
        assert feature.cic_v4
        assert feature.formula


@pytest.mark.parametrize("spelling", ["name", "cic_2018", "python_key"])
def test_a_spelling_names_one_feature(spelling):
    assert len({getattr(feature, spelling) for feature in COMMON}) == 76


def test_python_cicflowmeter_differs_in_one_name_and_in_the_times():
    assert [feature.name for feature in FEATURES if feature.python_key != feature.name] == ["cwe_flag_count"]
    times = [feature.name for feature in COMMON if feature.seconds_in_python]
    assert len(times) == 23
    assert all(name.startswith(("flow_duration", "active", "idle")) or "_iat_" in name for name in times)


def test_the_id_depends_on_features_and_order():
    assert schema_id(COMMON_NAMES) == schema_id(tuple(COMMON_NAMES))
    ids = {schema_id(names) for names in (COMMON_NAMES, IMPROVED_NAMES, COMMON_NAMES[::-1])}
    assert len(ids) == 3
    assert len({schema_id(names) for names in (("src_bytes", "count"), ("count", "src_bytes"))}) == 2
