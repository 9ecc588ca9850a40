"""The file of suppression rules, read again whenever it changes; a wrong version changes nothing."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import yaml
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from alerting.suppression import Rule, RuleSet

LOOK_EVERY_SECONDS: Final = 1.0
MAX_BYTES: Final = 1_000_000
FIELDS: Final = [field.alias or name for name, field in Rule.model_fields.items()]
REMEDIES: Final = {
    "name": "give every rule a name, as text",
    "port": "write a port from 0 to 65535",
    "until": "write a time such as 2026-12-31T00:00:00Z",
    "rules": "write a list of rules",
}
logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class RulesStatus:
    """The state of the rules file.

    Attributes:
        path: the file.
        rules: how many rules are in use, those that have expired included.
        loads: how often a version of the file was taken.
        error: why the file as it is now is not in use and what to do; None when it is.
    """

    path: str
    rules: int
    loads: int
    error: str | None


def read_rules(path: Path) -> tuple[Rule, ...]:
    """Read a rules file.

    Raises:
        ValueError: it cannot be read or holds a wrong rule; one line names line, field and what to write.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise ValueError(f"{path}: larger than {MAX_BYTES} bytes; name networks instead of addresses")
        text = path.read_text()
        document = yaml.compose(text, yaml.SafeLoader)
        content = yaml.safe_load(text)
    except OSError as error:
        raise ValueError(f"{path}: {error.strerror}; create it, or unset ALERT_RULES") from None
    except UnicodeDecodeError:
        raise ValueError(f"{path}: not UTF-8 text; write it as YAML") from None
    except yaml.YAMLError as error:
        raise ValueError(_syntax(path, error)) from None
    try:
        return RuleSet.model_validate({} if content is None else content).rules
    except ValidationError as error:
        raise ValueError(_wrong(path, document, error.errors()[0])) from None


class RulesFile:
    """The rules in use. One thread asks for them; any may read `status`."""

    def __init__(self, path: Path) -> None:
        """Name the file; the first `refresh` reads it, and without a right one there are no rules."""
        self._path = path
        self._rules: tuple[Rule, ...] = ()
        self._loads = 0
        self._error: str | None = None
        self._seen: tuple[int, int, int] | None = None
        self._looked_at = float("-inf")

    def refresh(self, now: float) -> None:
        """Read the file if it has changed; looks once a second, `now` being monotonic seconds."""
        if now - self._looked_at >= LOOK_EVERY_SECONDS:
            self._looked_at = now
            self._look()

    def in_force(self, now_us: int) -> list[Rule]:
        """Return the rules in force at UTC microseconds `now_us`, of the newest version that is right."""
        return [rule for rule in self._rules if rule.in_force(now_us)]

    def status(self) -> RulesStatus:
        """Return the state."""
        return RulesStatus(str(self._path), len(self._rules), self._loads, self._error)

    def _look(self) -> None:
        found = self._stamp()
        if found is not None and found == self._seen:
            return
        self._seen = found
        try:
            self._rules = read_rules(self._path)
        except ValueError as error:
            if str(error) != self._error:
                logger.error("%s; the %d rules before stay in use", error, len(self._rules))
            self._error = str(error)
        else:
            self._error = None
            self._loads += 1
            logger.info("%d suppression rules read from %s", len(self._rules), self._path)

    def _stamp(self) -> tuple[int, int, int] | None:
        try:
            found = self._path.stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_size, found.st_ino


def _syntax(path: Path, error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    where = f", line {mark.line + 1}" if mark else ""
    return f"{path}{where}: {getattr(error, 'problem', None) or 'not YAML'}; correct the YAML"


def _wrong(path: Path, document: yaml.Node | None, detail: ErrorDetails) -> str:
    """Say where a rule is wrong and what to write; messages of our own do already."""
    loc = detail["loc"]
    field = next((str(part) for part in reversed(loc) if isinstance(part, str)), "rules")
    problem = detail["msg"].removeprefix("Value error, ")
    if detail["type"] == "extra_forbidden":
        problem = f"no such field; there are {', '.join(FIELDS)}"
    elif detail["type"] != "value_error":
        problem = f"{problem}; {REMEDIES.get(field, 'write it as docs/alerts.md says')}"
    return f"{path}, line {_line(document, loc)}, {field}: {problem}"


def _line(node: yaml.Node | None, loc: Sequence[int | str]) -> int:
    """Return the line of the innermost part of a document that a pydantic location leads to."""
    for part in loc:
        if isinstance(node, yaml.MappingNode):
            found = next((pair for pair in node.value if pair[0].value == part), None)
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            found = (node, node.value[part])
        else:
            found = None
        if found is None:
            break
        node = found[1]
    return node.start_mark.line + 1 if node else 1
