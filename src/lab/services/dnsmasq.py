"""dnsmasq: names of the lab, and a zone that takes any name."""

from __future__ import annotations

from typing import Final

from lab.programs import Program
from lab.services.service import Service, Setting

DNSMASQ: Final = Program("dnsmasq", "dnsmasq-base")
ZONE: Final = "lab.test"
ANY_ZONE: Final = "cdn.lab.test"
"""Every name of it has an address, as those have that tunnels and networks of content use."""

_CONFIGURATION: Final = """\
no-resolv
no-hosts
bind-interfaces
user=root
pid-file={place}/dnsmasq.pid
local=/{zone}/
address=/{any_zone}/198.18.0.1
txt-record=big.{zone},{text}
cache-size=0
"""


def set_up(setting: Setting) -> list[list[str]]:
    """Write the zone."""
    text = ",".join(f'"{setting.rng.randbytes(100).hex()}"' for _ in range(setting.rng.randint(1, 4)))
    lines = _CONFIGURATION.format(place=setting.place, zone=ZONE, any_zone=ANY_ZONE, text=text)
    names = "".join(f"host-record={name}.{ZONE},{address}\n" for name, address in setting.names.items())
    configuration = setting.place / "dnsmasq.conf"
    configuration.write_text(lines + names)
    return [[DNSMASQ.required(), "--keep-in-foreground", f"--conf-file={configuration}"]]


SERVICE: Final = Service("dnsmasq", DNSMASQ, set_up, (("udp", 53), ("tcp", 53)))
