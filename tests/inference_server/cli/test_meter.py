from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import get_args

import numpy as np
import pandas as pd
import pytest
import typer
from click.testing import Result
from typer.testing import CliRunner

from capture.dialects import RULES, feature_names
from context.features import CONTEXT_NAMES
from context.stage import ContextStage
from flows.csv_files import read_csv
from flows.headers import HEADERS, own_header
from flows.parquet_files import read_parquet
from flows.schema import COMMON_NAMES
from flows.table import FlowTable
from helpers.packets import pcap, udp, write_capture
from helpers.parity import compare, reference_rows
from inference_server.cli.meter import DialectName, HeaderName, meter

ROOT = Path(__file__).resolve().parents[3]
DEMO = ROOT / "data" / "demo" / "demo.pcap"
GOLDEN = ROOT.parent / "shared" / "data" / "golden"
REFERENCE = ROOT / "tests" / "reference"

app = typer.Typer(pretty_exceptions_enable=False)
app.command()(meter)


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_own_header_has_identity_microseconds_and_a_row_a_flow(tmp_path: Path) -> None:
    result = run(DEMO, "-o", tmp_path / "flows.csv")
    rows = pd.read_csv(tmp_path / "flows.csv")
    assert result.exit_code == 0, result.output
    assert list(rows)[:8] == [
        *("Flow ID", "Src IP", "Src Port", "Dst IP", "Dst Port", "Protocol", "Timestamp", "Flow Duration"),
    ]
    assert rows["Timestamp"].str.fullmatch(r"2026-01-05 09:0\d:\d\d\.\d{6}").all()
    assert f"{len(rows)} flows of 3,410 packets" in result.output


def test_cic_2017_is_the_78_features_and_nothing_else(tmp_path: Path) -> None:
    run(DEMO, "-o", tmp_path / "flows.csv", "--header", "cic-2017")
    titles = (tmp_path / "flows.csv").read_text().splitlines()[0].split(",")
    assert len(titles) == 78
    assert [titles[0].strip(), titles[55].strip()] == ["Destination Port", "Fwd Header Length.1"]


@pytest.mark.parametrize("header", list(HEADERS))
def test_every_header_reads_back_with_the_same_flows(tmp_path: Path, header: str) -> None:
    dialect = header if header in RULES else "improved"
    for arguments in (["flows.csv", "--header", header], ["flows.parquet"]):
        result = run(DEMO, "--dialect", dialect, "-o", tmp_path / arguments[0], *arguments[1:])
        assert result.exit_code == 0, result.output
    ours = read_parquet(tmp_path / "flows.parquet")
    written = read_csv(tmp_path / "flows.csv", dialect="improved")
    assert written.column("flow_duration").tolist() == ours.column("flow_duration").tolist()


def test_header_choices_are_the_headers() -> None:
    assert get_args(HeaderName) == tuple(HEADERS)


@pytest.mark.parametrize("dialect", list(RULES))
def test_a_dialect_measures_and_its_name_travels(tmp_path: Path, dialect: str) -> None:
    capture = REFERENCE / "01_tcp_fin.pcap"
    for name in ("flows.csv", "flows.parquet"):
        result = run(capture, "-o", tmp_path / name, "--dialect", dialect)
        assert result.exit_code == 0, result.output
    ours = read_parquet(tmp_path / "flows.parquet")
    written = read_csv(tmp_path / "flows.csv")
    assert (ours.dialect, written.dialect) == (dialect, dialect)
    assert ours.feature_names == feature_names(dialect)
    assert len(ours) == len(written)
    titles = (tmp_path / "flows.csv").read_text().splitlines()[0].split(",")
    assert titles == [title for title, _ in own_header(dialect).columns]


def test_a_capture_without_flows_keeps_the_dialect(tmp_path: Path) -> None:
    write_capture(tmp_path / "empty.pcap", pcap([]))
    run(tmp_path / "empty.pcap", "-o", tmp_path / "flows.parquet", "--dialect", "cic-v4")
    table = read_parquet(tmp_path / "flows.parquet")
    assert (len(table), table.dialect) == (0, "cic-v4")


def test_dialect_choices_are_the_meter_s() -> None:
    assert get_args(DialectName) == tuple(RULES)


def test_an_unknown_dialect_is_refused(tmp_path: Path) -> None:
    result = run(DEMO, "-o", tmp_path / "flows.csv", "--dialect", "cic-v5")
    assert result.exit_code == 2
    assert "cic-v5" in result.stderr
    assert not (tmp_path / "flows.csv").exists()


@pytest.mark.parametrize(("name", "read"), [("flows.parquet", read_parquet), ("flows.csv", read_csv)])
def test_several_captures_get_a_capture_column(
    tmp_path: Path, name: str, read: Callable[[Path], FlowTable]
) -> None:
    other = tmp_path / "other.pcap"
    other.write_bytes(DEMO.read_bytes())
    result = run(DEMO, other, "-o", tmp_path / name)
    captures = read(tmp_path / name).extras["capture"].tolist()
    assert result.exit_code == 0, result.output
    assert set(captures) == {str(DEMO), str(other)}
    assert captures.count(str(DEMO)) == captures.count(str(other))


def test_a_cut_capture_gives_its_flows_and_a_warning_with_counts(tmp_path: Path) -> None:
    cut = tmp_path / "cut.pcap"
    cut.write_bytes(DEMO.read_bytes()[:100_000])
    result = run(cut, "-o", tmp_path / "flows.csv")
    flows = len(read_csv(tmp_path / "flows.csv"))
    assert result.exit_code == 0
    assert "cut off inside a record at byte 100000; 496 packets" in result.stderr
    assert f"{flows} flows up to there" in result.stderr


