"""The card of an imported model: what is known of it, and what is not."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version

from detection.estimator import Estimator
from detection.record import ModelRecord


@dataclass(frozen=True, slots=True)
class Source:
    """Where a model is from.

    Attributes:
        uri: as the user gave it.
        run_id: the MLflow run that logged it, "" when unknown.
        figures: that run's metrics.
    """

    uri: str
    run_id: str = ""
    figures: Mapping[str, float] = field(default_factory=dict)


def render(
    record: ModelRecord,
    estimator: Estimator,
    source: Source,
    kind: str,
    compared: int,
    difference: float,
    golden: str,
) -> str:
    """Return the card's Markdown.

    Args:
        record: the model's record.
        estimator: the model itself.
        source: where it is from.
        kind: what serves it.
        compared: on how many flows it was compared with the estimator.
        difference: the largest difference of a probability.
        golden: name of the file these flows are from.
    """
    rules = record.preprocessing
    nan = "stays" if rules.nan is None else f"becomes {rules.nan:g}"
    classes = zip(estimator.labels, record.class_names, record.classes, strict=True)
    parts = [
        "# Model card: an imported model",
        f"{record.description}, from `{source.uri}`"
        + (f" (run `{source.run_id}`)" if source.run_id else "")
        + f", imported with {_versions(estimator.flavour)}. What it was trained on, and how well it does on "
        "other networks, is known to who trained it; ML-IDS has measured only what stands here.",
        _bullets(
            f"Reads {len(record.features)} features (schema `{record.schema_id}`), dialect "
            f"`{record.dialect}`, as the importer said.",
            f"Served by: {kind}. On {compared:,} flows of `{golden}` its probabilities are the estimator's "
            f"own within {difference:.1e}.",
            f"NaN {nan}, infinity becomes {rules.infinity:g}, other values are kept between "
            f"{rules.minimum:g} and {rules.maximum:g}.",
            f"The operating threshold on 1 - P(benign) is {record.threshold:.6g}.",
        ),
        "## Classes",
        "| class of the model | label | code |\n| --- | --- | ---: |\n"
        + "\n".join(f"| {own} | {label} | {code} |" for own, label, code in classes),
        f"## Figures on `{golden}`",
        _bullets(*(f"{name}: {value:.2%}" for name, value in record.figures.items())),
    ]
    if source.figures:
        parts += [
            "## Figures of the run that trained it",
            _bullets(*(f"{name}: {value:.6g}" for name, value in source.figures.items())),
        ]
    if estimator.warnings:
        parts += ["## Said while it was loaded", _bullets(*estimator.warnings)]
    return "\n\n".join(parts) + "\n"


def _versions(flavour: str) -> str:
    names = {"sklearn": "scikit-learn"}.get(flavour, flavour)
    try:
        return f"Python {platform.python_version()}, {names} {version(names)}"
    except PackageNotFoundError:
        return f"Python {platform.python_version()}"


def _bullets(*lines: str) -> str:
    return "\n".join(f"- {line}" for line in lines)
