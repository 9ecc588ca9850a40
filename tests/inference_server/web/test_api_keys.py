from __future__ import annotations

import pytest
from pydantic import SecretStr

from inference_server.web.api_keys import ApiKey, Role, digest, parse_api_keys


def parsed(*entries: str) -> tuple[ApiKey, ...]:
    return parse_api_keys(map(SecretStr, entries))


def test_an_entry_is_a_key_or_a_name_a_role_and_a_key() -> None:
    assert parsed("hush", "siem:read:hash", "ops@home:admin:a:b:c") == (
        ApiKey("key-1", Role.PREDICT, digest("hush")),
        ApiKey("siem", Role.READ, digest("hash")),
        ApiKey("ops@home", Role.ADMIN, digest("a:b:c")),
    )


def test_one_colon_belongs_to_the_key() -> None:
    assert parsed("user:hush") == (ApiKey("key-1", Role.PREDICT, digest("user:hush")),)


def test_roles_are_ordered() -> None:
    assert Role.READ < Role.PREDICT < Role.ADMIN


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        (
            ["one", "ops:amdin:hush"],
            "entry 2: the role between the colons is not one of read, predict, admin",
        ),
        ([":admin:hush"], "entry 1: the name"),
        (["o p s:admin:hush"], "entry 1: the name"),
        (["ops:admin:"], "entry 1: no key"),
        (["hush", "ops:admin:hush"], "entry 2 has the key of an earlier one"),
    ],
)
def test_a_wrong_entry_is_named_by_its_place_and_not_shown(entries: list[str], message: str) -> None:
    with pytest.raises(ValueError, match=message) as error:
        parsed(*entries)
    assert "hush" not in str(error.value)
