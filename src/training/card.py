"""The model card: Markdown made of measured figures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from detection.record import ModelRecord
from training.captures import CaptureFigures, CaptureScores
from training.card_parts import class_counts, what_it_is
from training.cleaning import DUPLICATE
from training.dataset import LabelledFlows
from training.evaluation import HEADLINE_ROWS
from training.markdown import bullets, paragraph, table
from training.report.learning import ablation_section, unseen_section
from training.report.study import Report
from training.report.tables import alarms_table, classes_table, points_table, splits_table
from training.report.tradeoff import HEADLINES

CITATIONS: Final = (
    """I. Sharafaldin, A. H. Lashkari, A. A. Ghorbani: Toward Generating a New Intrusion Detection Dataset
    and Intrusion Traffic Characterization. ICISSP 2018.""",
    """G. Engelen, V. Rimmer, W. Joosen: Troubleshooting an Intrusion Detection Dataset: the CICIDS2017 Case
    Study. WTMC 2021.""",
    """L. Liu, G. Engelen, T. Lynar, D. Essam, W. Joosen: Error Prevalence in NIDS datasets: A Case Study on
    CIC-IDS-2017 and CSE-CIC-IDS-2018. IEEE CNS 2022.""",
)

UPSTREAM_BENIGN: Final = 1_582_566
"""Benign flows of the whole corrected set, of which the training file is a sample."""


@dataclass(frozen=True, slots=True)
class Findings:
    """Everything the card tells.

    Attributes:
        data: the training data whose splits were measured.
        beside: what the model learned from too, None for nothing.
        record: the record of the model that ships.
        report: the evaluation of its kind.
        benign, attacks: the captures' figures at the shipped threshold.
        attack_captures: the attack captures one by one.
        allowed_share: the share of benign flows that may be flagged.
    """

    data: LabelledFlows
    record: ModelRecord
    report: Report
    benign: CaptureFigures
    attacks: CaptureFigures
    attack_captures: Sequence[CaptureScores]
    allowed_share: float
    beside: LabelledFlows | None = None


def render(findings: Findings) -> str:
    """Return the card's text, what matters most in operation first."""
    found = findings.report.default
    parts = [
        "# Model card: the starter model of ml-ids",
        *_head(findings),
        *_operating_point(findings),
        *_other_networks(findings.report),
        *ablation_section(findings.report),
        *unseen_section(findings.report),
        *_splits(findings.report),
        *_limits(findings),
        *_data(findings.data),
        *_beside(findings.beside),
        *(
            part
            for each in found.splits
            for part in (f"## Figures: {each.on}", classes_table(each.evaluation))
        ),
        *_captures(findings.attack_captures, findings.record.threshold),
    ]
    return "\n\n".join(parts) + "\n"


def _head(findings: Findings) -> list[str]:
    versions = ", ".join(f"{name} {version}" for name, version in findings.report.versions.items())
    return [
        paragraph(
            f"""{findings.record.description}. `python -m training.starter` made the model and wrote this card
            from what it measured: {versions}."""
        ),
        what_it_is(findings.record),
    ]


def _other_networks(report: Report) -> list[str]:
    found, plain = report.default, report.baseline
    if not found.captures:
        return []
    return [
        "## Other networks",
        paragraph(
            """The same captures, each source judged at the threshold that the benign flows of all the others
            give, every flow being judged: what to expect of a network never seen. Intervals are 95 %, of
            sources and captures drawn anew."""
        ),
        points_table([point for point in found.captures if point.allowed in HEADLINES]),
        "A plain random forest of 100 trees, fitted on the corrected CIC-IDS2017 alone:",
        points_table([point for point in plain.captures if point.allowed in HEADLINES]),
    ]


def _splits(report: Report) -> list[str]:
    found = report.default
    return [
        "## Splits",
        paragraph(
            f"""Other models of the same make, fitted on a part of the corrected CIC-IDS2017 (and on all that
            is learned beside it) and measured on the rest, whose context is not known.
            Classes of fewer than {HEADLINE_ROWS} test flows (*) have no part in the first macro F1."""
        ),
        splits_table(found, report.baseline),
        alarms_table([each for each in found.splits if each.threshold_known]),
    ]


