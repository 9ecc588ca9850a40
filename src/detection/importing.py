"""Makes a package of a model that others trained: offline, once, and never in the serving process."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from detection.catboost_model import CatBoostModel
from detection.class_codes import class_codes
from detection.compiled import CompiledModel
from detection.estimator import MLMODEL, Estimator, load_estimator
from detection.import_card import Source, render
from detection.package import (
    ESTIMATOR,
    GOLDEN_TOLERANCE,
    MANIFEST,
    load_package,
    write_package,
)
from detection.preprocess import clean
from detection.record import BenignQuantiles, ModelRecord, Preprocessing, check_features
from detection.registry import Registry
from flows.columns import METADATA, canonical
from flows.csv_files import read_csv
from flows.dialects import known_dialect
from flows.labels import BY_CODE, find_label
from flows.parquet_files import read_parquet
from flows.schema import schema_id
from flows.table import FlowTable

GOLDEN_ROWS: Final = 256
ODD_ROWS: Final = 64
COMPARED_ROWS: Final = 50_000
LARGEST: Final = 3e38
"""What a float32 holds: scikit-learn's trees read such, and refuse more."""

AS_IT_IS: Final = Preprocessing(nan=0.0, infinity=0.0, minimum=-LARGEST, maximum=LARGEST)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What an import is to make of a model.

    Attributes:
        dialect: the rules that measured its training flows.
        benign: which of its classes is benign.
        golden: the file of flows that its golden batch is taken from.
        named: class to label, for classes that the label table does not know.
        numbers: classes that are numbers are codes of the label table.
        columns: names of its columns, for a model that has none.
        preprocessing: what its own training made of NaN, infinities and values out of range.
        threshold: the operating threshold.
        keep_pickle: an estimator without a compiled form is packed as it is.
    """

    dialect: str
    benign: str
    golden: Path
    named: Mapping[str, str] = field(default_factory=dict)
    numbers: bool = False
    columns: tuple[str, ...] = ()
    preprocessing: Preprocessing = AS_IT_IS
    threshold: float = 0.5
    keep_pickle: bool = False


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import made.

    Attributes:
        record: the model's record.
        kind: what serves it: `compiled arrays`, `CatBoost` or `pickle`.
        compared: how many flows the estimator was compared on with what serves.
        difference: the largest difference of a probability.
        warnings: what the user should know.
    """

    record: ModelRecord
    kind: str
    compared: int
    difference: float
    warnings: tuple[str, ...]


def make_package(folder: Path, wanted: Wanted, source: Source, package: Path) -> Imported:
    """Load the estimator in `folder`, compile it, compare both, and write a package.

    Loading the estimator runs the code in its file.

    Args:
        folder: an MLflow model's folder, or a .cbm file.
        wanted: what to make of it.
        source: where it is from, for the card.
        package: a directory to make.

    Raises:
        OSError: a file cannot be read or written.
        ValueError: it cannot be imported; the message says why and what to do.
    """
    estimator = load_estimator(folder)
    names = feature_names(estimator, wanted.columns)
    codes = class_codes(estimator.labels, benign=wanted.benign, named=wanted.named, numbers=wanted.numbers)
    table = read_flows(wanted.golden, names, wanted.dialect)
    model = _compiled(estimator, wanted.keep_pickle)
    if wanted.preprocessing.nan is None and model is not None and not model.takes_nan:
        raise ValueError("--nan keep: the model cannot read NaN; say what was put in its place, as --nan 0")
    rows = table.select(names)
    difference, compared = _difference(estimator, model, rows, wanted.preprocessing)
    record = _record(estimator, wanted, names, codes, table)
    imported = Imported(record, _kind(model), compared, difference, estimator.warnings)
    golden = rows[golden_places(rows)]
    _copy_estimator(folder, package)
    write_package(
        package,
        model,
        record,
        golden_rows=golden,
        golden_probabilities=estimator.probabilities(clean(golden, wanted.preprocessing)),
        card=render(record, estimator, source, imported.kind, compared, difference, wanted.golden.name),
    )
    load_package(package, allow_pickle=wanted.keep_pickle)
    return imported


def source_of(registry: Registry, uri: str, folder: Path) -> Source:
    """Return where a fetched model is from, with the figures of the run that logged it."""
    from mlflow.models import Model

    try:
        run_id = Model.load(str(folder)).run_id or ""
    except Exception:  # no MLflow model: what loads it says so
        run_id = ""
    return Source(uri, run_id, registry.run_figures(run_id) if run_id else {})


def feature_names(estimator: Estimator, columns: tuple[str, ...] = ()) -> tuple[str, ...]:
    """Return the record's names of an estimator's columns: canonical, or its own for what no set has.

    Args:
        estimator: whose columns.
        columns: their names, for an estimator that does not know them.

    Raises:
        ValueError: it has no names, their number differs, or it reads what no model may.
    """
    given = estimator.columns or columns
    if not given:
        raise ValueError(
            f"the model does not say what its {estimator.features} columns are: name them in order with "
            "--features NAME,NAME,... or a file with one name a line"
        )
    if len(given) != estimator.features:
        raise ValueError(f"--features: the model reads {estimator.features} columns, {len(given)} are named")
    names = tuple(canonical(column) or column.strip() for column in given)
    if read := [column for column, name in zip(given, names, strict=True) if name in METADATA]:
        raise ValueError(
            f"the model reads {', '.join(map(repr, read))}: addresses, ports, protocol and times are never "
            "given to a model, because they tell a data set's attackers, not attacks; train it without them"
        )
    check_features(names)
    return names


