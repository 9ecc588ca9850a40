"""The command as its users run it, against the real service."""

from __future__ import annotations

import time
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner, Result

from clients.rest_client.command import app


@pytest.fixture
def dataset(labelled: pd.DataFrame, tmp_path: Path) -> str:
    labelled.to_hdf(tmp_path / "test.h5", key="ids_data", format="table")
    return f"file://{tmp_path}/test.h5"


def run(dataset: str, url: str, *arguments: str, typed: str = "") -> Result:
    return CliRunner().invoke(app, ["--dataset-uri", dataset, "--api-url", url, *arguments], input=typed)


def test_the_predecessors_dialogue(api_url: str, dataset: str) -> None:
    typed = "9\nx\n1\n0\nmany\n2\n\nr\n4\n1\nq\n"
    ran = run(dataset, api_url, "--display-overflow", "nowrap", typed=typed)
    assert ran.exit_code == 0, ran.output
    lines = [line.strip() for line in ran.stdout.splitlines()]
    assert lines[:5] == [
        "Loading dataset...",
        "Network Traffic Categories:",
        *("0 - Benign", "1 - DoS Hulk", "2 - PortScan"),
    ]
    assert lines[5] == (
        "Select a category [0 - 2], press[r] to use a random selection or press [q] to quit the program:"
    )
    assert lines.count("Invalid input. Must either be [q], [r] or a value between [0 - 2].") == 2
    assert lines.count("Invalid input. Must be a positive integer.") == 2
    assert "Select the number of samples:" in lines
    assert "Select an optional delay in ms or press any key:" in lines
    assert lines.count("Accuracy: 100.00%") == 2
    asked = [line for line in lines if line.startswith("Requesting prediction [")]
    assert len(asked) == 4
    assert asked[0].startswith("Requesting prediction [1] for label [")
    for field in ("Category: ", "Number samples: ", "Delay []: "):
        assert field in ran.stdout


def test_more_samples_than_there_are(api_url: str, dataset: str) -> None:
    ran = run(dataset, api_url, typed="2\n50\n1\nq\n")
    assert ran.exit_code == 0, ran.output
    assert "There are only 2 such flows: all are sent." in ran.stdout
    assert "Requesting prediction [2] for label [PortScan]..." in ran.stdout
    assert "Requesting prediction [3]" not in ran.stdout


def test_the_end_of_input_ends_it(api_url: str, dataset: str) -> None:
    assert run(dataset, api_url).exit_code == 0


def test_a_failure_ends_no_dialogue(dataset: str) -> None:
    ran = run(dataset, "http://127.0.0.1:9", typed="0\n1\n\n0\n1\n\nq\n")
    assert ran.exit_code == 0
    assert ran.stderr.count("error: Cannot reach http://127.0.0.1:9/api/predictions") == 2


def test_without_questions(api_url: str, dataset: str) -> None:
    began = time.monotonic()
    arguments = ("--category", "DoS Hulk", "--samples", "2", "--delay", "100", "--seed", "1")
    ran = run(dataset, api_url, *arguments)
    assert ran.exit_code == 0, ran.output
    assert time.monotonic() - began >= 0.2
    assert ran.stdout.count("Requesting prediction") == 2
    assert "Accuracy: 100.00%" in ran.stdout
    assert "Network Traffic Categories" not in ran.stdout


def test_all_flows(api_url: str, dataset: str) -> None:
    ran = run(dataset, api_url, "--all", "--details", "0")
    rows = [line.replace("│", " ").split() for line in ran.stdout.splitlines() if line.startswith("│")]
    assert ["Benign", "5", "100.00%", "100.00%"] in rows
    assert ["PortScan", "0", "2"] in rows


def test_files_without_labels(api_url: str, labelled: pd.DataFrame, tmp_path: Path) -> None:
    labelled.drop(columns="label").to_parquet(tmp_path / "t.parquet")
    ran = run(str(tmp_path / "t.parquet"), api_url, "--all")
    assert ran.exit_code == 0, ran.output
    assert "Accuracy" not in ran.stdout
    assert "predicted_label" in ran.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--all", "--samples", "1"), "--all and --samples exclude each other"),
        (("--category", "Benign"), "say how many flows to send: --samples N or --all"),
        (("--delay", "5"), "say how many flows to send"),
        (("--category", "Worms", "--all"), "--category: no 'Worms' in the dataset; there are 0 - Benign"),
        (("--dataset-uri", "ftp://x", "--all"), "Invalid dataset URI provided!"),
        (("--dataset-uri", "none.csv", "--all"), 'File ["none.csv"] not found.'),
        (("--api-url", "http://127.0.0.1:9", "--all"), "is the server running, and --api-url right?"),
    ],
)
def test_what_its_user_must_mend_is_one_line(
    api_url: str, dataset: str, arguments: tuple[str, ...], message: str
) -> None:
    ran = run(dataset, api_url, *arguments)
    assert ran.exit_code == 1
    (line,) = ran.stderr.splitlines()
    assert line.startswith("error: ")
    assert message in line
