from __future__ import annotations

from inference_server.dashboard.charts import BLUE, RED, bars_over_time, contributions, over_time


def test_what_moves_towards_an_attack_is_red_and_the_bars_have_room() -> None:
    made = contributions([("a = 1", 0.5), ("b = 2", -0.25)])
    bars = made["series"][0]["data"]
    assert [bar["itemStyle"]["color"] for bar in bars] == [RED, BLUE]
    assert made["xAxis"]["max"] == -made["xAxis"]["min"] > 0.5
    assert made["yAxis"]["data"] == ["a = 1", "b = 2"]


def test_bars_are_stacked_over_the_whole_span() -> None:
    made = bars_over_time([("High", RED, [["t", 1]]), ("Low", BLUE, [["t", 2]])], ("since", "until"))
    assert {layer["stack"] for layer in made["series"]} == {"all"}
    assert (made["xAxis"]["min"], made["xAxis"]["max"]) == ("since", "until")


def test_a_single_point_can_be_seen() -> None:
    assert over_time([("a", BLUE, [[0.0, 1.0]])])["series"][0]["showSymbol"]
    assert not over_time([("a", BLUE, [[0.0, 1.0], [1.0, 1.0]])])["series"][0]["showSymbol"]
