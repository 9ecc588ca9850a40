"""The Ray cluster that commands use: that of RAY_ADDRESS, or one of this machine's cores for themselves."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

STORE_BYTES: Final = 256 << 20
"""Of a cluster of this machine alone."""


@contextmanager
def connected() -> Iterator[None]:
    """Use a cluster.

    Raises:
        ConnectionError: it cannot be reached.
        ModuleNotFoundError: Ray is not installed.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    import ray

    address = os.environ.get("RAY_ADDRESS", "local")
    options: dict[str, Any] = {"log_to_driver": False, "logging_level": "error"}
    if address == "local":
        options |= {"include_dashboard": False, "object_store_memory": STORE_BYTES}
        options |= {"_node_ip_address": "127.0.0.1"}
    try:
        ray.init(address=address, **options)
    except (ConnectionError, RuntimeError, ValueError) as error:
        first = str(error).strip().splitlines()[0]
        raise ConnectionError(
            f"RAY_ADDRESS={address}: {first}; start it with: ray start --head; where it asks for a token, "
            "have that in ~/.ray/auth_token and RAY_AUTH_MODE=token"
        ) from None
    try:
        yield
    finally:
        ray.shutdown()
