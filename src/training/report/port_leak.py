"""The same forest with and without the destination port: what the port would seem to be worth."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from flows.table import UNKNOWN_PORT
from training.dataset import LabelledFlows
from training.report.baseline import PLAIN_FOREST
from training.report.split_study import Measured, elsewhere, fitted, measured
from training.splits import Split

PORT: Final = "dst_port"


@dataclass(frozen=True, slots=True)
class PortLeak:
    """Figures on the same rows without and with the port, here and on another network."""

    on: str
    without: Measured
    with_port: Measured


def with_port(flows: LabelledFlows) -> LabelledFlows:
    """Return the flows with the destination port as one more feature."""
    features = np.column_stack([flows.features, flows.dst_port.astype(np.float64)])
    return replace(flows, features=features, names=(*flows.names, PORT))


def port_leak(
    flows: LabelledFlows, other: LabelledFlows | None, splits: tuple[Split, ...]
) -> tuple[PortLeak, ...]:
    """Return what a plain forest reaches without and with the port, on splits and on another network's flows.

    Raises:
        ValueError: no flow has a port.
    """
    if (flows.dst_port == UNKNOWN_PORT).all():
        raise ValueError("no flow has a destination port")
    more = with_port(flows)
    found = [
        PortLeak(
            str(split),
            *(measured(each, PLAIN_FOREST, split, choose_threshold=False)[0] for each in (flows, more)),
        )
        for split in splits
    ]
    if other is not None:
        one, two = (
            elsewhere(fitted(here, PLAIN_FOREST), there, "cross-network", None, len(here))
            for here, there in ((flows, other), (more, with_port(other)))
        )
        found.append(PortLeak("cross-network", one, two))
    return tuple(found)
