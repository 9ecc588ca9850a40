"""Secrets from files: what a variable NAME holds may stand in the file that NAME_FILE names."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from dotenv import dotenv_values
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource

SUFFIX: Final = "_FILE"
LONGEST: Final = 65_536


class SecretFiles(PydanticBaseSettingsSource):
    """Reads the fields whose file is named by the environment, or by `.env`."""

    def __init__(self, settings_cls: type[BaseSettings], secret_fields: Iterable[str]) -> None:
        super().__init__(settings_cls)
        self._fields = tuple(secret_fields)

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        """Return nothing: files are read as a whole."""
        return None, field_name, False

    def __call__(self) -> dict[str, Any]:
        """Return the secrets of all files, by field.

        Raises:
            ValueError: as `from_files` does.
        """
        variables = variables_with(Path(str(self.config.get("env_file"))))
        found = from_files(variables, [name.upper() for name in self._fields])
        return {name.lower(): secret for name, secret in found.items()}


def variables_with(env_file: Path) -> dict[str, str]:
    """Return the environment and, below it, what a file of variables has; empty ones left out."""
    return {name: value for name, value in (dotenv_values(env_file) | os.environ).items() if value}


def from_files(variables: Mapping[str, str], names: Iterable[str]) -> dict[str, str]:
    """Return the secrets that stand in files, by the name of their variable.

    Raises:
        ValueError: a file cannot be read, or the variable holds something else; names the variable.
    """
    found = {}
    for name in names:
        path = variables.get(name + SUFFIX)
        if path is None:
            continue
        found[name] = _read(f"{name}{SUFFIX}={path}", Path(path))
        if variables.get(name, found[name]) != found[name]:
            raise ValueError(f"{name} and {name}{SUFFIX} are set and differ: unset one of them")
    return found


def _read(setting: str, path: Path) -> str:
    try:
        with path.expanduser().open(encoding="utf-8") as file:
            secret = file.read(LONGEST).strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not UTF-8"
        raise ValueError(f"{setting}: {reason}; name a file that can be read") from None
    if not secret:
        raise ValueError(f"{setting}: the file is empty; put the secret in it, or unset the variable")
    return secret
