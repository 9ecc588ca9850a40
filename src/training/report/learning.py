"""The report's sections about what a model learns from: what each part is worth, and unseen tools."""

from __future__ import annotations

from training.markdown import paragraph, table
from training.report.inputs import DataFacts
from training.report.study import Report
from training.report.tables import share_text, with_interval
from training.report.tradeoff import Point


def folder_of(facts: DataFacts) -> str:
    """Return what to call a set: its file, or how many there are."""
    return facts.sources[0] if len(facts.sources) == 1 else f"{len(facts.sources)} files of the testbed"


def ablation_section(report: Report) -> list[str]:
    """Return what the model finds on captures without each thing that it learns from."""
    if not report.ablations:
        return []
    whole = [point for point in report.default.captures if point.allowed in _ALLOWED]
    rows = [["as it is", *_cells(whole)], *([each.name, *_cells(each.points)] for each in report.ablations)]
    head = ["learned"]
    for allowed in _ALLOWED:
        at = f"at {100 * allowed:g} %"
        head += [f"{at}: mean over captures", "attack flows", "captures half flagged", "benign flows flagged"]
    return [
        "### What each part is worth",
        paragraph(
            """The same estimator without one thing that it learns from, and with the destination port, on the
            same captures and by the same rule."""
        ),
        table(head, rows),
    ]


_ALLOWED = (0.002, 0.01)


def _cells(points: tuple[Point, ...] | list[Point]) -> list[str]:
    return [
        cell
        for point in points
        for cell in (
            share_text(point.mean_share),
            share_text(point.attack_share),
            f"{point.found} of {point.attack_captures}",
            f"{point.benign_share.value:.2%}, {point.alarmed} of {point.benign_captures} captures",
        )
    ]


def unseen_section(report: Report) -> list[str]:
    """Return what the model finds of attacks of tools that it was not shown."""
    found = report.unseen
    if found is None:
        return []
    rows = [
        [
            part.name,
            part.label,
            str(part.group + 1),
            f"{part.flows:,}",
            with_interval(part.flagged / part.flows, part.interval, percent=True),
        ]
        for part in found.parts
    ]
    benign = with_interval(found.benign_flagged / found.benign_flows, found.benign_interval, percent=True)
    return [
        "## Unseen tools of the testbed",
        paragraph(
            f"""What makes attacks was dealt to {found.groups} groups, and so were the runs of benign flows.
            Each group is judged by a model that learned from the others alone, at a threshold that may flag
            {100 * found.allowed:g} % of the benign flows of the others, each as the model sees it that did
            not learn from it. Attack flows flagged: **{
                with_interval(found.attacks, found.attacks_interval, percent=True)
            }**, the mean over what made them {
                with_interval(found.mean, found.mean_interval, percent=True)
            } (intervals of drawing these anew); benign flows flagged: **{benign}** of
            {found.benign_flows:,}."""
        ),
        table(["made by", "class", "group", "flows", "flagged"], rows),
    ]
