"""`ml-ids models`: what the registry has, and models that others trained."""

from __future__ import annotations

import tempfile
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer
from rich.console import Console
from rich.table import Table

from detection.model_list import Listed, list_models
from detection.promotion import promote
from detection.record import Preprocessing
from detection.registry import Registry
from inference_server.cli.reading import errors
from inference_server.cli.registry import settings_registry, told, version_of
from inference_server.settings import Settings

if TYPE_CHECKING:
    from detection.importing import Wanted

BENIGN_FIGURES: Final = ("benign captures/flagged of scored flows", "golden flows/benign flagged")
F1_FIGURES: Final = ("time-ordered split/macro f1",)
LARGEST: Final = 3e38


class Alias(StrEnum):
    """What an imported version is called."""

    CHALLENGER = "challenger"
    CHAMPION = "champion"
    NONE = "none"


Uri = Annotated[
    str,
    typer.Argument(
        metavar="URI",
        help="models:/NAME/VERSION, models:/NAME@ALIAS, runs:/ID/PATH, the folder of an MLflow model, or a "
        ".cbm file",
    ),
]
Golden = Annotated[
    Path, typer.Option(metavar="FLOWS", help="flows, .csv or .parquet, on which both are compared")
]
Columns = Annotated[
    str, typer.Option(help="names of a nameless model's columns: a comma list, or a file, a name a line")
]
Labels = Annotated[
    list[str] | None,
    typer.Option(metavar="CLASS=LABEL", help="what a class is in the label table; may be repeated"),
]
LabelCodes = Annotated[
    bool, typer.Option("--label-codes", help="classes that are numbers are codes of the label table")
]
Pickle = Annotated[
    bool,
    typer.Option("--pickle", help="keep a model without a compiled form; ALLOW_PICKLE_MODELS=true serves it"),
]

models = typer.Typer(help="The models of the registry: list them, or import one that others trained.")


@models.callback(invoke_without_command=True)
def _list_by_default(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        list_versions()


@models.command("list")
def list_versions() -> None:
    """Show every version of every model of the registry."""
    with settings_registry() as (_, registry):
        listed = list_models(registry)
        Console().print(_table(listed), markup=False)
        if not listed:
            typer.echo(f"registry {registry.name} has no model")


@models.command("import")
def import_model(
    uri: Uri,
    dialect: Annotated[str, typer.Option(help="the dialect that measured the model's training flows")],
    benign_label: Annotated[str, typer.Option(help="which of the model's classes is benign")],
    golden: Golden,
    name: Annotated[str, typer.Option(help="the registered model that gets the version")] = "ml-ids",
    alias: Annotated[Alias, typer.Option(help="what the version is called")] = Alias.CHALLENGER,
    features: Columns = "",
    label: Labels = None,
    label_codes: LabelCodes = False,
    nan: Annotated[str, typer.Option(help="what NaN becomes; keep: the model's trees decide")] = "0",
    infinity: Annotated[float, typer.Option(help="what infinity becomes")] = 0.0,
    minimum: Annotated[float, typer.Option(help="lower values become this")] = -LARGEST,
    maximum: Annotated[float, typer.Option(help="higher values become this")] = LARGEST,
    threshold: Annotated[float, typer.Option(help="attack at or above this 1 - P(benign)")] = 0.5,
    pickle: Pickle = False,
) -> None:
    """Compile a model that others trained, check it, and register it.

    scikit-learn and CatBoost models as MLflow keeps them. Loading one runs the code in its file: import only
    what you trust. It happens here, once; the service then reads plain arrays.

    --nan, --infinity, --minimum and --maximum must do to flows what was done to those the model learned from.
    """
    with settings_registry() as (settings, registry):
        from detection.importing import Wanted

        wanted = Wanted(
            dialect=dialect,
            benign=benign_label,
            golden=golden,
            named=_pairs(label or []),
            numbers=label_codes,
            columns=_names(features),
            preprocessing=Preprocessing(nan=_nan(nan), infinity=infinity, minimum=minimum, maximum=maximum),
            threshold=threshold,
            keep_pickle=pickle,
        )
        _import(settings, registry, uri, wanted, name, alias)


def _import(
    settings: Settings, registry: Registry, uri: str, wanted: Wanted, name: str, alias: Alias
) -> None:
    from detection.importing import make_package, source_of

    with tempfile.TemporaryDirectory(prefix="ml-ids-import-") as scratch:
        with errors.status(f"fetching {uri}"):
            folder = Path(uri) if Path(uri).exists() else registry.fetch(uri, Path(scratch) / "fetched")
        package = Path(scratch) / "package"
        with errors.status("compiling and comparing"):
            made = make_package(folder, wanted, source_of(registry, uri, folder), package)
        for warning in made.warnings:
            errors.print(f"warning: {warning}", style="yellow", markup=False)
        version = registry.register(package, name)
    typer.echo(
        f"{version}: {made.kind}, {len(made.record.features)} features, {len(made.record.classes)} classes; "
        f"on {made.compared:,} flows the probabilities are the estimator's within {made.difference:.1e}"
    )
    if alias is not Alias.NONE:
        promotion = promote(registry, version_of(f"{version.name}/{version.number}", settings), alias=alias)
        typer.echo(told(promotion, alias, settings.model_poll_seconds))


def _pairs(texts: list[str]) -> dict[str, str]:
    pairs = {}
    for text in texts:
        name, equals, label = text.partition("=")
        if not equals:
            raise ValueError(f"--label {text!r}: write CLASS=LABEL, as in --label 1='DoS Hulk'")
        pairs[name] = label
    return pairs


def _names(text: str) -> tuple[str, ...]:
    if text and Path(text).is_file():
        parts = Path(text).read_text(encoding="utf-8").splitlines()
    else:
        parts = text.split(",")
    return tuple(part.strip() for part in parts if part.strip())


def _nan(text: str) -> float | None:
    if text == "keep":
        return None
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"--nan {text!r}: write a number, or keep") from None


def _table(listed: list[Listed]) -> Table:
    table = Table("model", "version", "aliases", "dialect")
    for title in ("features", "threshold", "benign flagged", "macro F1, later days"):
        table.add_column(title, justify="right")
    table.add_column("registered, UTC")
    for each in listed:
        table.add_row(
            each.name,
            each.number,
            ", ".join(each.aliases),
            each.dialect or "not a package: ml-ids models import",
            each.features,
            _shortened(each.threshold),
            _figure(each, BENIGN_FIGURES, ".2%"),
            _figure(each, F1_FIGURES, ".4f"),
            f"{each.created:%Y-%m-%d %H:%M}",
        )
    return table


def _figure(listed: Listed, names: tuple[str, ...], form: str) -> str:
    found = [listed.figures[name] for name in names if name in listed.figures]
    return format(found[0], form) if found else ""


def _shortened(threshold: str) -> str:
    return f"{float(threshold):.6g}" if threshold else ""
