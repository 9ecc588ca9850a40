"""Whether the service runs in a sensor's image."""

from __future__ import annotations

import os
from typing import Final

CONTAINER_VARIABLE: Final = "ML_IDS_CONTAINER"
"""Set in the image; an engine's own marks would also be found in a workplace that is a container."""


def in_container() -> bool:
    """Return whether it does."""
    return CONTAINER_VARIABLE in os.environ
