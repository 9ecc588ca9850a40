"""What notebooks show of labelled flows: tables and pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from numpy.typing import NDArray

from detection.preprocess import clean
from flows.labels import BY_CODE
from flows.schema import BY_NAME
from training.dataset import LabelledFlows
from training.describe import Description
from training.recipe import PREPROCESSING
from training.report.split_study import Measured

BENIGN_COLOUR: Final = "#0072b2"
ATTACK_COLOUR: Final = "#d55e00"
BINS: Final = 40


def class_table(found: Description) -> pd.DataFrame:
    """Return what each class of a set is and how many flows it has, the largest first."""
    rows = [
        {
            "class": each.name,
            "code": each.code,
            "family": BY_CODE[each.code].family,
            "ATT&CK": BY_CODE[each.code].technique,
            "flows": each.rows,
            "share": each.rows / found.rows,
        }
        for each in found.classes
    ]
    return pd.DataFrame(rows).sort_values("flows", ascending=False, ignore_index=True)


def feature_table(flows: LabelledFlows) -> pd.DataFrame:
    """Return each feature's unit and values; quantiles and skewness are of its finite ones."""
    finite = np.where(np.isfinite(flows.features), flows.features, np.nan)
    quantiles = np.nanquantile(finite, (0.0, 0.5, 1.0), axis=0)
    table = pd.DataFrame(
        {
            "unit": [BY_NAME[name].unit if name in BY_NAME else "" for name in flows.names],
            "distinct": [len(np.unique(column)) for column in flows.features.T],
            "zero": (flows.features == 0).mean(axis=0),
            "not finite": (~np.isfinite(flows.features)).sum(axis=0),
            "negative": (flows.features < 0).sum(axis=0),
            "minimum": quantiles[0],
            "median": quantiles[1],
            "maximum": quantiles[2],
            "skewness": skewness(finite),
        },
        index=pd.Index(flows.names, name="feature"),
    )
    return table


def skewness(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the skewness of each column, 0 of one that does not vary; NaN values do not count."""
    centred = values - np.nanmean(values, axis=0)
    deviation = np.sqrt(np.nanmean(centred**2, axis=0))
    safe = np.where(deviation > 0, deviation, 1.0)
    third: NDArray[np.float64] = np.nanmean((centred / safe) ** 3, axis=0)
    return third


def related(flows: LabelledFlows, least: float) -> pd.DataFrame:
    """Return pairs of features whose ranks go together (Spearman), at least so much, the closest first.

    Features that do not vary go with nothing.
    """
    ranks = pd.DataFrame(flows.features, columns=list(flows.names)).rank()
    varying = ranks.loc[:, ranks.nunique() > 1]
    together = varying.corr().to_numpy()
    one, other = np.triu_indices(len(together), k=1)
    chosen = np.abs(together[one, other]) >= least
    names = varying.columns.to_numpy()
    pairs = pd.DataFrame(
        {
            "feature": names[one[chosen]],
            "other": names[other[chosen]],
            "correlation": together[one, other][chosen],
        }
    )
    return pairs.sort_values("correlation", key=abs, ascending=False, ignore_index=True, kind="stable")


def distributions(flows: LabelledFlows, names: Sequence[str]) -> Figure:
    """Draw how benign flows and attacks are spread over features, on a scale of log(1 + |x|).

    Raises:
        ValueError: there is no such feature.
    """
    rows = -(-len(names) // 3)
    figure = Figure(figsize=(11, 2.7 * rows), layout="constrained")
    attack = flows.codes != 0
    for number, name in enumerate(names):
        axes = figure.add_subplot(rows, 3, number + 1)
        values = np.log10(1 + clean(flows.features[:, flows.names.index(name)], PREPROCESSING))
        bins = np.linspace(0, max(float(values.max()), 1e-3), BINS)
        for label, chosen, colour in (
            ("benign", ~attack, BENIGN_COLOUR),
            ("attack", attack, ATTACK_COLOUR),
        ):
            weights = np.full(int(chosen.sum()), 1 / max(int(chosen.sum()), 1))
            axes.hist(values[chosen], bins.tolist(), weights=weights, alpha=0.6, label=label, color=colour)
        axes.set_title(name, fontsize=10)
        axes.spines[["top", "right"]].set_visible(False)
        if number == 0:
            axes.legend(frameon=False, fontsize=9)
    figure.supxlabel("log10(1 + |value|)", fontsize=9)
    figure.supylabel("share of flows", fontsize=9)
    return figure


def comparison(found: Mapping[str, Measured]) -> pd.DataFrame:
    """Return the figures of several kinds side by side, shares at the operating threshold of each."""
    rows = []
    for name, each in found.items():
        figures = each.evaluation
        low, high = figures.macro_f1_interval
        rows.append(
            {
                "kind": name,
                "macro F1": figures.macro_f1,
                "95 % interval": f"{low:.3f} to {high:.3f}",
                "average precision": each.curves.average_precision,
                "threshold": figures.threshold if each.threshold_known else None,
                "attacks flagged": figures.attacks_flagged,
                "benign flagged": figures.benign_flagged,
            }
        )
    return pd.DataFrame(rows).set_index("kind")


def precision_recall(found: Mapping[str, Measured]) -> Figure:
    """Draw precision and recall of attack against benign over all thresholds, a line a kind."""
    figure = Figure(figsize=(8, 4.6), layout="constrained")
    axes = figure.add_subplot()
    for name, each in found.items():
        label = f"{name} ({each.curves.average_precision:.3f})"
        axes.plot(each.curves.recall, each.curves.precision, label=label)
    axes.set_xlabel("attacks found (recall)")
    axes.set_ylabel("right alarms (precision)")
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=9, title="average precision")
    return figure
