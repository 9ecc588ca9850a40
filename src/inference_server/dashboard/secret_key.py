"""The key that session cookies are signed with: made once, kept in STATE_DIR, readable by its owner only."""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path
from typing import Final

NAME: Final = "dashboard.secret"
BYTES: Final = 32
OWNER_ONLY: Final = 0o600


def signing_key(state_dir: Path) -> str:
    """Return the key, made if there is none yet.

    Raises:
        OSError: it can neither be read nor written.
    """
    path = state_dir / NAME
    with contextlib.suppress(FileNotFoundError):
        if key := path.read_text(encoding="ascii").strip():
            return key
    state_dir.mkdir(parents=True, exist_ok=True)
    key = secrets.token_hex(BYTES)
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, OWNER_ONLY)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(key + "\n")
    return key