def test_live_rules_end_closed_flows_without_changing_their_number(tmp_path: Path) -> None:
    run(DEMO, "-o", tmp_path / "file.parquet")
    run(DEMO, "-o", tmp_path / "live.parquet", "--live-rules")
    as_file, as_live = (read_parquet(tmp_path / f"{name}.parquet") for name in ("file", "live"))
    assert len(as_live) == len(as_file)
    assert set(as_live.end_reason) != set(as_file.end_reason)


def written_to(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("absent.pcap", None, "No such file"),
        ("text.pcap", b"no capture at all\n", "not a pcap or pcapng capture"),
        ("empty.pcap", b"", "empty, not a pcap or pcapng capture"),
        ("header.pcap", DEMO.read_bytes()[:20], "cut off inside the pcap file header"),
        ("record.pcap", DEMO.read_bytes()[:30], "no packet before that"),
    ],
)
def test_what_is_no_capture_is_one_line_and_exit_code_1(
    tmp_path: Path, name: str, data: bytes | None, message: str
) -> None:
    capture = tmp_path / name
    if data is not None:
        capture.write_bytes(data)
    result = run(DEMO, capture, "-o", tmp_path / "flows.csv")
    assert result.exit_code == 1
    assert result.stderr.count("\n") == 1
    assert name in result.stderr
    assert message in result.stderr
    assert list(tmp_path.glob("*flows.csv")) == []


def test_an_old_output_survives_a_failing_run(tmp_path: Path) -> None:
    output = written_to(tmp_path / "flows.csv", b"old")
    run(written_to(tmp_path / "text.pcap", b"no capture at all\n"), "-o", output)
    assert output.read_bytes() == b"old"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-o", "flows.txt"], "must end in .parquet, .csv"),
        (["-o", "absent/flows.csv"], "the directory"),
        (["-o", "flows.parquet", "--header", "snake"], "is for .csv"),
    ],
)
def test_a_wrong_output_is_said_before_anything_is_read(
    tmp_path: Path, arguments: list[str], message: str
) -> None:
    _, output, *rest = arguments
    result = run(DEMO, "-o", tmp_path / output, *rest)
    assert result.exit_code == 1
    assert message in result.stderr


def test_the_output_may_not_be_an_input(tmp_path: Path) -> None:
    capture = written_to(tmp_path / "demo.csv", DEMO.read_bytes())
    result = run(capture, "-o", capture)
    assert result.exit_code == 1
    assert "is also an input" in result.stderr
    assert capture.read_bytes() == DEMO.read_bytes()


@pytest.mark.needs_shared
def test_the_published_rows_of_the_golden_capture(tmp_path: Path) -> None:
    run(GOLDEN / "WebattackSQLinj.pcap", "-o", tmp_path / "flows.csv")
    published = reference_rows(pd.read_csv(GOLDEN / "expected_improved_cicflowmeter.csv"))
    report = compare(published, reference_rows(pd.read_csv(tmp_path / "flows.csv")))
    assert (report.rows, report.equal, report.missing, report.extra) == (9, 9, [], []), report.examples


@pytest.mark.parametrize("capture", sorted(REFERENCE.glob("*.pcap")), ids=lambda path: path.stem)
def test_every_row_of_the_reference_captures(tmp_path: Path, capture: Path) -> None:
    run(capture, "-o", tmp_path / "flows.csv")
    expected = reference_rows(pd.read_csv(REFERENCE / "improved" / f"{capture.stem}.csv"))
    report = compare(expected, reference_rows(pd.read_csv(tmp_path / "flows.csv")), capture.stem)
    assert report.rows > 0
    assert (report.equal, report.missing) == (report.rows, []), report.examples


def test_context_is_added_and_changes_no_feature(tmp_path: Path) -> None:
    plain, with_context = tmp_path / "plain.parquet", tmp_path / "context.parquet"
    for arguments in (["-o", plain], ["-o", with_context, "--context"]):
        result = run(DEMO, *arguments)
        assert result.exit_code == 0, result.output
    flows = read_parquet(plain)
    found = read_parquet(with_context, required=(*COMMON_NAMES, *CONTEXT_NAMES))
    assert np.array_equal(found.select(COMMON_NAMES), flows.select(COMMON_NAMES), equal_nan=True)
    assert (found.column("src_flows_60s") >= 1).all()
    assert found.column("src_ports_10s").max() > 50


def test_context_needs_parquet(tmp_path: Path) -> None:
    result = run(DEMO, "-o", tmp_path / "flows.csv", "--context")
    assert result.exit_code == 1
    assert "--context is for .parquet" in result.output


def test_what_context_has_no_room_for_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "inference_server.capture_reading.ContextStage", partial(ContextStage, starts=16, kept=8)
    )
    monkeypatch.setattr("capture.meter.STARTS_AT_ONCE", 8)
    packets = [udp(at, 1, src=("10.0.0.1", 1000 + at)) for at in range(100)]
    result = run(
        write_capture(tmp_path / "many.pcap", pcap(packets)), "-o", tmp_path / "f.parquet", "--context"
    )
    assert result.exit_code == 0, result.output
    assert "92 flows have no context" in result.stderr
    assert "84 flows left the 60 s window before their time" in result.stderr
    assert "flows were looked at before they were 2 s old" in result.stderr
