"""Everything that hosts of the lab can serve, by name."""

from __future__ import annotations

from typing import Final

from lab.services import nginx
from lab.services.service import Service

SERVICES: Final[dict[str, Service]] = {service.name: service for service in (nginx.SERVICE,)}
