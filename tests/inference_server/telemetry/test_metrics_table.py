from __future__ import annotations

import re
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from helpers.models import make_scorer
from helpers.status import make_status
from inference_server.telemetry.metrics import Metrics
from inference_server.telemetry.metrics_table import metrics_markdown

DOCUMENT = Path(__file__).parents[3] / "docs" / "metrics.md"


def test_the_document_is_the_generated_table() -> None:
    assert DOCUMENT.read_text() == metrics_markdown(), "run scripts/write_docs.py"


def test_every_exposed_metric_is_documented() -> None:
    documented = set(re.findall(r"^\| `(\w+)`", metrics_markdown(), re.MULTILINE))
    exposed = Metrics(lambda: make_status(make_scorer())).exposition().decode()
    for family in text_string_to_metric_families(exposed):
        if not family.name.endswith("_created"):
            names = {family.name, f"{family.name}_total", f"{family.name}_info"}
            assert names & documented, family.name