def _operating_point(findings: Findings) -> list[str]:
    benign, attacks = findings.benign, findings.attacks
    return [
        "## Operating threshold",
        paragraph(
            f"""The threshold is the lowest of six digits that flags at most {findings.allowed_share:.1%} of
            the scored flows of {benign.captures} captures of benign traffic from other networks. Captures
            were metered by this project's meter; no model learned from them. What kind of estimator this is
            was chosen among others by the next section's figures."""
        ),
        table(
            [
                "captures",
                "n",
                "flows",
                "insufficient",
                "scored",
                "flagged",
                "of all flows",
                "of scored flows",
            ],
            [_capture_row("benign", benign), _capture_row("attack", attacks)],
        ),
        paragraph(
            f"""Recall on the attack captures at this threshold: **{attacks.share:.2%}** over flows
            ({attacks.scored_share:.2%} of those that could be scored), **{attacks.mean_share:.2%}** as the
            mean over captures; {attacks.found} of {attacks.captures} captures have a flagged flow. Of an
            attack capture count the flows that its label rules call an attack."""
        ),
    ]


def _capture_row(name: str, figures: CaptureFigures) -> list[str]:
    counts = (figures.captures, figures.flows, figures.insufficient, figures.scored, figures.flagged)
    return [name, *(f"{count:,}" for count in counts), f"{figures.share:.3%}", f"{figures.scored_share:.3%}"]


def _limits(findings: Findings) -> list[str]:
    limits = [
        """On other networks expect what the captures show, not what the splits show: those are of few
        networks, few days and few attacking hosts.""",
        """Benign flows are under-sampled and classes weigh nearly the same: probabilities are not calibrated
        for real traffic, and no precision in operation is claimed.""",
        "Classes with few test rows have figures of little weight: mind n.",
    ]
    if findings.attacks.insufficient:
        unjudged = findings.attacks.insufficient / findings.attacks.flows
        limits.append(
            f"""The training data hold no flow of one packet or of no duration, so the model knows nothing of
            them: {unjudged:.1%} of the flows of the attack captures are insufficient."""
        )
    if findings.record.context:
        limits.append(
            """Where the context of a flow is not known (flows of requests, other extractors), it is judged by
            itself: slow scans and password guessing are then hard to see."""
        )
    else:
        limits.append(
            """A model of single flows: it does not see what a host does over time, as slow scans and password
            guessing need."""
        )
    return ["## Limits", bullets(limits)]


def _beside(beside: LabelledFlows | None) -> list[str]:
    if beside is None:
        return []
    return [
        "## Data of the testbed",
        paragraph(
            f"""{len(beside):,} flows of `ml-ids lab`, the project's own, with context:
            [data/lab](../../data/lab). {beside.dropped.get(DUPLICATE, 0):,} rows that repeat an earlier
            one were dropped."""
        ),
        class_counts(beside.codes),
    ]


def _data(data: LabelledFlows) -> list[str]:
    counts = {int(code): int(np.sum(data.codes == code)) for code in np.unique(data.codes)}
    repeated = data.dropped.get(DUPLICATE, 0)
    return [
        "## Data",
        paragraph(
            f"""The corrected CIC-IDS2017, with labels and flow meter repaired by Engelen et al. and Liu et
            al., in a sample of {data.rows_read:,} flows. {repeated:,} rows that repeat an earlier one
            in all {len(data.names)} features and the class were dropped; {len(data):,} stay. The shipped
            model is fitted on all of them. Benign flows are heavily under-sampled: {counts[0]:,} here,
            {UPSTREAM_BENIGN:,} upstream."""
        ),
        class_counts(data.codes),
        paragraph(
            """Terms: the data are the Canadian Institute for Cybersecurity's, for research use; whoever
            uses them, or this model, cites"""
        ),
        bullets(CITATIONS),
    ]


def _captures(captures: Sequence[CaptureScores], threshold: float) -> list[str]:
    return [
        "## Attack captures",
        table(
            ["capture", "flows", "insufficient", "flagged", "of all flows"],
            [
                [
                    capture.name,
                    f"{capture.flows:,}",
                    f"{capture.insufficient:,}",
                    f"{capture.flagged(threshold):,}",
                    f"{capture.flagged(threshold) / capture.flows:.1%}",
                ]
                for capture in captures
            ],
        ),
    ]
