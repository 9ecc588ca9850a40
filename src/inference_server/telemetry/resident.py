"""How much memory the process takes."""

from __future__ import annotations

import os
from pathlib import Path


def resident_bytes() -> int:
    """Return the resident set of this process."""
    pages = int(Path("/proc/self/statm").read_bytes().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")
