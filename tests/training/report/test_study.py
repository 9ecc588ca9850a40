from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest

from flows.schema import COMMON_NAMES
from helpers.labelled import TREE, capture_folder, labelled_flows
from training.capture_set import read_captures
from training.evaluation import HEADLINE_ROWS
from training.report.files import BEGIN, END, put_between_markers, summary, write_report
from training.report.inputs import Inputs
from training.report.study import CROSS_NETWORK, Report, study
from training.splits import Split

FLOWS = labelled_flows()


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Report:
    captures = read_captures(capture_folder(tmp_path_factory.mktemp("captures")), COMMON_NAMES)
    told: list[str] = []
    found = study(
        Inputs(FLOWS, captures, {"elsewhere": labelled_flows(90, seed=3)}),
        TREE,
        compare=("decision-tree", "isolation-forest"),
        told=told.append,
    )
    assert "tree: grouped split" in told
    return found


def test_all_splits_stand_side_by_side(report: Report) -> None:
    assert [each.on for each in report.default.splits] == [str(split) for split in Split]
    assert [each.on for each in report.baseline.splits] == [str(split) for split in Split]
    assert [each.on for each in report.default.elsewhere] == [CROSS_NETWORK, "elsewhere"]
    assert any(each.threshold_known for each in report.default.splits)
    assert [each.kind for each in report.compared] == ["decision-tree", "isolation-forest"]
    assert report.default.on("elsewhere").evaluation.macro_f1 > 0.8  # type: ignore[union-attr]


def test_figures_have_the_names_that_the_gate_reads(report: Report) -> None:
    from detection.promotion_gate import AGREED

    assert {agreed.name for agreed in AGREED} <= report.default.metrics().keys()
    assert not report.default.skipped


def test_the_port_gives_the_classes_away(report: Report) -> None:
    leaks = {each.column for each in report.separations if each.balanced_accuracy == 1.0}
    assert "dst_port" in leaks
    random = next(each for each in report.port if each.on == str(Split.RANDOM))
    assert random.with_port.evaluation.macro_f1 >= random.without.evaluation.macro_f1


def test_the_report_is_a_page_with_pictures_and_figures(report: Report, tmp_path: Path) -> None:
    files = write_report(report, tmp_path / "report")
    page = (tmp_path / "report" / "README.md").read_text()
    for file in files:
        assert file.stat().st_size > 500
        if file.suffix == ".png":
            assert f"({file.name})" in page
    found = json.loads((tmp_path / "report" / "report.json").read_text())
    assert found["data"]["rows"] == len(FLOWS)
    assert (
        found["default"]["splits"][0]["evaluation"]["macro_f1"]
        == report.default.splits[0].evaluation.macro_f1
    )
    assert f"n >= {HEADLINE_ROWS}" in summary(report)


def test_all_flows_stand_beside_those_that_repeat_none(tmp_path: Path) -> None:
    found = study(Inputs(FLOWS, repeated=FLOWS.take(np.repeat(np.arange(len(FLOWS)), 2))), TREE)
    assert [each.kind for each in found.repeated] == [TREE.name, "plain-forest"]
    whole, few = (each.on("random split") for each in (found.repeated[0], found.default))
    assert whole is not None
    assert few is not None
    assert whole.evaluation.test_rows == pytest.approx(2 * few.evaluation.test_rows, abs=3)
    write_report(found, tmp_path)
    assert "### With the rows that repeat others" in (tmp_path / "README.md").read_text()


def test_a_recurrence_is_measured_where_torch_is(tmp_path: Path) -> None:
    found = study(Inputs(FLOWS), TREE, compare=("gru",))
    if importlib.util.find_spec("torch") is None:
        assert "torch is not installed" in found.failed["gru"]
        return
    (recurrence,) = found.compared
    assert [each.on for each in recurrence.splits] == ["random split", "time-ordered split"]
    assert all(each.evaluation.macro_f1 > 0.5 for each in recurrence.splits)


def test_without_times_addresses_and_captures_the_rest_is_measured() -> None:
    from dataclasses import replace

    from flows.table import UNKNOWN_TIME

    bare = replace(FLOWS, start_us=FLOWS.start_us * 0 + UNKNOWN_TIME)
    found = study(Inputs(bare), TREE)
    assert [each.on for each in found.default.splits] == ["random split"]
    assert found.default.skipped.keys() == {"grouped split", "time-ordered split"}
    assert found.default.captures == ()


def test_the_table_goes_between_the_markers(tmp_path: Path) -> None:
    path = tmp_path / "README.md"
    path.write_text(f"before\n\n{BEGIN}\nold\n{END}\n\nafter\n")
    put_between_markers(path, "new")
    assert path.read_text() == f"before\n\n{BEGIN}\n\nnew\n\n{END}\n\nafter\n"
    put_between_markers(path, "newer")
    assert "newer" in path.read_text()
    path.write_text("no markers")
    with pytest.raises(ValueError, match="needs the lines"):
        put_between_markers(path, "text")


def test_what_is_learned_beside_the_flows_and_what_each_part_of_it_is_worth(tmp_path: Path) -> None:
    captures = read_captures(capture_folder(tmp_path / "captures"), COMMON_NAMES)
    beside = labelled_flows(90, seed=3)
    found = study(Inputs(FLOWS, captures, beside=beside), TREE)
    assert found.beside is not None
    assert found.beside.rows == len(beside)
    assert found.unseen is None
    assert [each.name for each in found.ablations] == [
        *("without what is learned beside", "with that alone", "with the destination port")
    ]
    random, plain = (each.on("random split") for each in (found.default, found.baseline))
    assert random is not None
    assert plain is not None
    assert random.evaluation.train_rows == plain.evaluation.train_rows
    write_report(found, tmp_path / "report")
    page = (tmp_path / "report" / "README.md").read_text()
    assert "### What each part is worth" in page
    assert f"learns from {len(beside)} flows" in page
