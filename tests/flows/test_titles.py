from __future__ import annotations

from flows.schema import COMMON, COMMON_NAMES
from flows.titles import KEPT_CHARACTERS, KEPT_COLUMNS, read_titles


def test_columns_are_found_in_any_spelling_and_order() -> None:
    names = tuple(feature.cic_2017 for feature in reversed(COMMON))
    titles = read_titles(names, COMMON_NAMES)
    assert (titles.missing, titles.repeated, titles.unknown) == ((), (), ())
    assert titles.features == tuple(reversed(range(len(COMMON))))


def test_columns_of_one_name_are_pairs() -> None:
    titles = read_titles(("idle_min", "Idle Min", "Src IP", "idle_min", "src_ip"), ("idle_min",))
    assert titles.repeated == ((0, 1), (0, 3), (2, 4))
    assert titles.metadata == {"src_ip": 2}


def test_what_is_missing_and_what_is_unknown() -> None:
    titles = read_titles(("weather", "idle_min", "weather"), ("idle_min", "idle_max"))
    assert (titles.missing, titles.unknown, titles.features) == (("idle_max",), ("weather",), ())


def test_a_models_own_feature_is_found_as_it_spells_it() -> None:
    assert read_titles(("num_failed_logins",), ("num_failed_logins",)).features == (0,)


def test_only_small_lists_are_kept() -> None:
    for names, kept in (
        (("idle_min", "a"), True),
        (("idle_min", "a" * 65), True),
        (("idle_min", "a" * KEPT_CHARACTERS), False),
        (tuple(map(str, range(KEPT_COLUMNS + 1))), False),
    ):
        first, second = (read_titles(names, ("idle_min",)) for _ in range(2))
        assert first == second
        assert (first is second) == kept
