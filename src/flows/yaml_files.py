"""YAML files that hold a pydantic model."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

import yaml
from pydantic import BaseModel, ValidationError

ModelT = TypeVar("ModelT", bound=BaseModel)


def read_yaml(path: Path, model: type[ModelT]) -> ModelT:
    """Read what a file holds.

    Raises:
        OSError: the file cannot be read.
        ValueError: it holds something else; the message names the file, the field and what is wrong.
    """
    try:
        return model.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise ValueError(f"{path}: {place + ': ' if place else ''}{first['msg']}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ValueError(f"{path}: not YAML: {str(error).splitlines()[0]}") from None
