"""vsftpd: files for an account and for everybody."""

from __future__ import annotations

import os
from typing import Final

from lab.programs import Program
from lab.services.accounts import UID, make_account
from lab.services.service import Service, Setting

VSFTPD: Final = Program("vsftpd", "vsftpd")
PASSIVE: Final = (30000, 30200)

_CONFIGURATION: Final = """\
{listen}=YES
background=NO
anonymous_enable=YES
anon_root={place}/public
local_enable=YES
write_enable=YES
local_umask=022
secure_chroot_dir={place}/empty
pam_service_name=vsftpd
pasv_min_port={low}
pasv_max_port={high}
seccomp_sandbox=NO
xferlog_enable=NO
max_login_fails={fails}
delay_failed_login={delay}
"""


def set_up(setting: Setting) -> list[list[str]]:
    """Write files, an account and the configuration."""
    home = make_account(setting)
    os.chown(home, UID, UID)
    public = setting.place / "public"
    for folder in (public, setting.place / "empty"):
        folder.mkdir()
        folder.chmod(0o555)
    for number in range(1, 6):
        (public / f"report-{number}.pdf").write_bytes(
            setting.rng.randbytes(setting.rng.randint(5_000, 900_000))
        )
    configuration = setting.place / "vsftpd.conf"
    low, high = PASSIVE
    fails, delay = setting.rng.choice((3, 5)), setting.rng.choice((0, 1, 3))
    configuration.write_text(
        _CONFIGURATION.format(
            listen="listen_ipv6" if setting.address6 else "listen",
            place=setting.place,
            low=low,
            high=high,
            fails=fails,
            delay=delay,
        )
    )
    return [[VSFTPD.required(), str(configuration)]]


SERVICE: Final = Service("vsftpd", VSFTPD, set_up, (("tcp", 21),))
