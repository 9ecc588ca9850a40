"""Charts over time and of features, for ECharts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from inference_server.dashboard.history import Sample, series

LINE: Final = "rgba(128,140,160,0.25)"
AXIS: Final = {
    "axisLine": {"lineStyle": {"color": LINE}},
    "axisTick": {"show": False},
    "splitLine": {"lineStyle": {"color": LINE}},
}
FONT: Final = {"fontFamily": 'system-ui, -apple-system, "Segoe UI", Roboto, Arial, sans-serif'}
BLUE: Final = "#3b82f6"
RED: Final = "#dc2f40"
AMBER: Final = "#d98b1d"
LEGEND: Final = {
    "top": 0,
    "left": 0,
    "itemWidth": 14,
    "itemHeight": 8,
    "itemGap": 18,
    "icon": "roundRect",
}
TIP: Final = {
    "trigger": "axis",
    "renderMode": "html",
    "confine": True,
    "backgroundColor": "#111a2b",
    "borderWidth": 0,
    "textStyle": {"color": "#fff", "fontSize": 12},
}


def over_time(lines: Sequence[tuple[str, str, list[list[float]]]], *, filled: bool = True) -> dict[str, Any]:
    """Return the options of a chart of `(name, colour, [[milliseconds, value], ...])` lines."""
    return {
        "animation": False,
        "textStyle": FONT,
        "grid": {"left": 8, "right": 12, "top": 30, "bottom": 4, "containLabel": True},
        "legend": LEGEND,
        "tooltip": TIP,
        "xAxis": {"type": "time", **AXIS, "splitLine": {"show": False}, "axisLabel": {"hideOverlap": True}},
        "yAxis": {"type": "value", "min": 0, "minInterval": 1, **AXIS},
        "series": [
            {
                "name": name,
                "type": "line",
                "showSymbol": len(points) < 2,
                "lineStyle": {"width": 2, "color": colour},
                "itemStyle": {"color": colour},
                "areaStyle": {"opacity": 0.12 if filled else 0, "color": colour},
                "data": points,
            }
            for name, colour, points in lines
        ],
    }


def traffic(samples: Sequence[Sample]) -> dict[str, Any]:
    """Return the options of the chart of what the sensor saw."""
    return over_time(
        [
            ("packets / s", BLUE, series(samples, "packets")),
            ("dropped / s", RED, series(samples, "drops")),
            ("flows judged / s", AMBER, series(samples, "flows")),
        ]
    )


def bars_over_time(
    layers: Sequence[tuple[str, str, list[list[Any]]]], span: tuple[str, str] | None
) -> dict[str, Any]:
    """Return the options of stacked bars of `(name, colour, [[time, value], ...])`."""
    low, high = span or (None, None)
    return {
        "animation": False,
        "textStyle": FONT,
        "grid": {"left": 8, "right": 12, "top": 30, "bottom": 4, "containLabel": True},
        "legend": LEGEND,
        "tooltip": TIP,
        "xAxis": {
            "type": "time",
            "min": low,
            "max": high,
            **AXIS,
            "splitLine": {"show": False},
            "axisLabel": {"hideOverlap": True},
        },
        "yAxis": {"type": "value", "min": 0, "minInterval": 1, **AXIS},
        "series": [
            {
                "name": name,
                "type": "bar",
                "stack": "all",
                "barMaxWidth": 14,
                "barMinWidth": 2,
                "itemStyle": {"color": colour},
                "data": points,
            }
            for name, colour, points in layers
        ],
    }


def severity_bars(statistics: dict[str, Any] | None) -> dict[str, Any]:
    """Return the options of alerts over time by severity; None: of nothing yet."""
    buckets = statistics["buckets"] if statistics else []
    layers = [
        (name, colour, [[each["start"], each["by_severity"][level]] for each in buckets])
        for level, name, colour in (("1", "High", RED), ("2", "Medium", AMBER), ("3", "Low", BLUE))
    ]
    return bars_over_time(layers, (statistics["since"], statistics["until"]) if statistics else None)


def contributions(rows: Sequence[tuple[str, float]]) -> dict[str, Any]:
    """Return the options of bars of `(feature, how far it moved the verdict)`, the first on top."""
    furthest = max((abs(value) for _, value in rows), default=1.0) * 1.45
    return {
        "animation": False,
        "textStyle": FONT,
        "grid": {"left": 22, "right": 8, "top": 4, "bottom": 4, "containLabel": True},
        "tooltip": {**TIP, "axisPointer": {"type": "none"}},
        "xAxis": {
            "type": "value",
            "min": -furthest,
            "max": furthest,
            **AXIS,
            "splitLine": {"show": False},
            "axisLabel": {"show": False},
        },
        "yAxis": {
            "type": "category",
            "inverse": True,
            "data": [name for name, _ in rows],
            **AXIS,
            "axisLabel": {"interval": 0, "width": 190, "overflow": "truncate", "fontSize": 11.5},
        },
        "series": [
            {
                "name": "moves the verdict by",
                "type": "bar",
                "barMaxWidth": 16,
                "data": [
                    {
                        "value": round(value, 4),
                        "itemStyle": {"color": RED if value > 0 else BLUE, "borderRadius": 3},
                        "label": {
                            "show": True,
                            "position": "right" if value > 0 else "left",
                            "formatter": f"{value:+.2g}",
                            "fontSize": 11,
                        },
                    }
                    for _, value in rows
                ],
            }
        ],
    }
