from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from detection.package import (
    CARD,
    CATBOOST,
    GOLDEN,
    MANIFEST,
    MODEL,
    RECORD,
    load_package,
    served_files,
    write_manifest,
)
from helpers.models import (
    make_catboost_package,
    make_package,
    make_pickle_package,
    make_record,
    typical_table,
)

SERVE = """
import sys
from pathlib import Path
import numpy as np
import detection.registry, detection.worker
from detection.package import load_package
from flows.schema import COMMON_NAMES
from flows.table import FlowTable
scorer = load_package(Path(sys.argv[1]))
assert len(scorer.score(FlowTable.from_features(np.ones((2, 76)), COMMON_NAMES, "improved"))) == 2
print(*[name for name in ("sklearn", "skops", "joblib", "cloudpickle", "pandas") if name in sys.modules])
"""


@pytest.fixture
def package(tmp_path: Path) -> Path:
    return make_package(tmp_path)


def test_a_written_package_scores(package: Path) -> None:
    scorer = load_package(package, model_name="ml-ids", model_version="3")
    assert scorer.record == make_record()
    verdicts = scorer.score(typical_table([0, 5]))
    assert verdicts.code.tolist() == [0, 5]
    assert (verdicts.model_name, verdicts.model_version) == ("ml-ids", "3")


def test_the_manifest_lists_every_other_file(package: Path) -> None:
    files = {path.relative_to(package).as_posix() for path in package.rglob("*") if path.is_file()}
    listed = set(json.loads((package / "manifest.json").read_text())["sha256"])
    assert listed == files - {"manifest.json"}
    assert {"card.md", "record.json", "model/model.skops", MODEL, GOLDEN} <= listed


def test_equal_models_make_equal_files(tmp_path: Path) -> None:
    one, other = make_package(tmp_path / "one"), make_package(tmp_path / "other")
    assert (one / "manifest.json").read_bytes() == (other / "manifest.json").read_bytes()


def test_the_estimator_is_not_read(package: Path) -> None:
    (package / "model" / "model.skops").unlink()
    load_package(package)


@pytest.mark.parametrize("name", ["record.json", "card.md", MODEL, GOLDEN])
def test_names_a_changed_or_missing_file(package: Path, name: str) -> None:
    path = package / name
    path.write_bytes(path.read_bytes() + b" ")
    with pytest.raises(ValueError, match=rf"{name}: is not the file manifest.json lists.*register"):
        load_package(package)
    path.unlink()
    with pytest.raises(ValueError, match=rf"{name}: No such file or directory; register"):
        load_package(package)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"sha256": {"card.md": "0"}}', '{"sha256": 3}'])
def test_names_a_useless_manifest(package: Path, text: str) -> None:
    (package / "manifest.json").write_text(text)
    with pytest.raises(ValueError, match=r"manifest.json: does not list.*register"):
        load_package(package)


def test_names_a_missing_manifest(package: Path) -> None:
    (package / "manifest.json").unlink()
    with pytest.raises(ValueError, match=r"manifest.json: No such file or directory; register"):
        load_package(package)


def test_names_the_records_wrong_field(package: Path) -> None:
    path = package / RECORD
    path.write_text(path.read_text().replace('"threshold": 0.5', '"threshold": 5'))
    write_manifest(package)
    with pytest.raises(ValueError, match=r"record.json: threshold: 5.0 is not above 0.*train or register"):
        load_package(package)


def test_names_a_record_that_does_not_fit_the_arrays(package: Path) -> None:
    (package / RECORD).write_text(make_record(classes=(0, 5)).to_json())
    write_manifest(package)
    with pytest.raises(ValueError, match=r"record.json: the model has 76 features and 3 classes"):
        load_package(package)


@pytest.mark.parametrize("name", [MODEL, GOLDEN])
@pytest.mark.parametrize("content", [b"", b"not a zip", b"PK\x03\x04 cut off", b"\x93NUMPY\x01\x00"])
def test_names_broken_arrays(package: Path, name: str, content: bytes) -> None:
    (package / name).write_bytes(content)
    write_manifest(package)
    with pytest.raises(ValueError, match=f"{name}: .*; register"):
        load_package(package)


