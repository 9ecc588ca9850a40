"""`python -m lab.activities.goldeneye_tool PROGRAM ARGUMENTS...`: GoldenEye 2.1 on a Python of today.

It asks `random.randint` for halves, which Python 3.11 refuses, and then sends nothing at all.
"""

from __future__ import annotations

import random
import runpy
import sys

_randint = random.randint


def _whole(low: float, high: float) -> int:
    return _randint(int(low), int(high))


if __name__ == "__main__":
    random.randint = _whole  # type: ignore[assignment]
    sys.argv = sys.argv[1:]
    runpy.run_path(sys.argv[0], run_name="__main__")
