"""The report's pictures."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from training.evaluation import Evaluation
from training.report.importance import Importance
from training.report.split_study import Measured
from training.report.study import KindStudy, Report
from training.report.tradeoff import HEADLINES

DPI: Final = 110
SHOWN: Final = 20
COLOURS: Final = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
"""Colours that colour-blind readers tell apart."""


def draw(report: Report, folder: Path) -> tuple[str, ...]:
    """Write the pictures of a report and return their names.

    Raises:
        OSError: the folder cannot be written to.
    """
    found = report.default
    pictures: dict[str, Callable[[], Figure]] = {
        "roc.png": lambda: _curves(found, "false positive rate", "attack recall", _roc, log=True),
        "precision_recall.png": lambda: _curves(found, "attack recall", "precision", _pr),
        "calibration.png": lambda: _calibration(found),
        "importance.png": lambda: _importance(report.importance),
    }
    for each in found.splits:
        pictures[picture_of_confusion(each.on)] = lambda each=each: _confusion(each.on, each.evaluation)  # type: ignore[misc]
    if found.captures:
        pictures["captures.png"] = lambda: _tradeoff({"default": found, "plain forest": report.baseline})
    for name, make in pictures.items():
        figure = make()
        FigureCanvasAgg(figure)
        # Without the version in its metadata the picture is the same wherever it was made.
        figure.savefig(folder / name, dpi=DPI, metadata={"Software": None})
    return tuple(pictures)


def picture_of_confusion(split: str) -> str:
    """Return the name of a split's confusion matrix."""
    return f"confusion_{split.replace(' ', '_').replace('-', '_')}.png"


def _axes(width: float = 7.0, height: float = 4.6) -> tuple[Figure, Any]:
    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.add_subplot()
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _all_measured(found: KindStudy) -> Sequence[Measured]:
    return (*found.splits, *found.elsewhere)


def _roc(each: Measured) -> tuple[Sequence[float], Sequence[float]]:
    return each.curves.false_positives, each.curves.true_positives


def _pr(each: Measured) -> tuple[Sequence[float], Sequence[float]]:
    return each.curves.recall, each.curves.precision


def _curves(
    found: KindStudy,
    x: str,
    y: str,
    points: Callable[[Measured], tuple[Sequence[float], Sequence[float]]],
    *,
    log: bool = False,
) -> Figure:
    figure, axes = _axes()
    for colour, each in zip(COLOURS, _all_measured(found), strict=False):
        axes.step(*points(each), where="post", label=each.on, color=colour, linewidth=1.8)
    if log:
        axes.set_xscale("symlog", linthresh=1e-4)
        axes.set_xlim(0, 1)
    axes.set(xlabel=x, ylabel=y, ylim=(0, 1.02), title=f"Attack against benign: {found.kind}")
    axes.legend(frameon=False, loc="lower right" if log else "lower left")
    return figure


def _calibration(found: KindStudy) -> Figure:
    figure, axes = _axes(9.5)
    axes.plot([0, 1], [0, 1], color="#999999", linewidth=1, linestyle="--", label="calibrated")
    for colour, each in zip(COLOURS, _all_measured(found), strict=False):
        bins = each.curves.calibration
        error = each.curves.calibration_error
        axes.plot(
            [part.mean for part in bins],
            [part.attacks for part in bins],
            marker="o",
            markersize=4,
            color=colour,
            label=f"{each.on} (error {error:.3f})",
        )
    axes.set(xlabel="mean P(attack) of a tenth", ylabel="share of attacks", title="Calibration")
    figure.legend(frameon=False, loc="outside right upper")
    return figure


def _importance(found: Sequence[Importance]) -> Figure:
    shown = found[:SHOWN][::-1]
    figure, axes = _axes(7.0, 5.6)
    axes.barh(
        [each.feature for each in shown],
        [each.permuted for each in shown],
        xerr=[each.spread for each in shown],
        color=COLOURS[0],
    )
    axes.set(xlabel="fall of macro F1 when shuffled", title=f"The {len(shown)} most important features")
    axes.tick_params(axis="y", labelsize=8)
    return figure


def _confusion(title: str, evaluation: Evaluation) -> Figure:
    names = [part.name for part in evaluation.classes]
    rows = [[evaluation.confusion.get(true, {}).get(given, 0) for given in names] for true in names]
    counts = np.array(rows, np.int64)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    side = 2.5 + 0.45 * len(names)
    figure = Figure(figsize=(side, side), layout="constrained")
    axes = figure.add_subplot()
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for row, column in np.argwhere(counts).tolist():
        colour = "white" if shares[row, column] > 0.5 else "black"
        text = f"{counts[row, column]:,}"
        axes.text(column, row, text, ha="center", va="center", fontsize=7, color=colour)
    axes.set_xticks(range(len(names)), names, rotation=90, fontsize=8)
    axes.set_yticks(range(len(names)), names, fontsize=8)
    axes.set(xlabel="label given", ylabel="class", title=f"Confusion: {title}")
    return figure


def _tradeoff(studies: Mapping[str, KindStudy]) -> Figure:
    figure = Figure(figsize=(10.5, 4.6), layout="constrained")
    for number, (title, share) in enumerate(
        (("mean over captures", "mean_share"), ("over flows", "attack_share"))
    ):
        axes = figure.add_subplot(1, 2, number + 1)
        axes.grid(alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
        for colour, (name, found) in zip(COLOURS, studies.items(), strict=False):
            allowed = [point.allowed or 0.0 for point in found.captures]
            shares = [getattr(point, share) for point in found.captures]
            axes.plot(
                allowed, [each.value for each in shares], color=colour, label=name, marker="o", markersize=3
            )
            lows, highs = ([each.interval[end] for each in shares] for end in (0, 1))
            axes.fill_between(allowed, lows, highs, color=colour, alpha=0.12, linewidth=0)
        for headline in HEADLINES:
            axes.axvline(headline, color="#999999", linewidth=0.8, linestyle=":")
        axes.set_xscale("log")
        axes.set(xlabel="benign flows allowed, of the other sources", ylabel="attack flows flagged")
        axes.set(title=f"Captures, {title}", ylim=(0, 1.02))
        axes.legend(frameon=False, loc="upper left")
    return figure
