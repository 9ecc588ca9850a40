"""openssh: shells and copies, by password and by key."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Final

from lab.programs import Program
from lab.services.accounts import UID, make_account
from lab.services.service import Service, Setting

SSHD: Final = Program("sshd", "openssh-server")
KEYGEN: Final = Program("ssh-keygen", "openssh-client")
CLIENT_KEY: Final = "client_key"
BULK: Final = "bulk.bin"

_CONFIGURATION: Final = """\
Port 22
HostKey {place}/host_key
PidFile none
UsePAM no
StrictModes no
PasswordAuthentication yes
AuthorizedKeysFile {place}/client_key.pub
MaxAuthTries {tries}
MaxStartups 100:30:200
LoginGraceTime {grace}
UseDNS no
Subsystem sftp internal-sftp
"""


def set_up(setting: Setting) -> list[list[str]]:
    """Write keys, an account and the configuration."""
    home = make_account(setting)
    _owned(home / BULK, setting.rng.randbytes(setting.rng.randint(200_000, 3_000_000)))
    os.chown(home, UID, UID)
    for name, kind in (("host_key", setting.rng.choice(("ed25519", "ecdsa"))), (CLIENT_KEY, "ed25519")):
        subprocess.run(
            [KEYGEN.required(), "-q", "-t", kind, "-N", "", "-f", str(setting.place / name)],
            check=True,
            capture_output=True,
            timeout=60,
        )
    configuration = setting.place / "sshd_config"
    tries, grace = setting.rng.choice((3, 6)), setting.rng.choice((30, 120))
    configuration.write_text(_CONFIGURATION.format(place=setting.place, tries=tries, grace=grace))
    Path("/run/sshd").mkdir(exist_ok=True)
    # It starts itself again for each connection, so it wants its whole path.
    return [[SSHD.required(), "-D", "-e", "-f", str(configuration)]]


def _owned(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    os.chown(path, UID, UID)


SERVICE: Final = Service("openssh", SSHD, set_up, (("tcp", 22),))
