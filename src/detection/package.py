"""The model package: what the registry keeps of a model, and what serving reads of it.

MLmodel                 entry for MLflow's own tools, pointing into model/
model/                  the estimator's own flavour
compiled/model.npz      the arrays serving scores from, or
compiled/model.cbm      what CatBoost's applier scores from, or neither: then model/ itself serves, if at all
compiled/golden.npz     raw rows and the probabilities the estimator gave for them
record.json, card.md
manifest.json           sha256 of every other file

Where something is compiled, serving never reads model/ and executes nothing of the package.
"""

from __future__ import annotations

import hashlib
import io
from pathlib import Path
from typing import Final, cast

import numpy as np
import orjson
from numpy.typing import NDArray

from detection.catboost_model import CatBoostModel
from detection.compiled import CompiledModel
from detection.model import Model
from detection.record import ModelRecord
from detection.scorer import Scorer

MANIFEST: Final = "manifest.json"
RECORD: Final = "record.json"
CARD: Final = "card.md"
MODEL: Final = "compiled/model.npz"
CATBOOST: Final = "compiled/model.cbm"
GOLDEN: Final = "compiled/golden.npz"
ESTIMATOR: Final = "model"

GOLDEN_TOLERANCE: Final = 1e-9
REGISTER_AGAIN: Final = "register the model again from a package whose files are whole"


def write_package(
    directory: Path,
    compiled: CompiledModel | CatBoostModel | None,
    record: ModelRecord,
    *,
    golden_rows: NDArray[np.float64],
    golden_probabilities: NDArray[np.float64],
    card: str,
) -> None:
    """Write a package around what `directory` holds already, such as model/, and its manifest.

    Args:
        directory: made when it is not there.
        compiled: what serves; None when that is the estimator in model/.
        record: the record.
        golden_rows: n x F raw features.
        golden_probabilities: n x C, the estimator's own answers for them.
        card: Markdown text.
    """
    (directory / "compiled").mkdir(parents=True, exist_ok=True)
    if compiled is not None:
        compiled.save(directory / (CATBOOST if isinstance(compiled, CatBoostModel) else MODEL))
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


def load_package(
    directory: Path, *, model_name: str = "", model_version: str = "", allow_pickle: bool = False
) -> Scorer:
    """Return the scorer of a package after its sums and its golden batch were checked.

    Args:
        directory: the package; of its files only `served_files` are needed and read.
        model_name, model_version: its name and version in the registry.
        allow_pickle: whether the code of an estimator that has no compiled form may run.

    Raises:
        ValueError: a file is missing, changed or unreadable, the golden batch fails, what the model needs is
            not installed, or its estimator is not compiled and may not be unpickled; the message names the
            file and what to do.
    """
    contents = _verified(directory)
    try:
        record = ModelRecord.from_json(contents[RECORD])
    except ValueError as error:
        raise ValueError(
            f"{directory / RECORD}: {error}; train or register a model made for this version"
        ) from None
    if not (allow_pickle or MODEL in contents or CATBOOST in contents):
        raise ValueError(f"{directory}: {not_compiled(model_name, model_version, dialect=record.dialect)}")
    model = _load_model(directory, contents)
    try:
        card = contents[CARD].decode(errors="replace")
        scorer = Scorer(model, record, model_name=model_name, model_version=model_version, card=card)
    except ValueError as error:
        raise ValueError(f"{directory / RECORD}: {error}; {REGISTER_AGAIN}") from None
    _check_golden(directory / GOLDEN, contents[GOLDEN], scorer)
    return scorer


def not_compiled(name: str, version: str, *, dialect: str = "DIALECT", benign: str = "LABEL") -> str:
    """Say how a registered model without a compiled form can be served."""
    return (
        "the model has no compiled form, and loading its estimator would run the code in its file; compile "
        f"it once: {import_command(name, version, dialect=dialect, benign=benign)}; or set "
        "ALLOW_PICKLE_MODELS=true if you trust it"
    )


def import_command(name: str, version: str, *, dialect: str = "DIALECT", benign: str = "LABEL") -> str:
    """Return the command that compiles a registered model."""
    return (
        f"ml-ids models import models:/{name or 'NAME'}/{version or 'VERSION'} --dialect {dialect} "
        f"--benign-label {benign} --golden FLOWS"
    )


def served_files(manifest: bytes) -> tuple[str, ...]:
    """Return the files that serving a package needs, the manifest first.

    Raises:
        ValueError: these are not the contents of a package's manifest.
    """
    return (MANIFEST, *_served_sums(manifest))


def _served_sums(manifest: bytes) -> dict[str, str]:
    """Return the sha256 of every other file that serves."""
    try:
        sums = cast(dict[str, str], orjson.loads(manifest)["sha256"])
        compiled: tuple[str, ...] = (MODEL, CATBOOST)
        serving = [name for name in compiled if name in sums][:1]
        serving = serving or [name for name in sums if name.startswith(f"{ESTIMATOR}/")] or [MODEL]
        outside = [name for name in serving if ".." in Path(name).parts]
        if outside:
            raise ValueError(f"{outside[0]} is outside of the package")
        return {name: str(sums[name]) for name in (RECORD, CARD, GOLDEN, *serving)}
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"does not list the sha256 of the package's files ({error})") from None


def _verified(directory: Path) -> dict[str, bytes]:
    """Return the served files' bytes; each matches the manifest."""
    manifest = directory / MANIFEST
    try:
        expected = _served_sums(manifest.read_bytes())
    except OSError as error:
        raise ValueError(f"{manifest}: {error.strerror}; {REGISTER_AGAIN}") from None
    except ValueError as error:
        raise ValueError(f"{manifest}: {error}; {REGISTER_AGAIN}") from None
    contents = {}
    for name, wanted in expected.items():
        try:
            contents[name] = (directory / name).read_bytes()
        except OSError as error:
            raise ValueError(f"{directory / name}: {error.strerror}; {REGISTER_AGAIN}") from None
        if _sha256(contents[name]) != wanted:
            raise ValueError(
                f"{directory / name}: is not the file {MANIFEST} lists (sha256 differs); {REGISTER_AGAIN}"
            )
    return contents


def _load_model(directory: Path, contents: dict[str, bytes]) -> Model:
    if MODEL in contents:
        try:
            return CompiledModel.load(io.BytesIO(contents[MODEL]))
        except Exception as error:  # zipfile and NumPy raise many kinds for a broken archive
            raise ValueError(f"{directory / MODEL}: {error}; {REGISTER_AGAIN}") from error
    if CATBOOST in contents:
        try:
            return CatBoostModel.from_bytes(contents[CATBOOST])
        except ModuleNotFoundError as error:
            raise ValueError(f"{directory / CATBOOST}: {error}") from None
        except ValueError as error:
            raise ValueError(f"{directory / CATBOOST}: {error}; {REGISTER_AGAIN}") from None
    from detection.estimator import load_estimator

    return load_estimator(directory / ESTIMATOR)


def _check_golden(path: Path, content: bytes, scorer: Scorer) -> None:
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as archive:
            rows, expected = archive["rows"], archive["probabilities"]
        if not len(rows):
            raise ValueError("no rows")
        worst = float(np.abs(scorer.probabilities(rows) - expected).max())
    except Exception as error:
        raise ValueError(f"{path}: {error}; {REGISTER_AGAIN}") from error
    # Written so that NaN fails.
    if not worst <= GOLDEN_TOLERANCE:
        raise ValueError(
            f"{path}: the model's probabilities differ by {worst:.3g} from those recorded with it; "
            "train it again with this version"
        )


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
