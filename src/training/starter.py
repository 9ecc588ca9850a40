"""Trains the starter model: python -m training.starter --data FLOWS --captures FOLDER --out FOLDER.

With --report and --readme it also writes what `ml-ids evaluate --all` writes, from the same fits.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Annotated

import typer

from detection.scorer import Scorer
from training.capture_set import Capture, read_captures
from training.captures import figures, operating_threshold, score_captures
from training.card import Findings, render
from training.compiling import compiled
from training.estimators import DEFAULT, kind_named
from training.recipe import BENIGN_SHARE, Recipe, draft_record, write_model
from training.report.files import put_between_markers, summary, write_report
from training.report.inputs import Inputs
from training.report.study import Report, Studied, report_of, study_kind
from training.sources.read import ReadOptions, read_training_data, with_repeated

logger = logging.getLogger(__name__)


def main(
    data: Annotated[Path, typer.Option(help="Labelled flows, dialect improved: splits are of these.")],
    captures: Annotated[Path, typer.Option(help="Folder of captures with a MANIFEST.csv.")],
    out: Annotated[Path, typer.Option(help="The package; what is there is replaced.")],
    estimator: Annotated[str, typer.Option(help="The kind, as ml-ids train names it.")] = DEFAULT,
    context: Annotated[bool, typer.Option("--context", help="What hosts did before is a feature.")] = False,
    beside: Annotated[Path | None, typer.Option(help="More labelled flows to learn from.")] = None,
    rules: Annotated[Path | None, typer.Option(help="Folder of the captures' label rules.")] = None,
    report: Annotated[Path | None, typer.Option(help="Folder for the evaluation report.")] = None,
    readme: Annotated[Path | None, typer.Option(help="The file whose table is replaced.")] = None,
    compare: Annotated[list[str] | None, typer.Option(help="Other estimators, for the report.")] = None,
) -> None:
    """Train, measure and write the starter model's package."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    recipe, options = Recipe(kind_named(estimator)), ReadOptions(context=context)
    flows = read_training_data([data], options=options)
    logger.info("%d flows, dropped: %s", len(flows), dict(flows.dropped))
    inputs = Inputs(
        flows,
        read_captures(captures, flows.names, dialect=flows.dialect, rules=rules),
        repeated=with_repeated([data], flows, options),
        beside=None if beside is None else read_training_data([beside], options=options),
    )
    studied = study_kind(inputs, recipe.kind, params=recipe.params, told=logger.info)
    found = report_of(inputs, studied, compare=compare or (), told=logger.info)
    findings = _findings(inputs, recipe, studied, found)
    write_model(_whole(studied), inputs.everything, findings.record, render(findings), out)
    logger.info("%s: threshold %.6f, %s", out, findings.record.threshold, findings.attacks)
    if report:
        write_report(findings.report, report)
    if readme:
        put_between_markers(readme, summary(findings.report))


def _whole(studied: Studied) -> object:
    assert studied.whole is not None, "captures need one that is fitted on all flows"
    return studied.whole.estimator


def _findings(inputs: Inputs, recipe: Recipe, studied: Studied, report: Report) -> Findings:
    pipeline = _whole(studied)
    draft = draft_record(inputs.everything, pipeline, recipe)
    scorer = Scorer(compiled(pipeline), draft)
    benign = score_captures(_of_kind(inputs.captures, attack=False), scorer)
    attacks = score_captures(_of_kind(inputs.captures, attack=True), scorer)
    threshold = operating_threshold(benign, BENIGN_SHARE)
    on_benign, on_attacks = figures(benign, threshold), figures(attacks, threshold)
    measured = {
        **studied.figures.metrics(),
        **{f"benign captures/{name}": value for name, value in on_benign.metrics().items()},
        **{f"attack captures/{name}": value for name, value in on_attacks.metrics().items()},
    }
    update = {"threshold": threshold, "figures": measured, "measured_on": report.data.sha256}
    return Findings(
        data=inputs.flows,
        beside=inputs.beside,
        record=draft.model_copy(update=update),
        report=report,
        benign=on_benign,
        attacks=on_attacks,
        attack_captures=attacks,
        allowed_share=BENIGN_SHARE,
    )


def _of_kind(captures: tuple[Capture, ...], *, attack: bool) -> tuple[Capture, ...]:
    return tuple(capture for capture in captures if capture.is_attack is attack)


if __name__ == "__main__":
    typer.run(main)
