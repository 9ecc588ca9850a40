from __future__ import annotations

import pytest

from inference_server.web.errors import TooManyRequestsError
from inference_server.web.rate_limit import RateLimit


def test_one_caller_s_requests_do_not_count_for_another() -> None:
    limit = RateLimit(3)
    for _ in range(3):
        limit.take("one")
    with pytest.raises(TooManyRequestsError, match="More than 3 requests a minute") as refused:
        limit.take("one")
    assert 1 <= int(refused.value.headers["Retry-After"]) <= 60
    limit.take("other")


def test_0_lets_everything_pass() -> None:
    limit = RateLimit(0)
    for _ in range(1000):
        limit.take("one")
