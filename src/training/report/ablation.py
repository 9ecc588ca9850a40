"""What each thing that a model learns from is worth on captures of other networks: the same without it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from context.features import CONTEXT_NAMES
from flows.table import UNKNOWN_PORT
from training.capture_set import Capture
from training.dataset import LabelledFlows
from training.estimators import Kind
from training.report.port_leak import with_port
from training.report.split_study import fitted
from training.report.tradeoff import HEADLINES, Point, scored, tradeoff


@dataclass(frozen=True, slots=True)
class Ablation:
    """The trade-off's headline points of a model that lacks something, or has something more."""

    name: str
    points: tuple[Point, ...]


def ablations(
    flows: LabelledFlows,
    beside: LabelledFlows | None,
    captures: Sequence[Capture],
    kind: Kind,
    *,
    params: Mapping[str, Any],
    told: Callable[[str], None] = lambda _: None,
) -> tuple[Ablation, ...]:
    """Return the headline points without context, without either set, and with the destination port.

    Args:
        flows, beside: the sets that the model learns from.
        captures: what judges.
        kind, params: what is fitted.
        told: told what is done next.
    """
    plain = [at for at, name in enumerate(flows.names) if name not in CONTEXT_NAMES]
    trials: dict[str, tuple[LabelledFlows, LabelledFlows | None, Sequence[Capture]]] = {}
    if len(plain) < len(flows.names):
        trials["without context"] = (
            _only(flows, plain),
            None if beside is None else _only(beside, plain),
            [replace(capture, features=capture.features[:, plain]) for capture in captures],
        )
    if beside is not None:
        trials["without what is learned beside"] = (flows, None, captures)
        trials["with that alone"] = (beside, None, captures)
    if all((each.dst_port != UNKNOWN_PORT).any() for each in (flows, beside) if each is not None):
        trials["with the destination port"] = (
            with_port(flows),
            None if beside is None else with_port(beside),
            [_with_port(capture) for capture in captures],
        )
    found = []
    for name, (one, other, judges) in trials.items():
        told(f"{kind.name}: {name}")
        model = fitted(one, kind, params=params, beside=other)
        points = tradeoff(scored(judges, one.names, model.p_attack), HEADLINES)
        found.append(Ablation(name, points))
    return tuple(found)


def _only(flows: LabelledFlows, columns: Sequence[int]) -> LabelledFlows:
    names = tuple(flows.names[at] for at in columns)
    return replace(flows, features=np.ascontiguousarray(flows.features[:, columns]), names=names)


def _with_port(capture: Capture) -> Capture:
    features = np.column_stack([capture.features, capture.dst_port.astype(np.float64)])
    return replace(capture, features=features)
