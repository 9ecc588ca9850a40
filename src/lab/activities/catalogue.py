"""Everything that hosts of the lab can do, by name."""

from __future__ import annotations

from typing import Final

from lab.activities import scans, web_users
from lab.activities.kind import Kind

KINDS: Final[dict[str, Kind]] = {kind.name: kind for part in (web_users, scans) for kind in part.KINDS}
