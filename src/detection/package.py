"""The model package: what the registry keeps of a model, and what serving reads of it.

MLmodel                 entry for MLflow's own tools, pointing into model/
model/                  the estimator's own flavour; serving never reads it
compiled/model.npz      the arrays serving scores from
compiled/golden.npz     raw rows and the probabilities scikit-learn gave for them
record.json, card.md
manifest.json           sha256 of every other file
"""

from __future__ import annotations

import hashlib
import io
from pathlib import Path
from typing import Final

import numpy as np
import orjson
from numpy.typing import NDArray

from detection.compiled import CompiledModel
from detection.record import ModelRecord
from detection.scorer import Scorer

MANIFEST: Final = "manifest.json"
RECORD: Final = "record.json"
CARD: Final = "card.md"
MODEL: Final = "compiled/model.npz"
GOLDEN: Final = "compiled/golden.npz"
SERVED_FILES: Final = (MANIFEST, RECORD, CARD, MODEL, GOLDEN)
ESTIMATOR: Final = "model"

GOLDEN_TOLERANCE: Final = 1e-9
REMEDY: Final = "register the model again from a package whose files are whole"


def write_package(
    directory: Path,
    compiled: CompiledModel,
    record: ModelRecord,
    *,
    golden_rows: NDArray[np.float64],
    golden_probabilities: NDArray[np.float64],
    card: str,
) -> None:
    """Write a package around what `directory` holds already, such as model/, and its manifest.

    Args:
        directory: made when it is not there.
        compiled: the arrays.
        record: the record.
        golden_rows: n x F raw features.
        golden_probabilities: n x C, the estimator's own answers for them.
        card: Markdown text.
    """
    (directory / "compiled").mkdir(parents=True, exist_ok=True)
    compiled.save(directory / MODEL)
    np.savez_compressed(directory / GOLDEN, rows=golden_rows, probabilities=golden_probabilities)
    (directory / RECORD).write_text(record.to_json(), encoding="utf-8")
    (directory / CARD).write_text(card, encoding="utf-8")
    write_manifest(directory)


def write_manifest(directory: Path) -> None:
    """Write the sha256 of every other file below `directory`."""
    files = sorted(path for path in directory.rglob("*") if path.is_file())
    names = {path.relative_to(directory).as_posix(): path for path in files}
    sums = {name: _sha256(path.read_bytes()) for name, path in names.items() if name != MANIFEST}
    text = orjson.dumps({"sha256": sums}, option=orjson.OPT_INDENT_2)
    (directory / MANIFEST).write_bytes(text + b"\n")


def load_package(directory: Path, *, model_name: str = "", model_version: str = "") -> Scorer:
    """Return the scorer of a package after its sums and its golden batch were checked.

    Files below model/ are neither needed nor read. Nothing in the package is executed.

    Raises:
        ValueError: a file is missing, changed or unreadable, or the golden batch fails; the message
            names the file and what to do.
    """
    contents = _verified(directory)
    try:
        record = ModelRecord.from_json(contents[RECORD])
    except ValueError as error:
        raise ValueError(
            f"{directory / RECORD}: {error}; train or register a model made for this version"
        ) from None
    compiled = _load_arrays(directory / MODEL, contents[MODEL])
    try:
        scorer = Scorer(compiled, record, model_name=model_name, model_version=model_version)
    except ValueError as error:
        raise ValueError(f"{directory / RECORD}: {error}; {REMEDY}") from None
    _check_golden(directory / GOLDEN, contents[GOLDEN], scorer)
    return scorer


def _verified(directory: Path) -> dict[str, bytes]:
    """Return the served files' bytes; each matches the manifest."""
    manifest = directory / MANIFEST
    try:
        sums = orjson.loads(manifest.read_bytes())["sha256"]
        expected = {name: str(sums[name]) for name in SERVED_FILES if name != MANIFEST}
    except OSError as error:
        raise ValueError(f"{manifest}: {error.strerror}; {REMEDY}") from None
    except (orjson.JSONDecodeError, KeyError, TypeError) as error:
        raise ValueError(
            f"{manifest}: does not list the sha256 of the package's files ({error}); {REMEDY}"
        ) from None
    contents = {}
    for name, wanted in expected.items():
        try:
            contents[name] = (directory / name).read_bytes()
        except OSError as error:
            raise ValueError(f"{directory / name}: {error.strerror}; {REMEDY}") from None
        if _sha256(contents[name]) != wanted:
            raise ValueError(
                f"{directory / name}: is not the file {MANIFEST} lists (sha256 differs); {REMEDY}"
            )
    return contents


def _load_arrays(path: Path, content: bytes) -> CompiledModel:
    try:
        return CompiledModel.load(io.BytesIO(content))
    except Exception as error:  # zipfile and NumPy raise many kinds for a broken archive
        raise ValueError(f"{path}: {error}; {REMEDY}") from error


def _check_golden(path: Path, content: bytes, scorer: Scorer) -> None:
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as archive:
            rows, expected = archive["rows"], archive["probabilities"]
        if not len(rows):
            raise ValueError("no rows")
        worst = float(np.abs(scorer.probabilities(rows) - expected).max())
    except Exception as error:
        raise ValueError(f"{path}: {error}; {REMEDY}") from error
    # Written so that NaN fails.
    if not worst <= GOLDEN_TOLERANCE:
        raise ValueError(
            f"{path}: the model's probabilities differ by {worst:.3g} from those recorded with it; "
            "train it again with this version"
        )


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
