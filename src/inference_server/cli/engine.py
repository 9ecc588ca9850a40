"""Whose processors a command uses."""

from __future__ import annotations

from enum import StrEnum


class Engine(StrEnum):
    """This machine's, or those of a cluster."""

    LOCAL = "local"
    RAY = "ray"
