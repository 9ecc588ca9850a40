"""API keys and what each of them allows: the entries of API_KEYS."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from pydantic import SecretStr

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")


class Role(IntEnum):
    """What a key allows: each role also what those below it allow."""

    READ = 1
    PREDICT = 2
    ADMIN = 3

    @property
    def title(self) -> str:
        """Its name in API_KEYS."""
        return self.name.lower()


BARE_ROLE: Final = Role.PREDICT
"""What a key without a role allows: one that was given to a client must not become one that deletes."""


@dataclass(frozen=True, slots=True)
class ApiKey:
    """An entry of API_KEYS.

    Attributes:
        name: who has the key; what logs and acknowledgements say.
        role: what it allows.
        digest: SHA-256 of the key.
    """

    name: str
    role: Role
    digest: bytes


def parse_api_keys(entries: Iterable[SecretStr]) -> tuple[ApiKey, ...]:
    """Return the keys of `key` and `name:role:key` entries; the first kind is named by its place, `key-1`.

    Raises:
        ValueError: an entry has two colons and no name and role before them, or the key of another entry;
            names its place, never its text.
    """
    keys: list[ApiKey] = []
    for place, entry in enumerate(entries, start=1):
        key = _parse(entry.get_secret_value(), place)
        if any(key.digest == other.digest for other in keys):
            raise ValueError(f"entry {place} has the key of an earlier one: give everyone a key of their own")
        keys.append(key)
    return tuple(keys)


def digest(key: str) -> bytes:
    """Return what a key is compared by."""
    return hashlib.sha256(key.encode(errors="surrogateescape")).digest()


def _parse(entry: str, place: int) -> ApiKey:
    if entry.count(":") < 2:
        return ApiKey(f"key-{place}", BARE_ROLE, digest(entry))
    name, role, key = entry.split(":", 2)
    roles = {each.title: each for each in Role}
    if not _NAME.fullmatch(name):
        raise ValueError(f"entry {place}: the name before the first colon is not letters, digits or . _ @ -")
    if role not in roles:
        raise ValueError(f"entry {place}: the role between the colons is not one of {', '.join(roles)}")
    if not key:
        raise ValueError(f"entry {place}: no key follows the second colon")
    return ApiKey(name, roles[role], digest(key))
