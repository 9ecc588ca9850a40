"""What a user of the lab was told to do."""

from __future__ import annotations

import json
import random
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self


@dataclass
class Job:
    """One user's task.

    Attributes:
        address: the host to talk to.
        others: all other hosts.
        seconds: how long.
        place: a folder of one's own.
        parameters: of the activity.
        rng: seeded.
    """

    address: str
    others: list[str]
    seconds: float
    place: Path
    parameters: dict[str, Any]
    rng: random.Random
    _end: float = field(init=False)

    def __post_init__(self) -> None:
        self._end = time.monotonic() + self.seconds

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read what `lab.activities.kind.user_command` wrote."""
        told = json.loads(text)
        rng = random.Random(told["seed"])
        place = Path(told["place"])
        return cls(told["address"], told["others"], told["seconds"], place, told["parameters"], rng)

    @property
    def host(self) -> str:
        """The address as URLs write it."""
        return f"[{self.address}]" if ":" in self.address else self.address

    @property
    def left(self) -> float:
        """Seconds that are left."""
        return self._end - time.monotonic()

    def think(self, mean: float) -> bool:
        """Wait for a time drawn around a mean, and say whether there is time left."""
        time.sleep(max(0.0, min(self.rng.expovariate(1 / mean), 6 * mean, self.left)))
        return self.left > 0
