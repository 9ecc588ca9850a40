"""Parts of pages as HTML, each made once a look for all pages that show it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import orjson
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from inference_server.dashboard.figures import FILTERS
from inference_server.dashboard.snapshot import Snapshot

ENVIRONMENT: Final = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
ENVIRONMENT.filters.update(FILTERS)


def rendered(template: str, **values: Any) -> str:
    """Return a template's HTML; everything from outside is escaped."""
    return ENVIRONMENT.get_template(f"{template}.html").render(**values)


def packed(value: object) -> orjson.Fragment:
    """Return a value as JSON, made once for all pages that get it.

    NiceGUI copies a nested value to watch it, for every page that shows it, and looks through it when it is
    sent: with many pages that cost more than all else they did.
    """
    return orjson.Fragment(orjson.dumps(value))


def panel(template: str, snapshot: Snapshot) -> str:
    """Return what a template makes of a look, made once."""
    made = snapshot.panels.get(template)
    if made is None:
        made = snapshot.panels[template] = rendered(template, s=snapshot, status=snapshot.status)
    return made
