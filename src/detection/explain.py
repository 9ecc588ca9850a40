"""Why a compiled model gave a flow its P(attack): what every feature added to it, signed.

A model is explained step by step. Every column of its work has a value at the base, where nothing is
known of the flow, and what each feature added to it since; both add up to the column's value.

- Features start at the reference row: the training mean where a StandardScaler knows it, otherwise the
  median of the benign training flows, or 0 where that is not known.
- Trees start from the class distribution of their root, and every split adds
  distribution(child) - distribution(node) to the feature it asks about (path attribution: A. Saabas,
  "Interpreting random forests", 2014); a forest is the mean of its trees. A split on another step's
  answer is shared among the features by how far each has moved that answer.
- A linear step has logits z(t) = z0 + t (z1 - z0) between base and row, and each feature's term d of
  z1 - z0 adds the integral of J(z(t)) d over t from 0 to 1, where J is the softmax's Jacobian (integrated
  gradients: M. Sundararajan, A. Taly, Q. Yan, "Axiomatic Attribution for Deep Networks", ICML 2017).
  A final regression over other models' probabilities gets its terms from what moved these.

- What is not known, NaN, is at its feature's reference at the base. What is put in its place, and the column
  that tells so, are the feature's doing.

- A layer of a network has inputs z(t) = z0 + t (z1 - z0) too; of an activation that takes one column by
  itself each feature gets the share of its change that it has of z1 - z0. A squared distance is
  integrated in the same way.

So all contributions together are P(attack) minus the base. The integral is by Gauss and Legendre's rule on
intervals that are halved until the rule gives the exact change of the probabilities; what rounding leaves
is shared by magnitude.
"""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass
from heapq import nlargest
from typing import Final, cast

import numpy as np
from numpy.typing import NDArray

from detection.compiled import CompiledModel
from detection.imputation import Fill, Missing
from detection.layer_kernels import SHARES, SOFTMAX, activated
from detection.layers import Affine, Asinh, Dense, Distance, Log
from detection.record import ModelRecord
from detection.step_checks import Floats, Ints
from detection.steps import COLUMN_WISE, Forest, Linear, Scale, Step
from flows.explanations import Contribution, Explanation
from flows.jit import inlined, kernel

TOP: Final = 10
"""How many contributions an explanation names at most."""

TOLERANCE: Final = 1e-11
"""How far an interval's change of a probability may be off before the interval is halved."""

DEEPEST: Final = 64
ROUNDING: Final = 1e-15
MOST_INTERVALS: Final = 4096
"""No interval is halved more often than DEEPEST, nor any once there are this many."""

SEVERAL: Final = -1
"""The owner of a column that more than one feature moves."""

_POINTS, _WEIGHTS = (each / 2 for each in np.polynomial.legendre.leggauss(8))
_POINTS += 0.5


class Explainer:
    """Explains one compiled model; safe to use from several threads."""

    def __init__(self, model: CompiledModel, medians: Floats) -> None:
        """Prepare what all rows share.

        Args:
            model: what is explained; F features, C classes.
            medians: float64, F; of the benign training flows, after preprocessing; NaN where not known.
        """
        self._model = model
        self._reference = _reference(model, medians)
        self._owners = _owners(model)
        self._distributions = [
            step.distributions() if isinstance(step, Forest) else None for step in model.steps
        ]

    def explain(self, row: Floats) -> tuple[Floats, Floats]:
        """Return the C probabilities at the base, and what each feature adds to each of them, F x C.

        Args:
            row: float64, F; preprocessed.
        """
        work = _Work.begin(row, self._reference, self._owners.size)
        first = row.size
        for step, distributions in zip(self._model.steps, self._distributions, strict=True):
            answers = slice(first, first + step.width())
            if isinstance(step, Forest):
                assert distributions is not None
                work.forest(step, distributions, self._owners[step.columns], answers)
            elif isinstance(step, Fill | Missing):
                work.impute(step, self._owners[step.columns], answers)
            else:
                work.add(step, answers)
            first = answers.stop
        return work.base[answers], work.moved[answers].T


def explanation_of(
    record: ModelRecord, raw: Floats, p_attack: float, base: Floats, moved: Floats
) -> Explanation:
    """Return the explanation of one flow.

    Args:
        record: the model's.
        raw: float64, F; the flow's features before preprocessing.
        p_attack: the model's answer.
        base, moved: as `Explainer.explain` gives them.
    """
    start = 1.0 - float(base[record.benign_column])
    added: defaultdict[str, float] = defaultdict(float)
    for name, part in zip(record.features, (-moved[:, record.benign_column]).tolist(), strict=True):
        added[name] += part
    top = nlargest(TOP, filter(added.__getitem__, added), key=lambda name: abs(added[name]))
    places = [record.features.index(name) for name in top]
    contributions = tuple(
        Contribution(name, float(raw[at]), record.benign_medians[at], added[name])
        for name, at in zip(top, places, strict=True)
    )
    rest = p_attack - start - math.fsum(each.contribution for each in contributions)
    return Explanation(start, p_attack, contributions, rest)