def test_a_model_that_scores_otherwise_does_not_serve(package: Path) -> None:
    with np.load(package / GOLDEN) as golden:
        rows, probabilities = golden["rows"], golden["probabilities"]
    probabilities[3, 0] += 2e-9
    np.savez(package / GOLDEN, rows=rows, probabilities=probabilities)
    write_manifest(package)
    with pytest.raises(
        ValueError, match=r"golden.npz: the model's probabilities differ by 2e-09.*train it again"
    ):
        load_package(package)
    probabilities[3, 0] = np.nan
    np.savez(package / GOLDEN, rows=rows, probabilities=probabilities)
    write_manifest(package)
    with pytest.raises(ValueError, match=r"golden.npz: .*differ by nan"):
        load_package(package)


@pytest.mark.parametrize("rows", [0, 3])
def test_a_golden_batch_of_another_shape_fails(package: Path, rows: int) -> None:
    np.savez(package / GOLDEN, rows=np.ones((rows, 76)), probabilities=np.ones((rows, 2)))
    write_manifest(package)
    with pytest.raises(ValueError, match=r"golden.npz: "):
        load_package(package)


def test_serving_needs_neither_scikit_learn_nor_pickles(package: Path) -> None:
    made = subprocess.run(
        [sys.executable, "-c", SERVE, str(package)], capture_output=True, text=True, timeout=300, check=True
    )
    assert made.stdout.split() == []


def test_serving_fetches_what_it_reads_and_no_more(package: Path, tmp_path: Path) -> None:
    always = {MANIFEST, RECORD, CARD, GOLDEN}
    assert {*served_files((package / MANIFEST).read_bytes())} == always | {MODEL}
    pickled = make_pickle_package(tmp_path / "pickled")
    files = {*served_files((pickled / MANIFEST).read_bytes())}
    assert {*files} - always == {
        path.relative_to(pickled).as_posix() for path in (pickled / "model").rglob("*") if path.is_file()
    }


def test_a_manifest_that_leads_outside_is_refused(tmp_path: Path) -> None:
    package = make_pickle_package(tmp_path)
    manifest = json.loads((package / MANIFEST).read_text())
    manifest["sha256"]["model/../../secret"] = "0"
    (package / MANIFEST).write_text(json.dumps(manifest))
    with pytest.raises(ValueError, match=r"model/../../secret is outside of the package"):
        load_package(package, allow_pickle=True)


def test_a_catboost_package_scores_and_is_checked(tmp_path: Path) -> None:
    package = make_catboost_package(tmp_path)
    assert load_package(package).score(typical_table([0, 5, 17])).code.tolist() == [0, 5, 17]
    with np.load(package / GOLDEN) as golden:
        rows, probabilities = golden["rows"], golden["probabilities"]
    np.savez(package / GOLDEN, rows=rows, probabilities=probabilities[:, ::-1])
    write_manifest(package)
    with pytest.raises(ValueError, match=r"golden.npz: the model's probabilities differ"):
        load_package(package)
    (package / CATBOOST).write_bytes(b"no model")
    write_manifest(package)
    with pytest.raises(ValueError, match=r"model.cbm: not a CatBoost model: .*; register"):
        load_package(package)


def test_a_catboost_package_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = make_catboost_package(tmp_path)
    monkeypatch.setitem(sys.modules, "catboost", None)
    with pytest.raises(ValueError, match=r"model.cbm: .*pip install 'ml-ids\[catboost\]'"):
        load_package(package)


def test_a_pickle_is_loaded_only_when_allowed_and_then_checked(tmp_path: Path) -> None:
    package = make_pickle_package(tmp_path)
    command = (
        "ml-ids models import models:/mine/7 --dialect improved --benign-label LABEL --golden FLOWS; "
        "or set ALLOW_PICKLE_MODELS=true"
    )
    with pytest.raises(ValueError, match=command):
        load_package(package, model_name="mine", model_version="7")
    scorer = load_package(package, allow_pickle=True)
    assert scorer.score(typical_table([0, 5, 17])).code.tolist() == [0, 5, 17]
    estimator = package / "model" / "model.pkl"
    estimator.write_bytes(estimator.read_bytes() + b" ")
    with pytest.raises(ValueError, match=r"model.pkl: is not the file manifest.json lists"):
        load_package(package, allow_pickle=True)
