"""A model's measured figures, as its record names them, sorted by what they were measured on."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

CONFUSION: Final = re.compile(r"(?P<on>[^/]+)/confusion/(?P<true>[^/]+)/(?P<given>[^/]+)")
OF_CLASS: Final = re.compile(r"(?P<on>[^/]+)/(?P<label>[^/]+)/(?P<what>precision|recall|f1|n)")
OF_ALL: Final = re.compile(r"(?P<on>[^/]+)/(?P<what>[^/]+)")


def measured(figures: Mapping[str, float]) -> list[dict[str, Any]]:
    """Return, for each set of flows that a model was measured on, its figures by class and its confusion.

    Each has `on`, what the flows were; `figures`, by name; `classes`, a list with label, n, precision, recall
    and f1; and `confusion`, flows by their class and by the label given, None where nobody counted.
    """
    found: dict[str, dict[str, Any]] = {}

    def of(name: str) -> dict[str, Any]:
        return found.setdefault(name, {"on": name, "figures": {}, "classes": {}, "confusion": None})

    for name, value in figures.items():
        if cell := CONFUSION.fullmatch(name):
            one = of(cell["on"])
            one["confusion"] = one["confusion"] or {}
            one["confusion"].setdefault(cell["true"], {})[cell["given"]] = int(value)
        elif figure := OF_CLASS.fullmatch(name):
            classes = of(figure["on"])["classes"]
            number = int(value) if figure["what"] == "n" else value
            classes.setdefault(figure["label"], {"label": figure["label"]})[figure["what"]] = number
        elif figure := OF_ALL.fullmatch(name):
            of(figure["on"])["figures"][figure["what"]] = value
    return [one | {"classes": list(one["classes"].values())} for one in found.values()]
