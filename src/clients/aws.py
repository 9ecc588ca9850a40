"""Clients of AWS: with keys when they are given, else with what the standard chain finds."""

from __future__ import annotations

from typing import Any, Final

from boto3.session import Session
from botocore.client import Config
from botocore.exceptions import BotoCoreError, ClientError

AWS_ERRORS: Final = (BotoCoreError, ClientError)
CONNECT_SECONDS: Final = 5
READ_SECONDS: Final = 60


def aws_client(
    service: str,
    *,
    region: str | None,
    access_key: str | None = None,
    secret_key: str | None = None,
    **config: Any,
) -> Any:
    """Return a boto3 client; `config` is for botocore's Config. AWS_ENDPOINT_URL_<SERVICE> is honoured.

    Raises:
        ValueError: one key is given without the other, or no region is known.
    """
    if bool(access_key) != bool(secret_key):
        raise ValueError("--access-key and --secret-key belong together: give both, or neither")
    try:
        return Session(access_key or None, secret_key or None, region_name=region or None).client(
            service, config=Config(connect_timeout=CONNECT_SECONDS, read_timeout=READ_SECONDS, **config)
        )
    except (BotoCoreError, ValueError) as error:
        raise ValueError(f"{service}: {error}") from None
