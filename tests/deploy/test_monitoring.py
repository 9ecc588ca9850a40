"""deploy/monitoring: rules and dashboard are well-formed and name metrics that there are."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
MONITORING = ROOT / "deploy" / "monitoring"
RULES: list[dict[str, Any]] = yaml.safe_load((MONITORING / "rules.yml").read_text())["groups"][0]["rules"]
DASHBOARD: dict[str, Any] = json.loads((MONITORING / "dashboard.json").read_text())
QUERIES = [target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]]
ALERT_TEST = """
rule_files: [{rules}]
tests:
  - interval: 1m
    input_series:
      - series: 'mlids_packets_total{{instance="a", job="ml-ids", interface="eth0"}}'
        values: 0+6000x20
      - series: 'mlids_kernel_drops_total{{instance="a", job="ml-ids", interface="eth0"}}'
        values: 0x10 0+600x10
      - series: 'mlids_thread_running{{instance="a", job="ml-ids", thread="sink"}}'
        values: 1x10 0x10
    alert_rule_test:
      - {{eval_time: 9m, alertname: PacketsDropped}}
      - {{eval_time: 9m, alertname: ThreadDead}}
      - eval_time: 20m
        alertname: PacketsDropped
        exp_alerts:
          - exp_labels: {{severity: critical, instance: a, job: ml-ids, interface: eth0}}
            exp_annotations:
              summary: more than 1 % of the packets of eth0 are lost
              todo: {todo}
      - eval_time: 20m
        alertname: ThreadDead
        exp_alerts:
          - exp_labels: {{severity: critical, instance: a, job: ml-ids, thread: sink}}
            exp_annotations:
              summary: the sink thread of a is dead
              todo: Restart the service and report what application.log says.
"""


def documented() -> set[str]:
    return set(re.findall(r"^\| `(\w+)`", (ROOT / "docs" / "metrics.md").read_text(), re.MULTILINE))


def promtool(*arguments: str | Path) -> None:
    tool = shutil.which("promtool")
    if tool is None:
        pytest.skip("promtool, of Debian's prometheus, is not installed")
    ran = subprocess.run([tool, *arguments], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr


@pytest.mark.parametrize("query", [rule["expr"] for rule in RULES] + QUERIES)
def test_every_metric_of_rules_and_dashboard_is_documented(query: str) -> None:
    used = {re.sub(r"_(bucket|sum|count)$", "", name) for name in re.findall(r"\bmlids_\w+", query)}
    assert used <= documented()
    assert used or query.startswith("up{")


def test_every_alert_says_what_is_wrong_and_what_to_do() -> None:
    assert len({rule["alert"] for rule in RULES}) == len(RULES) > 15
    for rule in RULES:
        assert rule["labels"]["severity"] in {"critical", "warning"}
        assert set(rule["annotations"]) == {"summary", "todo"}
        assert all(rule["annotations"].values())


def test_prometheus_takes_the_configuration_and_its_rules() -> None:
    promtool("check", "config", MONITORING / "prometheus.yml")
    promtool("check", "rules", MONITORING / "rules.yml")


def test_prometheus_understands_the_dashboard_s_queries(tmp_path: Path) -> None:
    queries = [query.replace("$__rate_interval", "5m") for query in QUERIES]
    records = [{"record": f"panel:{number}", "expr": query} for number, query in enumerate(queries)]
    path = tmp_path / "queries.yml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": records}]}))
    promtool("check", "rules", path)


def test_alerts_fire_when_they_should_and_not_before(tmp_path: Path) -> None:
    [todo] = [rule["annotations"]["todo"] for rule in RULES if rule["alert"] == "PacketsDropped"]
    path = tmp_path / "test.yml"
    path.write_text(ALERT_TEST.format(rules=MONITORING / "rules.yml", todo=json.dumps(todo)))
    promtool("test", "rules", path)


def test_the_dashboard_s_panels_do_not_overlap_and_read_from_the_chosen_source() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        assert max(x for x, _ in cells) < 24
        taken |= cells
        assert panel["datasource"]["uid"] == "${datasource}"


def test_every_metric_says_what_to_do_when_it_moves() -> None:
    rows = [
        line.split(" | ")
        for line in (ROOT / "docs" / "metrics.md").read_text().splitlines()
        if "`mlids_" in line
    ]
    assert [row[0] for row in rows if not row[4].strip(" |")] == []