def read_flows(path: Path, names: tuple[str, ...], dialect: str) -> FlowTable:
    """Read a file of flows, .csv (.gz, .xz) or .parquet, that has the named features.

    Raises:
        OSError: it cannot be read.
        ValueError: it is no such file, holds no flow, or another dialect's; names the file.
    """
    known_dialect(dialect)
    required = tuple(dict.fromkeys(names))
    read = read_parquet if path.suffix.lower() == ".parquet" else read_csv
    table = read(path, dialect=dialect, required=required)
    if lacking := [name for name in required if name not in table.feature_names]:
        raise ValueError(f"{path}: lacks features that the model reads: {', '.join(lacking)}")
    if not len(table):
        raise ValueError(f"{path}: holds no flow: the golden batch is taken from it")
    if table.dialect != dialect:
        raise ValueError(f"{path}: was measured by dialect {table.dialect}, not --dialect {dialect}")
    return table


def golden_places(rows: NDArray[np.float64]) -> NDArray[np.intp]:
    """Return which rows make the golden batch: spread over all, and some that preprocessing must replace."""
    spread = np.linspace(0, len(rows) - 1, min(GOLDEN_ROWS, len(rows))).astype(np.intp)
    odd = np.flatnonzero(~np.isfinite(rows).all(axis=1))[:ODD_ROWS]
    return np.unique(np.concatenate([spread, odd]))


def _compiled(estimator: Estimator, keep_pickle: bool) -> CompiledModel | CatBoostModel | None:
    if estimator.flavour == "catboost":
        return CatBoostModel(estimator.fitted)
    from detection.compile_sklearn import compile_pipeline

    try:
        return compile_pipeline(estimator.fitted)
    except ValueError as error:
        if keep_pickle:
            return None
        raise ValueError(
            f"{error}; --pickle imports it as it is, to be served with ALLOW_PICKLE_MODELS=true only"
        ) from None


def _kind(model: CompiledModel | CatBoostModel | None) -> str:
    if model is None:
        return "pickle"
    return "CatBoost" if isinstance(model, CatBoostModel) else "compiled arrays"


def _difference(
    estimator: Estimator,
    model: CompiledModel | CatBoostModel | None,
    rows: NDArray[np.float64],
    rules: Preprocessing,
) -> tuple[float, int]:
    """Return the largest difference of a probability, and on how many rows."""
    places = np.linspace(0, len(rows) - 1, min(COMPARED_ROWS, len(rows))).astype(np.intp)
    cleaned = clean(rows[places], rules)
    try:
        expected = estimator.probabilities(cleaned)
    except Exception as error:  # whatever the model's own code raises
        reason = " ".join(str(error).split())
        raise ValueError(f"the model cannot score these flows: {type(error).__name__}: {reason}") from error
    answers = estimator.probabilities(cleaned) if model is None else model.probabilities(cleaned)
    worst = float(np.abs(answers - expected).max())
    # Written so that NaN fails.
    if not worst <= GOLDEN_TOLERANCE:
        raise ValueError(
            f"the compiled model's probabilities differ by {worst:.3g} from the estimator's own: please "
            "report it; --pickle imports the model as it is"
        )
    return worst, len(cleaned)


def _record(
    estimator: Estimator, wanted: Wanted, names: tuple[str, ...], codes: tuple[int, ...], table: FlowTable
) -> ModelRecord:
    rows = table.select(names)
    cleaned = clean(rows, wanted.preprocessing)
    benign = _benign(table, wanted.benign)
    probabilities = estimator.probabilities(cleaned[:COMPARED_ROWS])
    flagged = 1.0 - probabilities[:, codes.index(0)] >= wanted.threshold
    figures = {"golden flows/flagged": float(flagged.mean())}
    if benign is not None:
        known = benign[:COMPARED_ROWS]
        figures |= {
            f"golden flows/{name} flagged": float(flagged[of].mean())
            for name, of in (("benign", known), ("attacks", ~known))
            if of.any()
        }
    return ModelRecord(
        record_format=1,
        description=f"An imported {type(estimator.fitted).__name__}",
        features=names,
        schema_id=schema_id(names),
        dialect=wanted.dialect,
        classes=codes,
        class_names=tuple(BY_CODE[code].name for code in codes),
        preprocessing=wanted.preprocessing,
        threshold=wanted.threshold,
        insufficient=None,
        benign_quantiles=BenignQuantiles.of(
            cleaned if benign is None or not benign.any() else cleaned[benign]
        ),
        figures=figures,
    )


def _benign(table: FlowTable, label: str) -> NDArray[np.bool_] | None:
    """Return which flows are labelled benign, None when none has a label."""
    if "label" not in table.extras:
        return None
    texts = [str(text) for text in table.extras["label"].tolist()]
    known = {text: text == label or _is_benign(text) for text in set(texts)}
    return np.array([known[text] for text in texts], np.bool_)


def _is_benign(text: str) -> bool:
    try:
        return find_label(text).code == 0
    except ValueError:
        return False


def _copy_estimator(folder: Path, package: Path) -> None:
    """Keep the estimator's own files in the package's model/, for MLflow's tools."""
    package.mkdir(parents=True, exist_ok=True)
    if folder.is_file():
        (package / ESTIMATOR).mkdir()
        shutil.copy2(folder, package / ESTIMATOR / folder.name)
        return
    inner = folder / ESTIMATOR
    whole = (folder / MANIFEST).exists() and (inner / MLMODEL).exists()
    shutil.copytree(inner if whole else folder, package / ESTIMATOR)
