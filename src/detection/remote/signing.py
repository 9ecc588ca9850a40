"""Requests signed as Amazon wants them, by botocore."""

from __future__ import annotations

from collections.abc import Generator
from typing import Final

import httpx
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.session import Session

SERVICE: Final = "sagemaker"


class AwsSigning(httpx.Auth):
    """Signature version 4 of the service SageMaker; renewed keys of a role are used as they come."""

    requires_request_body = True

    def __init__(self, region: str, access_key: str | None = None, secret_key: str | None = None) -> None:
        """Take these keys, or without them the first identity that boto3 finds."""
        self._region = region
        self._session = Session()
        self._given = Credentials(access_key, secret_key) if access_key and secret_key else None

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Sign one request; httpx calls this.

        Raises:
            ValueError: no identity is known.
        """
        credentials = self._given or self._session.get_credentials()
        if credentials is None:
            raise ValueError(
                "no AWS identity: set AWS_ACCESS_KEY and AWS_SECRET_KEY, or give the host a role"
            )
        headers = {"Content-Type": request.headers["content-type"]}
        unsigned = AWSRequest(request.method, str(request.url), headers=headers, data=request.content)
        SigV4Auth(credentials.get_frozen_credentials(), SERVICE, self._region).add_auth(unsigned)
        request.headers.update(dict(unsigned.headers.items()))
        yield request
