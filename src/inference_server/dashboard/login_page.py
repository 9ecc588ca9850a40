"""The form that asks for an API key: plain HTML, which needs no script."""

from __future__ import annotations

from html import escape
from pathlib import Path
from string import Template
from typing import Final

PAGE: Final = Template((Path(__file__).parent / "login.html").read_text(encoding="utf-8"))


def login_page(sensor: str, problem: str = "") -> str:
    """Return the page, with what was wrong with the key before."""
    told = f'<p class="problem" role="alert" id="problem">{escape(problem)}</p>' if problem else ""
    invalid = 'aria-invalid="true" aria-describedby="problem"' if problem else ""
    return PAGE.substitute(sensor=escape(sensor), problem=told, invalid=invalid)
