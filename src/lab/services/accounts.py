"""The account that people log in with; it is in the /etc of one host of the lab alone."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Final

from lab.services.nginx import OPENSSL
from lab.services.service import Setting

USER: Final = "anna"
PASSWORD: Final = "summer2019"
UID: Final = 61234


def make_account(setting: Setting) -> Path:
    """Write passwd, shadow and group; return the account's home."""
    home = setting.place.parent / "home"
    if not home.exists():
        home.mkdir()
        home.chmod(0o755)
        done = subprocess.run(
            [OPENSSL.required(), "passwd", "-6", PASSWORD],
            check=True,
            capture_output=True,
            text=True,
            timeout=30,
        )
        line = f"{USER}:x:{UID}:{UID}::{home}:/bin/sh\n"
        (setting.etc / "passwd").write_text(Path("/etc/passwd").read_text() + line)
        (setting.etc / "group").write_text(Path("/etc/group").read_text() + f"{USER}:x:{UID}:\n")
        shadow = setting.etc / "shadow"
        shadow.touch(0o600)
        shadow.write_text(f"root:*:19000:0:99999:7:::\n{USER}:{done.stdout.strip()}:19000:0:99999:7:::\n")
    return home
