"""Whether a version may take the champion's place: not worse, by stated margins, on the agreed splits."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from mlflow import MlflowClient

MEASURED_ON: Final = "measured_on"
"""A version's tag: the sha256 of the labelled flows that its figures are of."""

ESTIMATOR_TAG: Final = "estimator"
"""A version's tag: the kind of estimator it is, for others of the same make to be measured."""

METRICS_AT_ONCE: Final = 500
Verdict = Literal["not worse", "worse", "not measured"]


@dataclass(frozen=True, slots=True)
class Margins:
    """By how much a challenger may be worse.

    Attributes:
        macro_f1: of macro F1.
        recall: of the share of attacks found.
        false_positives: of the share of benign flows taken for attacks.
        captures: of what is found on captures of other networks, where both were measured on such.
    """

    macro_f1: float = 0.01
    recall: float = 0.01
    false_positives: float = 0.001
    captures: float = 0.05


@dataclass(frozen=True, slots=True)
class Agreed:
    """A figure that decides.

    Attributes:
        name: as models' figures are named.
        margin: which one of Margins.
        sign: 1 where more is better, -1 where less is.
        needed: whether both must have it.
    """

    name: str
    margin: str
    sign: int = 1
    needed: bool = True


AGREED: Final = (
    Agreed("random split/macro f1", "macro_f1"),
    Agreed("grouped split/macro f1", "macro_f1"),
    Agreed("time-ordered split/macro f1", "macro_f1"),
    Agreed("time-ordered split/attack recall", "recall"),
    Agreed("time-ordered split/false positive rate", "false_positives", sign=-1),
    Agreed("captures/at 1 percent mean of attack captures", "captures", needed=False),
    Agreed("captures/at 1 percent attack flows", "captures", needed=False),
)


@dataclass(frozen=True, slots=True)
class Comparison:
    """One figure of both versions; None where a version lacks it."""

    name: str
    champion: float | None
    challenger: float | None
    margin: float
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Figures:
    """A version's figures, and the flows they are of ("" when that is not known)."""

    version: str
    values: Mapping[str, float]
    measured_on: str


class NotPromotedError(ValueError):
    """A version may not take the champion's place. Attributes: comparisons: the table that says why."""

    def __init__(self, message: str, comparisons: tuple[Comparison, ...]) -> None:
        super().__init__(message)
        self.comparisons = comparisons


def compare(challenger: Figures, champion: Figures, margins: Margins) -> tuple[Comparison, ...]:
    """Return how two versions compare in every agreed figure that is needed or that both have."""
    return tuple(
        _compared(agreed, challenger.values.get(agreed.name), champion.values.get(agreed.name), margins)
        for agreed in AGREED
        if agreed.needed or {agreed.name} <= challenger.values.keys() & champion.values.keys()
    )


def _compared(
    agreed: Agreed, challenger: float | None, champion: float | None, margins: Margins
) -> Comparison:
    margin: float = getattr(margins, agreed.margin)
    verdict: Verdict = "not measured"
    if challenger is not None and champion is not None:
        worse = agreed.sign * (champion - challenger)
        verdict = "worse" if worse > margin + 1e-12 else "not worse"
    return Comparison(agreed.name, champion, challenger, margin, verdict)


def check(challenger: Figures, champion: Figures, margins: Margins) -> tuple[Comparison, ...]:
    """Return how a version compares with the champion whose place it may take.

    Raises:
        NotPromotedError: it may not: it is worse, or figures are missing or of other flows; says how to get
            them.
    """
    found = compare(challenger, champion, margins)
    for one in (challenger, champion):
        lacking = [agreed.name for agreed in AGREED if agreed.needed and agreed.name not in one.values]
        if lacking:
            raise NotPromotedError(
                f"{one.version} has no figures of {', '.join(lacking)}: {_command(one)}", found
            )
    if not challenger.measured_on or challenger.measured_on != champion.measured_on:
        raise NotPromotedError(
            f"{challenger.version} and {champion.version} were measured on different flows: for each, on the "
            f"same flows, {_command(challenger)}",
            found,
        )
    if worse := [each for each in found if each.verdict == "worse"]:
        raise NotPromotedError(
            f"{challenger.version} is worse than {champion.version}: "
            + "; ".join(
                f"{each.name} {each.challenger:.4f} instead of {each.champion:.4f} (margin {each.margin:g})"
                for each in worse
            ),
            found,
        )
    return found


def _command(figures: Figures) -> str:
    number = figures.version.rpartition("/")[2]
    return f"ml-ids evaluate --all --data FLOWS --model {number}"


def figures_of(client: MlflowClient, name: str, number: str) -> Figures:
    """Return a version's figures: the metrics of its run.

    Raises:
        mlflow.exceptions.MlflowException: there is no such version.
    """
    from mlflow.exceptions import MlflowException

    version = client.get_model_version(name, number)
    try:
        values = dict(client.get_run(version.run_id).data.metrics) if version.run_id else {}
    except MlflowException:  # the run was deleted for good
        values = {}
    return Figures(f"models:/{name}/{number}", values, (version.tags or {}).get(MEASURED_ON, ""))


def keep_figures(
    client: MlflowClient, name: str, number: str, values: Mapping[str, float], measured_on: str
) -> None:
    """Keep figures with a version, in place of those of the same names.

    Raises:
        LookupError: the version has no run to keep them in.
    """
    from mlflow.entities import Metric

    version = client.get_model_version(name, number)
    if not version.run_id:
        raise LookupError(f"models:/{name}/{number} has no run that could keep figures: register it again")
    now = int(time.time() * 1000)
    metrics = [Metric(metric, value, now, 0) for metric, value in values.items()]
    for start in range(0, len(metrics), METRICS_AT_ONCE):
        client.log_batch(version.run_id, metrics=metrics[start : start + METRICS_AT_ONCE])
    client.set_model_version_tag(name, number, MEASURED_ON, measured_on)
