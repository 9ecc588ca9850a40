"""The report's tables, which its page, the README and models' cards share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from detection.calibration import SECONDS_A_DAY
from training.evaluation import HEADLINE_ROWS, Evaluation
from training.intervals import Interval
from training.markdown import table
from training.report.split_study import Measured
from training.report.study import KindStudy
from training.report.tradeoff import Point, Share

RATES: Final = (10, 100)
"""Flows a second for which false alarms a day are told."""
NONE: Final = "-"


def splits_table(found: KindStudy, baseline: KindStudy) -> str:
    """Return the headline figures of the default kind on every split, a plain forest's beside them."""
    head = [
        "split",
        "test flows",
        f"macro F1, n >= {HEADLINE_ROWS}",
        "macro F1, all classes",
        "attack recall",
        "false positives",
        "recall at 0.1 %",
        "of undisputed flows",
        "plain forest: macro F1, n >= 30",
        "all classes",
        "recall at 0.1 %",
        "of undisputed flows",
    ]
    return table(head, [_split_row(each, baseline.on(each.on)) for each in found.splits])


def _split_row(each: Measured, plain: Measured | None) -> list[str]:
    found = each.evaluation
    beside = (
        [
            f"{plain.evaluation.headline_f1:.4f}",
            f"{plain.evaluation.macro_f1:.4f}",
            f"{plain.curves.recall_at_allowed:.2%}",
            f"{plain.recall_undisputed:.2%}",
        ]
        if plain
        else [NONE] * 4
    )
    return [
        each.on,
        f"{found.test_rows:,}",
        with_interval(found.headline_f1, found.headline_f1_interval),
        with_interval(found.macro_f1, found.macro_f1_interval),
        f"{found.attacks_called:.2%}",
        f"{found.benign_called:.2%}",
        f"{each.curves.recall_at_allowed:.2%}",
        f"{each.recall_undisputed:.2%}",
        *beside,
    ]


def classes_table(found: Evaluation) -> str:
    """Return every class's figures on a split; those of few rows are marked."""
    rows = [
        [
            part.name
            + (" *" if part.n < HEADLINE_ROWS else "")
            + (" +" if part.code in found.untrained else ""),
            f"{part.n:,}",
            *(
                with_interval(value, interval) if part.n else NONE
                for value, interval in (
                    (part.precision, part.precision_interval),
                    (part.recall, part.recall_interval),
                    (part.f1, part.f1_interval),
                )
            ),
        ]
        for part in found.classes
    ]
    return table(["class", "n", "precision", "recall", "F1"], rows)


def alarms_table(found: Sequence[Measured]) -> str:
    """Return what the operating threshold of each split flags, and the false alarms a day that makes."""
    rows = []
    for each in found:
        evaluation = each.evaluation
        low, high = evaluation.benign_flagged_interval
        rows.append(
            [
                each.on,
                f"{evaluation.threshold:.6f}",
                with_interval(evaluation.attacks_flagged, evaluation.attacks_flagged_interval, percent=True),
                with_interval(evaluation.benign_flagged, evaluation.benign_flagged_interval, percent=True),
                *(
                    f"{a_day(evaluation.benign_flagged, rate):,.0f} "
                    f"({a_day(low, rate):,.0f}-{a_day(high, rate):,.0f})"
                    for rate in RATES
                ),
            ]
        )
    return table(
        ["split", "threshold", "attacks flagged", "benign flagged", *(_rate(rate) for rate in RATES)], rows
    )


def _rate(rate: int) -> str:
    return f"false alarms a day at {rate} flows/s"


def a_day(share: float, rate: int) -> float:
    """Return how many of `rate` benign flows a second are flagged in a day."""
    return share * rate * SECONDS_A_DAY


def points_table(points: Sequence[Point]) -> str:
    """Return a trade-off on captures."""
    head = [
        "benign flows allowed",
        "attack flows, mean over captures",
        "attack flows, all",
        "attack captures half flagged",
        "with a flagged flow",
        "benign flows flagged",
        "benign captures with a false alarm",
    ]
    return table(head, [_point_row(point) for point in points])


def _point_row(point: Point) -> list[str]:
    return [
        "by label" if point.allowed is None else f"{100 * point.allowed:g} %",
        share_text(point.mean_share),
        share_text(point.attack_share),
        f"{point.found} of {point.attack_captures}",
        f"{point.touched} of {point.attack_captures}",
        share_text(point.benign_share, digits=2),
        f"{point.alarmed} of {point.benign_captures}",
    ]


def share_text(share: Share, *, digits: int = 1) -> str:
    """Return a share in percent with its interval."""
    low, high = share.interval
    return f"{share.value:.{digits}%} ({100 * low:.{digits}f}-{100 * high:.{digits}f})"


def with_interval(value: float, interval: Interval, *, percent: bool = False) -> str:
    """Return a figure with its interval."""
    if percent:
        return f"{value:.2%} ({100 * interval.low:.2f}-{100 * interval.high:.2f})"
    return f"{value:.3f} ({interval.low:.3f}-{interval.high:.3f})"
