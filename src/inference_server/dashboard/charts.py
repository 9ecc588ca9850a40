"""Charts over time and of features, for ECharts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

LINE: Final = "rgba(128,140,160,0.25)"
AXIS: Final = {
    "axisLine": {"lineStyle": {"color": LINE}},
    "axisTick": {"show": False},
    "splitLine": {"lineStyle": {"color": LINE}},
}
BLUE: Final = "#3b82f6"
RED: Final = "#dc2f40"
AMBER: Final = "#d98b1d"
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
        "grid": {"left": 8, "right": 12, "top": 30, "bottom": 4, "containLabel": True},
        "legend": {"top": 0, "left": 0, "itemWidth": 14, "itemHeight": 8, "itemGap": 18, "icon": "roundRect"},
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
