from __future__ import annotations

from pathlib import Path

import pytest

from lab.activities.catalogue import KINDS
from lab.campaign import (
    RECORD,
    Campaign,
    Record,
    Run,
    find_campaign,
    read_campaign,
    read_record,
    run_campaign,
)
from lab.datasheet import datasheet
from lab.scenario import find_scenario

CAMPAIGN = Campaign.model_validate(
    {
        "name": "two",
        "description": "scans and a crowd",
        "runs": [{"scenario": "scans", "times": 2}, {"scenario": "crowd"}],
    }
)
COMMAND = "ml-ids lab campaign two --seed 3"


def a_run(scenario: str, seed: int, labels: dict[str, int], activities: dict[str, int]) -> Run:
    return Run(
        file=f"{scenario}-{seed}.parquet",
        scenario=scenario,
        seed=seed,
        network=find_scenario(scenario).conditions(seed).model_dump(),
        packets=4321,
        missed=0,
        cut=False,
        labels=labels,
        activities=activities,
        left_out={"ambiguous": 5},
        early=2,
        undone={},
    )


RUNS = (
    a_run("crowd", 301, {"Benign": 7000}, {"browse": 6000, "knock": 1000}),
    a_run("scans", 301, {"Portscan": 50, "Benign": 3}, {"nmap": 40, "sweep": 10, "lookups": 3}),
    a_run("scans", 302, {"Portscan": 20}, {"nmap": 20}),
)
RECORDED = Record(campaign="two", seed=3, command=COMMAND, runs=RUNS)


def test_the_full_campaign_has_every_kind_of_attack() -> None:
    campaign = find_campaign("full")
    found = [find_scenario(part.scenario) for part in campaign.runs]
    kinds = {activity.do for scenario in found for activity in scenario.activities}
    assert kinds == set(KINDS)


def test_the_document_s_campaign_can_be_read(tmp_path: Path) -> None:
    text = (Path(__file__).resolve().parents[2] / "docs" / "lab.md").read_text()
    path = tmp_path / "documented.yaml"
    path.write_text(text.split("```yaml\n")[2].split("```")[0])
    found = read_campaign(path).seeds(1)
    assert found[:2] == [("crowd", 101), ("my-scan.yaml", 101)]
    assert found[2:] == [("crowd", 102), ("my-scan.yaml", 102), ("my-scan.yaml", 103)]


def test_every_run_has_a_seed_of_its_own_and_the_first_of_each_come_first() -> None:
    assert CAMPAIGN.seeds(3) == [("scans", 301), ("crowd", 301), ("scans", 302)]
    full = find_campaign("full")
    assert len(set(full.seeds(1)) | set(full.seeds(2))) == 2 * len(full.seeds(1))


def test_what_is_there_is_not_run_again(tmp_path: Path) -> None:
    (tmp_path / RECORD).write_text(RECORDED.model_dump_json())
    for run in RUNS:
        (tmp_path / run.file).touch()
    told: list[Run] = []
    record = run_campaign(CAMPAIGN, 3, tmp_path, at_once=1, command=COMMAND, done=told.append)
    assert record == RECORDED == read_record(tmp_path / RECORD)
    assert told == []


def test_a_folder_holds_one_campaign(tmp_path: Path) -> None:
    (tmp_path / RECORD).write_text(RECORDED.model_dump_json())
    with pytest.raises(ValueError, match="holds the campaign two, seed 3: name another folder"):
        run_campaign(CAMPAIGN, 4, tmp_path, at_once=1, command=COMMAND, done=lambda run: None)
    (tmp_path / RECORD).write_text("{}")
    with pytest.raises(ValueError, match=r"campaign\.json: not the record of a campaign"):
        run_campaign(CAMPAIGN, 3, tmp_path, at_once=1, command=COMMAND, done=lambda run: None)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name: x\ndescription: y\nruns: []", "runs: "),
        ("name: x\ndescription: y\nruns: [{scenario: crowd, times: 100}]", r"runs\.0\.times: "),
        ("a: [", "not YAML"),
    ],
)
def test_a_campaign_that_is_none_is_told(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(text)
    with pytest.raises(ValueError, match=said):
        read_campaign(path)


def test_unknown_names_are_told_before_anything_runs(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"no campaign fall: name a \.yaml file or one of full"):
        find_campaign("fall")
    wrong = CAMPAIGN.model_copy(
        update={"runs": (*CAMPAIGN.runs, CAMPAIGN.runs[0].model_copy(update={"scenario": "no"}))}
    )
    with pytest.raises(ValueError, match="no scenario no"):
        run_campaign(wrong, 3, tmp_path, at_once=1, command=COMMAND, done=lambda run: None)


def test_the_datasheet_counts_what_the_record_has() -> None:
    text = datasheet(RECORDED, "data/two")
    told = " ".join(text.split())
    assert "7,073 labelled flows, 70 of attacks of 2 kinds and 7,003 benign ones, in 3 files" in told
    assert "| Portscan | 70 |" in text
    assert "| no label: ambiguous | 15 |" in text
    assert "| provisional rows | 6 |" in text
    assert "| nmap | nmap | Portscan | 60 |" in text
    assert f"sudo .venv/bin/{COMMAND} --output data/two" in text
    assert text.count(".parquet` | ") == 3
