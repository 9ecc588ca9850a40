"""The whole evaluation: kinds of estimators on all splits and on captures of other networks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from training.capture_set import as_labelled
from training.dataset import LabelledFlows
from training.estimators import Kind, kind_named
from training.recipe import insufficient_rule
from training.report.ablation import Ablation, ablations
from training.report.audit import Separation, audit, flagged
from training.report.baseline import PLAIN_FOREST
from training.report.importance import Importance, importances
from training.report.inputs import DataFacts, Inputs, facts
from training.report.listing import Listed, listed
from training.report.mistakes import Mistake, mistakes
from training.report.port_leak import PortLeak, port_leak
from training.report.recurrence import RECURRENCE, recurrence_on
from training.report.split_study import NO_PARAMS, Answers, Fitted, Measured, elsewhere, fitted, measured
from training.report.tradeoff import HEADLINES, Point, point_of_label, scored, tradeoff
from training.report.unseen import Unseen, can_tell, unseen
from training.splits import Split
from training.tracking import versions

CROSS_NETWORK: Final = "cross-network"
CAPTURES: Final = "captures"
ALL_SPLITS: Final = tuple(Split)
QUICK_SPLITS: Final = (Split.RANDOM, Split.TIME_ORDERED)
IDENTITY: Final = ("dst_port", "start_us")
"""Columns that no model reads, in the audit for what they give away."""

Told = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class KindStudy:
    """One kind of estimator.

    Attributes:
        kind, title: its name, and what it is.
        params: what differs from the kind's own.
        splits: figures by split.
        skipped: why a split has none, by split.
        elsewhere: figures of the one fitted on all flows, on the captures' flows and on other sets.
        captures: the trade-off, every flow being judged.
        served: the trade-off with the recipe's rule of what is not judged.
        label: what the most probable class alone flags.
        listed: the captures of attacks one by one.
    """

    kind: str
    title: str
    params: dict[str, Any]
    splits: tuple[Measured, ...]
    skipped: dict[str, str]
    elsewhere: tuple[Measured, ...]
    captures: tuple[Point, ...]
    served: tuple[Point, ...]
    label: Point | None
    listed: tuple[Listed, ...] = ()

    def on(self, split: str) -> Measured | None:
        """Return the figures of one split, None where there are none."""
        return next((each for each in (*self.splits, *self.elsewhere) if each.on == split), None)

    def metrics(self) -> dict[str, float]:
        """Return all figures by name."""
        named = {name: value for each in self.splits for name, value in each.metrics().items()}
        for each in self.elsewhere:
            named[f"{each.on}/average precision"] = each.curves.average_precision
        return named | captures_metrics(self.captures)


@dataclass(frozen=True, slots=True)
class Report:
    """All that was found.

    Attributes:
        versions: of what made it.
        default: the kind in question.
        baseline: a plain forest, on the same flows.
        compared: other kinds, on fewer splits.
        repeated: the default and the baseline on fewer splits of all flows, those that repeat an earlier one
            among them; none where nothing repeats.
        importance: of the default's features, on the time-ordered split.
        separations: columns that alone separate a class.
        port: what the destination port would seem to be worth.
        mistakes: the default's, on the random and the time-ordered split.
        beside: the set from which the default learns too, None for none.
        unseen: what it finds of that set's attacks when it was not shown any of their kind, None when the set
            does not tell.
        ablations: what it finds on captures without each thing that it learns from.
    """

    versions: dict[str, str]
    data: DataFacts
    default: KindStudy
    baseline: KindStudy
    compared: tuple[KindStudy, ...]
    repeated: tuple[KindStudy, ...]
    failed: dict[str, str]
    importance: tuple[Importance, ...]
    separations: tuple[Separation, ...]
    port: tuple[PortLeak, ...]
    mistakes: dict[str, tuple[Mistake, ...]]
    beside: DataFacts | None = None
    unseen: Unseen | None = None
    ablations: tuple[Ablation, ...] = ()


@dataclass(frozen=True, slots=True)
class Studied:
    """One kind's figures, and what they came of.

    Attributes:
        kind: it.
        figures: all of them.
        answers: what each split's estimator answered, by split.
        whole: the one fitted on all flows, None where nobody needed it.
    """

    kind: Kind
    figures: KindStudy
    answers: dict[str, Answers]
    whole: Fitted | None


def captures_metrics(points: Sequence[Point]) -> dict[str, float]:
    """Return the headline figures on captures by name."""
    named: dict[str, float] = {}
    for point in points:
        if point.allowed in HEADLINES:
            at = f"{CAPTURES}/at {100 * point.allowed:g} percent"
            named |= {
                f"{at} mean of attack captures": point.mean_share.value,
                f"{at} attack flows": point.attack_share.value,
                f"{at} attack captures found": point.found,
                f"{at} benign flows": point.benign_share.value,
            }
    return named


def study_kind(
    inputs: Inputs,
    kind: Kind,
    *,
    splits: Sequence[Split] = ALL_SPLITS,
    params: Mapping[str, Any] = NO_PARAMS,
    choose_threshold: bool = True,
    told: Told = lambda _: None,
) -> Studied:
    """Return one kind's figures on all splits and on all flows of other networks, and what it answered.

    Args:
        inputs: what to look at.
        kind, params: what is fitted.
        splits: which splits.
        choose_threshold: find an operating threshold in each split's training rows.
        told: told what is done next.
    """
    found: list[Measured] = []
    answers: dict[str, Answers] = {}
    skipped: dict[str, str] = {}
    for split in splits:
        told(f"{kind.name}: {split}")
        try:
            figures, answered = measured(
                inputs.flows,
                kind,
                split,
                params=params,
                choose_threshold=choose_threshold,
                beside=inputs.beside,
            )
        except ValueError as error:
            skipped[str(split)] = str(error)
            continue
        found.append(figures)
        answers[str(split)] = answered
    told(f"{kind.name}: {CAPTURES}" if inputs.captures else f"{kind.name}: all flows")
    whole = (
        fitted(inputs.flows, kind, params=params, beside=inputs.beside)
        if inputs.captures or inputs.others
        else None
    )
    return Studied(
        kind,
        KindStudy(
            kind=kind.name,
            title=kind.title,
            params=dict(params),
            splits=tuple(found),
            skipped=skipped,
            elsewhere=_elsewhere(inputs, whole) if whole else (),
            **(_on_captures(inputs, whole) if whole and inputs.captures else _NOWHERE),
        ),
        answers,
        whole,
    )


_NOWHERE: Final[Mapping[str, Any]] = {"captures": (), "served": (), "label": None, "listed": ()}


def _elsewhere(inputs: Inputs, whole: Fitted) -> tuple[Measured, ...]:
    rows, found = len(inputs.flows) + (0 if inputs.beside is None else len(inputs.beside)), []
    if inputs.captures:
        flows = as_labelled(inputs.captures, inputs.flows.names, inputs.flows.dialect)
        found.append(elsewhere(whole, flows, CROSS_NETWORK, None, rows))
    found += [elsewhere(whole, other, name, None, rows) for name, other in inputs.others.items()]
    return tuple(found)


def _on_captures(inputs: Inputs, whole: Fitted) -> dict[str, Any]:
    names, captures = inputs.flows.names, inputs.captures
    every = scored(captures, names, whole.p_attack)
    some = scored(captures, names, whole.p_attack, insufficient_rule(inputs.everything))
    labels = {capture.entry.file: _called(whole, capture.features) for capture in captures}
    return {
        "captures": tradeoff(every),
        "served": tradeoff(some),
        "label": point_of_label(every, lambda capture: labels[capture.entry.file]),
        "listed": listed(captures, every),
    }


def _called(whole: Fitted, features: NDArray[np.float64]) -> NDArray[np.bool_]:
    called: NDArray[np.bool_] = whole.probabilities(features).argmax(axis=1) != whole.classes.index(0)
    return called


def study(
    inputs: Inputs,
    default: Kind,
    *,
    params: Mapping[str, Any] = NO_PARAMS,
    compare: Sequence[str] = (),
    told: Told = lambda _: None,
) -> Report:
    """Evaluate the default kind in depth, a plain forest beside it, and other kinds more briefly.

    Args:
        inputs: what to look at.
        default, params: the kind in question.
        compare: names of other kinds.
        told: told what is done next.

    Raises:
        ValueError: a name is no kind's, or the captures cannot judge.
    """
    return report_of(
        inputs, study_kind(inputs, default, params=params, told=told), compare=compare, told=told
    )


def report_of(
    inputs: Inputs, studied: Studied, *, compare: Sequence[str] = (), told: Told = lambda _: None
) -> Report:
    """Return the report about a kind that was studied; see `study`.

    Raises:
        ValueError: a name is no kind's.
    """
    found, answers = studied.figures, studied.answers
    others = [comparable(name) for name in compare if name != found.kind]
    baseline = study_kind(inputs.alone, PLAIN_FOREST, told=told).figures
    compared, failed = _compared(inputs, others, told)
    told("importance of features")
    closest = answers.get(str(Split.TIME_ORDERED)) or next(iter(answers.values()), None)
    return Report(
        versions=versions(),
        data=facts(inputs.flows),
        default=found,
        baseline=baseline,
        compared=compared,
        repeated=_repeated(inputs, studied.kind, found.params, told),
        failed=failed,
        importance=importances(closest.fitted, inputs.flows.take(closest.tested)) if closest else (),
        separations=_separations(inputs.flows),
        port=_port(inputs, told),
        mistakes={
            split: mistakes(inputs.flows, each.tested, each.probabilities, each.fitted.classes)
            for split, each in answers.items()
        },
        beside=None if inputs.beside is None else facts(inputs.beside),
        unseen=_unseen(inputs, studied, told),
        ablations=_ablations(inputs, studied, told),
    )


def _unseen(inputs: Inputs, studied: Studied, told: Told) -> Unseen | None:
    if inputs.beside is None or not can_tell(inputs.beside):
        return None
    return unseen(inputs.beside, inputs.flows, studied.kind, params=studied.figures.params, told=told)


def _ablations(inputs: Inputs, studied: Studied, told: Told) -> tuple[Ablation, ...]:
    if inputs.beside is None or not inputs.captures:
        return ()
    given = studied.figures.params
    return ablations(inputs.flows, inputs.beside, inputs.captures, studied.kind, params=given, told=told)


def _compared(
    inputs: Inputs, kinds: Sequence[Kind], told: Told
) -> tuple[tuple[KindStudy, ...], dict[str, str]]:
    found, failed = [], {}
    for kind in kinds:
        try:
            if kind is RECURRENCE:
                found.append(_recurrence(inputs, told))
                continue
            studied = study_kind(inputs.alone, kind, splits=QUICK_SPLITS, choose_threshold=False, told=told)
            found.append(studied.figures)
        except ModuleNotFoundError as error:
            failed[kind.name] = str(error)
    return tuple(found), failed


def comparable(name: str) -> Kind:
    """Return a kind that can stand beside others in a report.

    Raises:
        ValueError: there is none of this name; names all.
    """
    return RECURRENCE if name == RECURRENCE.name else kind_named(name)


def _recurrence(inputs: Inputs, told: Told) -> KindStudy:
    splits, skipped = recurrence_on(inputs.flows, QUICK_SPLITS, told)
    return KindStudy(RECURRENCE.name, RECURRENCE.title, {}, splits, skipped, (), **_NOWHERE)


def _repeated(inputs: Inputs, kind: Kind, params: Mapping[str, Any], told: Told) -> tuple[KindStudy, ...]:
    if inputs.repeated is None:
        return ()
    told("with repeated rows")
    whole = Inputs(inputs.repeated, beside=inputs.beside)
    return tuple(
        study_kind(given, each, splits=QUICK_SPLITS, params=own, choose_threshold=False, told=told).figures
        for given, each, own in ((whole, kind, params), (whole.alone, PLAIN_FOREST, NO_PARAMS))
    )


def _separations(flows: LabelledFlows) -> tuple[Separation, ...]:
    return flagged(audit(flows, {name: getattr(flows, name).astype(np.float64) for name in IDENTITY}))


def _port(inputs: Inputs, told: Told) -> tuple[PortLeak, ...]:
    told("with and without the destination port")
    other = (
        as_labelled(inputs.captures, inputs.flows.names, inputs.flows.dialect) if inputs.captures else None
    )
    try:
        return port_leak(inputs.flows, other, QUICK_SPLITS)
    except ValueError:
        return ()
