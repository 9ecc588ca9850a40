from __future__ import annotations

import time

import pytest

from flows.archive_writer import ArchiveWriter
from flows.parquet_files import write_parquet
from helpers.flows import flow_table
from inference_server.cli.inputs import chosen_inputs
from inference_server.cli.reading import ReadingBar
from inference_server.settings import load_settings


@pytest.fixture
def settings(tmp_path):
    return load_settings(state_dir=tmp_path / "var")


def archive(directory, ends_us):
    ArchiveWriter(directory, 10**9).write(flow_table(len(ends_us), end_us=ends_us), "2026-11-21T10")


@pytest.mark.parametrize(
    ("last", "seconds"), [("90s", 90), ("30m", 1800), ("24h", 86_400), ("1.5h", 5400), ("7d", 604_800)]
)
def test_last_is_a_time_before_now(settings, last, seconds):
    settings.flows_dir.mkdir(parents=True)
    write_parquet(flow_table(1), settings.flows_dir / "2026-11-21T10.parquet")
    before = time.time()
    inputs = chosen_inputs(None, last, settings)
    assert inputs.paths == (settings.flows_dir,)
    assert before - seconds - 1e-5 <= inputs.since_us / 1e6 <= time.time() - seconds + 1e-5


@pytest.mark.parametrize("last", ["24", "h", "-1h", "1w", "24 h", ""])
def test_other_times_are_refused(settings, tmp_path, last):
    archive(tmp_path, flow_table(1).end_us)
    with pytest.raises(ValueError, match=f"--last {last}: not a time such as 90s"):
        chosen_inputs([tmp_path], last, settings)


def test_an_archive_is_read_since_then(settings, tmp_path):
    now = int(time.time() * 1e6)
    table = flow_table(3)
    archive(tmp_path / "flows", table.end_us + (now - table.end_us[1] - 1_000_000))
    inputs = chosen_inputs([tmp_path / "flows"], "1h", settings)
    with ReadingBar(inputs.paths) as bar:
        assert sum(len(part) for _, part in inputs.tables(bar)) == 3
    inputs = chosen_inputs([tmp_path / "flows"], "1s", settings)
    with ReadingBar(inputs.paths) as bar:
        assert sum(len(part) for _, part in inputs.tables(bar)) <= 2


def test_nothing_named(settings):
    with pytest.raises(ValueError, match="name captures or flows, or say --last 24h"):
        chosen_inputs(None, None, settings)


def test_a_directory_that_is_no_archive(settings, tmp_path):
    with pytest.raises(ValueError, match="holds no archived flows"):
        chosen_inputs([tmp_path], None, settings)


def test_a_time_is_for_archives_only(settings, tmp_path):
    (tmp_path / "a.pcap").touch()
    with pytest.raises(ValueError, match=r"a\.pcap: --last is for an archive of flows"):
        chosen_inputs([tmp_path / "a.pcap"], "24h", settings)