@dataclass(frozen=True, slots=True)
class _Work:
    """The W columns of one row.

    Attributes:
        value, base: float64, W; in the row, and at the base.
        moved: float64, W x F; what each feature moved each column from base to value.
    """

    value: Floats
    base: Floats
    moved: Floats

    @classmethod
    def begin(cls, row: Floats, reference: Floats, width: int) -> _Work:
        value, base, moved = np.empty(width), np.empty(width), np.zeros((width, row.size))
        value[: row.size], base[: row.size] = row, reference
        np.fill_diagonal(moved, row - reference)
        return cls(value, base, moved)

    def add(self, step: Step, answers: slice) -> None:
        """Do what a step does that is no forest."""
        read = step.columns
        match step:
            case Scale(mean=mean, scale=scale):
                self._stretch(answers, read, 1.0 / scale, -mean / scale)
            case Affine(factor=factor, offset=offset):
                self._stretch(answers, read, factor, offset)
            case Log() | Asinh():
                function = np.log1p if isinstance(step, Log) else np.arcsinh
                ends = function(self.base[read]), function(self.value[read])
                self._along(answers, *ends, self.value[read] - self.base[read], self.moved[read].T)
            case Distance():
                self._distance(read, answers)
            case Dense():
                self._dense(step, answers)
            case Linear():
                self._model(answers, *through_softmax(*self._logits(read, step.weights, step.bias)))
            case _:
                raise TypeError(f"a {step.kind} step cannot be explained")

    def _stretch(self, answers: slice, read: Ints, factor: Floats, offset: Floats) -> None:
        self.value[answers] = self.value[read] * factor + offset
        self.base[answers] = self.base[read] * factor + offset
        self.moved[answers] = self.moved[read] * factor[:, None]

    def _along(self, answers: slice, first: Floats, last: Floats, change: Floats, terms: Floats) -> None:
        """Share what a function of one column does, first to last, as the terms share the column's change."""
        slope = np.divide(last - first, change, out=np.zeros_like(change), where=change != 0)
        self._model(answers, first, terms * slope)

    def _logits(self, read: Ints, weights: Floats, bias: Floats) -> tuple[Floats, Floats]:
        return bias + self.base[read] @ weights, self.moved[read].T @ weights

    def _distance(self, read: Ints, answers: slice) -> None:
        near, far = np.split(read, 2)
        first, last = self.base[near] - self.base[far], self.value[near] - self.value[far]
        apart = self.moved[near] - self.moved[far]
        # The integral of d(t) ** 2 on the way from first to last.
        by_feature = (first + last) @ apart / near.size
        self._model(answers, np.square(first).mean(keepdims=True), by_feature[:, None])

    def _dense(self, step: Dense, answers: slice) -> None:
        start, terms = self._logits(step.columns, step.weights, step.bias)
        activation = step.activation.item()
        change = terms.sum(axis=0)
        if activation == SHARES:
            # Shares of logistic functions are the softmax of their logarithms.
            first, last = _log_logistic(start), _log_logistic(start + change)
            slope = np.divide(last - first, change, out=np.zeros_like(change), where=change != 0)
            self._model(answers, *through_softmax(first, terms * slope))
        elif activation == SOFTMAX:
            self._model(answers, *through_softmax(start, terms))
        else:
            first, last = (np.array([activated(z, activation) for z in at]) for at in (start, start + change))
            self._along(answers, first, last, change, terms)

    def impute(self, step: Fill | Missing, owners: Ints, answers: slice) -> None:
        """Do what a step does about NaN, which is its feature's doing."""
        read = step.columns
        ends = np.stack([self.base[read], self.value[read]])
        unknown = np.isnan(ends)
        if isinstance(step, Fill):
            first, last = np.where(unknown, step.fill, ends)
        else:
            first, last = np.where(unknown, 1.0, 0.0)
        moved = (owners[:, None] == np.arange(self.moved.shape[1])) * (last - first)[:, None]
        if isinstance(step, Fill):
            moved = np.where(np.any(unknown, axis=0)[:, None], moved, self.moved[read])
        self.base[answers], self.value[answers], self.moved[answers] = first, last, moved

    def forest(self, step: Forest, distributions: Floats, owners: Ints, answers: slice) -> None:
        by_column = np.zeros((step.columns.size, step.width()))
        follow_paths(
            self.value[step.columns],
            step.threshold,
            step.feature,
            step.next,
            step.missing_left,
            step.roots,
            distributions,
            by_column,
        )
        by_feature = _shares(owners, self.moved[step.columns]).T @ by_column
        self._model(answers, distributions[step.roots].mean(axis=0), by_feature)

    def _model(self, answers: slice, base: Floats, by_feature: Floats) -> None:
        self.base[answers] = base
        self.moved[answers] = by_feature.T
        self.value[answers] = base + by_feature.sum(axis=0)


def _reference(model: CompiledModel, medians: Floats) -> Floats:
    reference = np.where(np.isnan(medians), 0.0, medians)
    for step in model.steps:
        # A scaler that does not centre has no mean to start from.
        if isinstance(step, Scale) and step.mean.any():
            known = step.columns < model.features
            reference[step.columns[known]] = step.mean[known]
    return reference


