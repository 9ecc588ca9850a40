"""`ml-ids train`: from labelled flows, and the operator's own, to a challenger in the registry."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from detection.model_uri import parse_model_uri
from detection.promotion import promote
from detection.registry import CHALLENGER, Registry
from flows.kdd99 import FEATURES as KDD99
from inference_server.champion import champion_for_commands
from inference_server.cli.data_options import reading
from inference_server.cli.engine import Engine
from inference_server.cli.inputs import LAST_HELP, Inputs, chosen_inputs
from inference_server.cli.reading import ReadingBar, errors
from inference_server.cli.registry import model_name, settings_registry, told, version_of

if TYPE_CHECKING:
    from inference_server.settings import Settings
    from training.baseline import Baseline
    from training.dataset import LabelledFlows
    from training.recipe import Recipe
    from training.search import Bounds
    from training.train import Trained

FEEDBACK: Final = "feedback"
KDD99_NAME: Final = "kdd99"


Data = Annotated[
    list[str],
    typer.Option(
        metavar="LOCATION",
        help="the base set: labelled flows, attacks among them: a file (.parquet, .csv, .h5), a capture "
        "with label rules, a folder of these, or a URL (s3, http, influxdb); may be repeated",
    ),
]
Own = Annotated[
    list[Path] | None,
    typer.Option(
        metavar="CAPTURE_OR_FLOWS",
        help="your own traffic, taken to be benign: a capture, a file of flows, or the directory of an "
        "archive; may be repeated; this sensor's own archive when only --last is given",
    ),
]
Labels = Annotated[
    str | None,
    typer.Option(
        metavar="feedback|LOCATION",
        help="labelled alerts that join the base set: this sensor's own, or what GET /api/labels gave",
    ),
]


Context = Annotated[
    bool,
    typer.Option(
        "--context/--no-context",
        help="what hosts did before a flow is read too, where the data tell it; live capture measures it "
        "while such a model serves",
    ),
]
Sample = Annotated[
    int | None,
    typer.Option(
        "--sample",
        min=1000,
        metavar="ROWS",
        help="of Parquet files that memory does not hold: read piece by piece, so many rows, of all classes "
        "alike",
    ),
]
TrainEngine = Annotated[
    Engine,
    typer.Option("--engine", help="whose cores fit: this machine's, or those of RAY_ADDRESS's cluster"),
]


def train(
    data: Data,
    estimator: Annotated[
        str, typer.Option(metavar="NAME", help="what is fitted; an unknown name lists all")
    ] = "stacked",
    param: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KEY=VALUE|FILE.json",
            help="a parameter of the estimator, or a file of them; may be repeated",
        ),
    ] = None,
    binary: Annotated[bool, typer.Option("--binary", help="all attacks are one class")] = False,
    search: Annotated[
        int, typer.Option(min=0, metavar="TRIALS", help="search for better parameters with so many trials")
    ] = 0,
    search_seconds: Annotated[
        float, typer.Option(min=1, metavar="SECONDS", help="end the search after this time")
    ] = 3600.0,
    seed: Annotated[int, typer.Option(min=0, help="of all that is random")] = 42,
    baseline: Own = None,
    last: Annotated[str | None, typer.Option(metavar="TIME", help=LAST_HELP)] = None,
    labels: Labels = None,
    context: Context = False,
    sample: Sample = None,
    engine: TrainEngine = Engine.LOCAL,
    name: Annotated[
        str | None,
        typer.Option(
            metavar="MODEL", help="the registered model; default: that of the settings, by the data"
        ),
    ] = None,
) -> None:
    """Train a model on a base set, and on your own traffic and labels; it becomes the challenger."""
    with settings_registry() as (settings, registry):
        chosen = chosen_inputs(baseline, last, settings) if baseline or last else None
        try:
            from training.estimators import kind_named
            from training.recipe import Recipe
            from training.search import Bounds
        except ModuleNotFoundError as error:
            raise ValueError(f"training needs {error.name}: pip install 'ml-ids[sensor,training]'") from None

        recipe = Recipe(kind_named(estimator), parameters(param or []), seed, binary)
        recipe.kind.check(recipe.params)
        if context:
            _check_context(recipe, own=bool(chosen or labels), sample=sample)
        base = _base(data, labels, settings, sample, context=context)
        found = None if chosen is None else _baseline(chosen, base.dialect)
        bounds = Bounds(search, search_seconds) if search else None
        with tempfile.TemporaryDirectory(prefix="ml-ids-train-") as scratch:
            package = Path(scratch) / "package"
            with _fitting(engine):
                trained = _train(settings, base, found, recipe, bounds, package)
            _register(settings, registry, package, trained, base, [*data, *filter(None, [labels])], name)


def _fitting(engine: Engine) -> AbstractContextManager[None]:
    if engine is Engine.LOCAL:
        return nullcontext()
    try:
        from training.on_ray import fitting_on_ray
    except ModuleNotFoundError as error:
        raise ValueError(
            f"--engine ray needs {error.name}: pip install 'ml-ids[sensor,training,ray]'"
        ) from None
    return fitting_on_ray()


def _check_context(recipe: Recipe, *, own: bool, sample: int | None) -> None:
    """Raise ValueError when a model of this recipe, or what it is trained on, cannot have context."""
    from training.estimators import TAKES_NAN

    if sample is not None:
        raise ValueError("--context goes without --sample: it is told by whole captures")
    if own:
        raise ValueError("--context goes without --baseline, --last and --labels: these do not tell it")
    if not recipe.kind.takes_nan:
        raise ValueError(f"--context: name an --estimator that reads NaN: {', '.join(TAKES_NAN)}")


def parameters(given: list[str]) -> dict[str, Any]:
    """Return the parameters that options give: KEY=VALUE, or a file of a JSON object.

    Raises:
        OSError: a file cannot be read.
        ValueError: one is neither.
    """
    found: dict[str, Any] = {}
    for text in given:
        key, is_pair, value = text.partition("=")
        if is_pair:
            found[key.strip()] = _value(value.strip())
            continue
        content = json.loads(Path(text).read_text(encoding="utf-8"))
        if not isinstance(content, dict):
            raise ValueError(f"--param {text}: must hold an object of parameters")
        found |= content
    return found


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text


def _base(
    data: list[str], labels: str | None, settings: Settings, sample: int | None, *, context: bool
) -> LabelledFlows:
    from training.cleaning import tidied
    from training.dataset import joined
    from training.sources.feedback import feedback_flows
    from training.sources.read import ReadOptions, read_training_data
    from training.sources.sample import sampled_training_data

    with reading(data) as fetching:
        options = ReadOptions(context=context, fetching=fetching)
        if sample is None:
            base = read_training_data(data, options=options)
        else:
            base = sampled_training_data(data, sample, options=options)
        if labels is None:
            return base
        more = (
            feedback_flows(settings.alerts_file, base.dialect, base.names)
            if labels == FEEDBACK
            else read_training_data([labels], options=options)
        )
    errors.print(f"{len(more):,} labelled flows of {labels} join {len(base):,} of the base set", markup=False)
    return tidied(joined([base, more]))


def _baseline(inputs: Inputs, dialect: str) -> Baseline:
    from training.baseline import BaselineSample

    sample, left_out = BaselineSample(), 0
    with ReadingBar(inputs.paths) as bar:
        for path, table in inputs.tables(bar):
            if table.dialect != dialect:
                left_out += len(table)
                continue
            try:
                sample.add(table)
            except KeyError as error:
                raise ValueError(f"{path}: lacks features that training reads: {error.args[0]}") from None
        if left_out:
            bar.warn(f"{left_out:,} flows of another dialect left out: the base set is of {dialect}")
    return sample.baseline()


def _train(
    settings: Settings,
    base: LabelledFlows,
    baseline: Baseline | None,
    recipe: Recipe,
    bounds: Bounds | None,
    package: Path,
) -> Trained:
    from training.train import STAGES, train_model

    champion = None if baseline is None else champion_for_commands(settings)
    columns = (SpinnerColumn(), BarColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=errors) as progress:
        return train_model(
            base,
            package,
            recipe=recipe,
            baseline=baseline,
            champion=champion,
            bounds=bounds,
            stage=_stages(progress, STAGES + (bounds is not None)),
        )


def _stages(progress: Progress, count: int) -> Callable[[str], None]:
    """Return what moves a bar on when a stage begins."""
    task = progress.add_task("", total=count, completed=-1)

    def begin(text: str) -> None:
        progress.console.print(text, markup=False)
        progress.update(task, advance=1, description=text)

    return begin


def _register(
    settings: Settings,
    registry: Registry,
    package: Path,
    trained: Trained,
    base: LabelledFlows,
    locations: list[str],
    name: str | None,
) -> None:
    from training.tracking import origin_of, recipe_params

    origin = origin_of([base], locations, recipe_params(trained.recipe))
    version = registry.register(
        package, name or _model_name(settings, base), params=origin.params, tags=origin.tags
    )
    typer.echo(f"{version}: {_found(trained)}")
    wanted = version_of(f"{version.name}/{version.number}", settings)
    typer.echo(told(promote(registry, wanted, alias=CHALLENGER), CHALLENGER, settings.model_poll_seconds))
    typer.echo(
        f"to let it serve: ml-ids promote {version.name}/{version.number}; where a champion serves, first, "
        "for it and this one, on the base set: ml-ids evaluate --all --data FLOWS --model VERSION"
    )


def _found(trained: Trained) -> str:
    whose = "benign flows held out"
    if "baseline/benign flagged" in trained.record.figures:
        whose = "latest flows of the baseline"
    before = ""
    if trained.champion_flagged is not None:
        before = f" (the model that serves: {trained.champion_flagged:.3%})"
    return (
        f"threshold {trained.record.threshold:.6f} flags {trained.flagged:.3%} of the {trained.held:,} "
        f"{whose}{before}; macro F1 {trained.evaluation.macro_f1:.4f} on the {trained.split} of the base set"
    )


def _model_name(settings: Settings, base: LabelledFlows) -> str:
    """Return the model that such flows are for: the sensor's, or that of KDD99 clients."""
    if base.names != KDD99:
        return model_name(settings)
    return parse_model_uri(settings.kdd_model_name).name if settings.kdd_model_name else KDD99_NAME
