"""docs/training-data.md says what the code does."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

from flows.assembly import NO_VALUE
from flows.csv_files import REPEATED_HEADER
from flows.dialects import DIALECTS
from flows.kdd99_files import DIALECT
from flows.label_rules import LabelRule, LabelRules
from training.cleaning import ATTEMPTED, DUPLICATE, NOT_LABELLED
from training.sources.feedback import CONTRADICTED

TEXT = (Path(__file__).parents[2] / "docs" / "training-data.md").read_text()


def test_the_reasons_are_those_that_are_counted() -> None:
    steps = re.findall(r"^\| \d \|.*\| (.*) \|$", TEXT, re.MULTILINE)
    named = [step.strip("`") for step in steps if step]
    assert named == [REPEATED_HEADER, NO_VALUE, CONTRADICTED, ATTEMPTED, NOT_LABELLED, DUPLICATE]


def test_the_dialects_are_known() -> None:
    table = TEXT.split("| set |")[1].split("\n\n")[0]
    named = set(re.findall(r"\| `([a-z0-9-]+)` \|$", table, re.MULTILINE))
    assert named >= {"cic-2017", "cic-2018", "cic-v4", "improved"}
    assert named <= {*DIALECTS, DIALECT}


def test_the_example_of_label_rules_is_one_and_shows_what_there_is() -> None:
    (example,) = re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)
    rules = LabelRules.model_validate(yaml.safe_load(example))
    assert [rule.label for rule in rules.rules] == ["Portscan", "DoS Hulk"]
    for name, field in LabelRule.model_fields.items():
        assert re.search(rf"\b{field.alias or name}\b", example), name