def _owners(model: CompiledModel) -> Ints:
    """Return the one feature that each column is made of, or SEVERAL."""
    owners = np.arange(model.features)
    for step in model.steps:
        own = owners[step.columns] if isinstance(step, COLUMN_WISE) else np.full(step.width(), SEVERAL)
        owners = np.append(owners, own)
    return owners


def _shares(owners: Ints, moved: Floats) -> Floats:
    """Return which share of what n columns do is each feature's, n x F; every row adds up to 1."""
    shares = np.abs(moved)
    shares[~shares.any(axis=1)] = 1.0
    single = owners != SEVERAL
    shares[single] = owners[single, None] == np.arange(moved.shape[1])
    return cast(Floats, shares / shares.sum(axis=1, keepdims=True))


@kernel
def follow_paths(
    row: Floats,
    threshold: NDArray[np.float32],
    feature: NDArray[np.int16],
    following: NDArray[np.int32],
    missing_left: NDArray[np.bool_],
    roots: Ints,
    distributions: Floats,
    added: Floats,
) -> None:
    """Add to `added`, n x C, what the splits on each of a row's n values do to a forest's answer.

    The others are a `Forest`'s arrays and its `distributions`.
    """
    classes, trees = added.shape[1], roots.shape[0]
    for t in range(trees):
        at = roots[t]
        while feature[at] >= 0:
            asked = feature[at]
            value = np.float32(row[asked])
            left = missing_left[at] if value != value else value <= threshold[at]
            child = at + 1 if left else np.int64(following[at])
            for k in range(classes):
                added[asked, k] += (distributions[child, k] - distributions[at, k]) / trees
            at = child


def through_softmax(start: Floats, terms: Floats) -> tuple[Floats, Floats]:
    """Return softmax(start), and what each feature's terms of C logits do to it, F x C.

    The columns of the second add up to softmax(start + all terms) - softmax(start).
    """
    change = terms.sum(axis=0)
    jacobian = np.zeros((start.size, start.size))
    integrate_jacobian(start, change, _POINTS, _WEIGHTS, jacobian)
    first, last = _softmax(start), _softmax(start + change)
    moved = terms @ jacobian
    size = np.abs(terms).sum(axis=1)
    if size.any():
        moved += np.outer(size / size.sum(), last - first - moved.sum(axis=0))
    return first, moved


def _log_logistic(logits: Floats) -> Floats:
    return cast(Floats, -np.logaddexp(0.0, -logits))


def _softmax(logits: Floats) -> Floats:
    powers = np.exp(logits - logits.max())
    return cast(Floats, powers / powers.sum())


@inlined
def _answer(start: Floats, change: Floats, t: float, answer: Floats) -> None:
    """Write softmax(start + t * change)."""
    largest, total = -np.inf, 0.0
    for k in range(start.shape[0]):
        answer[k] = start[k] + t * change[k]
        largest = max(largest, answer[k])
    for k in range(start.shape[0]):
        answer[k] = math.exp(answer[k] - largest)
        total += answer[k]
    for k in range(start.shape[0]):
        answer[k] /= total


@kernel
def integrate_jacobian(start: Floats, change: Floats, points: Floats, weights: Floats, total: Floats) -> None:
    """Add to `total`, C x C, the integral of the softmax's Jacobian at start + t * change for t in 0 to 1.

    No class leads twice along a line, so that an interval whose ends agree hides nothing.

    Args:
        points, weights: a quadrature rule on 0 to 1.
    """
    classes = start.shape[0]
    # Logits are rounded, so that the probabilities cannot agree better.
    tolerance = TOLERANCE + ROUNDING * max(np.abs(start).max(), np.abs(change).max())
    ends = np.empty((DEEPEST + 1, 2))
    ends[0] = 0.0, 1.0
    waiting, intervals = 1, 1
    part = np.empty((classes, classes))
    answer, before, after = np.empty(classes), np.empty(classes), np.empty(classes)
    while waiting:
        waiting -= 1
        low, high = ends[waiting]
        part[:] = 0.0
        for i in range(points.shape[0]):
            _answer(start, change, low + (high - low) * points[i], answer)
            for j in range(classes):
                scaled = weights[i] * (high - low) * answer[j]
                part[j, j] += scaled
                for k in range(classes):
                    part[j, k] -= scaled * answer[k]
        _answer(start, change, low, before)
        _answer(start, change, high, after)
        worst = 0.0
        for k in range(classes):
            missing = after[k] - before[k]
            for j in range(classes):
                missing -= change[j] * part[j, k]
            worst = max(worst, abs(missing))
        middle = 0.5 * (low + high)
        halve = waiting < DEEPEST and intervals < MOST_INTERVALS
        if halve and worst > tolerance and low < middle < high:
            ends[waiting] = middle, high
            ends[waiting + 1] = low, middle
            waiting += 2
            intervals += 1
        else:
            total += part
