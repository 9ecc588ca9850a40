"""People on the web."""

from __future__ import annotations

from typing import Final

from pydantic import Field

from lab.activities.kind import BENIGN, Kind, Parameters, Talk, user_command

WEB: Final = (Talk("tcp", (80, 443)),)


class Browsing(Parameters):
    """How somebody browses.

    Attributes:
        think: mean seconds between two pages.
        tls: over HTTPS.
        keep_alive: a page's parts come over kept connections.
    """

    think: float = Field(1.0, ge=0.05, le=60)
    tls: bool = False
    keep_alive: bool = True


KINDS: Final = (Kind("browse", BENIGN, None, Browsing, user_command("browse"), WEB, "nginx"),)
