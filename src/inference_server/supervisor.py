"""What a supervisor that started the service is told: systemd's protocol, see sd_notify(3)."""

from __future__ import annotations

import logging
import os
import socket
from typing import Final

READY: Final = "READY=1"
STOPPING: Final = "STOPPING=1"
logger = logging.getLogger(__name__)


def tell_supervisor(state: str) -> None:
    """Send `state` to NOTIFY_SOCKET; does nothing where there is none."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    if address.startswith("@"):
        address = "\0" + address[1:]
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.sendto(state.encode(), address)
    except OSError as error:
        logger.warning("NOTIFY_SOCKET: %s", error)
