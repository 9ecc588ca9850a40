"""Everything that hosts of the lab can do, by name."""

from __future__ import annotations

from typing import Final

from lab.activities import floods, guessing, intrusions, machines, scans, shell_users, web_users
from lab.activities.kind import Kind

PARTS: Final = (web_users, shell_users, machines, scans, floods, guessing, intrusions)
KINDS: Final[dict[str, Kind]] = {kind.name: kind for part in PARTS for kind in part.KINDS}
