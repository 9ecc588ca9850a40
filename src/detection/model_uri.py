"""Model names as MLflow writes them: models:/name@alias, models:/name/latest, a version or a stage."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal

Kind = Literal["alias", "latest", "version", "stage"]

FORMS: Final = "models:/name@alias, models:/name/latest, models:/name/<version> or models:/name/<Stage>"
_FORM: Final = re.compile(r"(?:models:/)?(?P<name>[^/:@'\"]+)(?:@(?P<alias>[^/@]+)|/(?P<rest>[^/@]+))")


@dataclass(frozen=True, slots=True)
class ModelUri:
    """Which version of which registered model: `value` is the alias, the version or the stage."""

    name: str
    kind: Kind
    value: str

    def __str__(self) -> str:
        return f"models:/{self.name}{'@' if self.kind == 'alias' else '/'}{self.value}"


def parse_model_uri(text: str) -> ModelUri:
    """Read a model URI; `models:/` may be left out.

    Raises:
        ValueError: it has none of the forms.
    """
    found = _FORM.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"MLFLOW_MODEL_NAME {text!r} names no model version: write {FORMS}")
    name, alias, rest = found["name"], found["alias"], found["rest"]
    if alias is not None:
        return ModelUri(name, "alias", alias)
    if rest.isdigit():
        return ModelUri(name, "version", rest)
    return ModelUri(name, "latest" if rest.lower() == "latest" else "stage", rest)
