"""Everything that hosts of the lab can serve, by name."""

from __future__ import annotations

from typing import Final

from lab.services import dnsmasq, nginx, openssh, others, vsftpd
from lab.services.service import Service

SERVICES: Final[dict[str, Service]] = {
    service.name: service
    for service in (nginx.SERVICE, openssh.SERVICE, vsftpd.SERVICE, dnsmasq.SERVICE, *others.SERVICES)
}
