"""Deep estimators, of the extra `deep`: a convolution over a flow's features, and a recurrence over flows.

Both read logarithms, scaled. The convolution has a compiled form, since each of its layers is linear. The
recurrence reads the last flows between two hosts, which nothing that serves keeps: it is only measured.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final, Self, cast

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.class_weight import compute_sample_weight

from training.dataset import UNKNOWN_PAIR, LabelledFlows

MISSING: Final = "torch is not installed, and this estimator needs it: pip install torch==2.13.0"
NO_FLOW: Final = -1
Floats = NDArray[np.float64]


def import_torch() -> Any:
    """Return the module.

    Raises:
        ModuleNotFoundError: it is not installed; the message says how to install it.
    """
    try:
        import torch
    except ModuleNotFoundError:
        raise ModuleNotFoundError(MISSING) from None
    return torch


class Network(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """A classifier whose network torch fits, with Adam, for so many epochs.

    Attributes:
        classes_: sorted class codes.
        mean_, scale_: of the logarithms of the features.
        network_: the fitted network, float64.
    """

    classes_: NDArray[np.int32]
    mean_: Floats
    scale_: Floats
    network_: Any

    def __init__(
        self, seed: int = 0, *, width: int = 16, epochs: int = 30, rate: float = 1e-3, batch: int = 256
    ) -> None:
        self.seed = seed
        self.width = width
        self.epochs = epochs
        self.rate = rate
        self.batch = batch

    def fit(self, features: Any, codes: NDArray[np.int32], sample_weight: Floats | None = None) -> Self:
        """Fit on n rows, of F features or of T flows of F each; classes weigh the same without weights."""
        torch = import_torch()
        torch.manual_seed(self.seed)
        rows = np.log1p(np.asarray(features, np.float64))
        whole = rows.reshape(-1, rows.shape[-1])
        known = whole[~np.isnan(whole).any(axis=1)]
        self.n_features_in_ = rows.shape[-1]
        self.mean_ = known.mean(axis=0)
        self.scale_ = np.where(known.std(axis=0) > 0, known.std(axis=0), 1.0)
        self.classes_, places = np.unique(codes, return_inverse=True)
        if sample_weight is None:
            sample_weight = compute_sample_weight("balanced", codes)
        self.network_ = self._made(torch, rows.shape[-1], len(self.classes_))
        self._learn(torch, self._scaled(rows), places, np.asarray(sample_weight))
        self.network_.double().eval()
        return self

    def predict_proba(self, features: Any) -> Floats:
        """Return n x C probabilities."""
        torch = import_torch()
        rows = self._scaled(np.log1p(np.asarray(features, np.float64)))
        with torch.no_grad():
            parts = [
                torch.softmax(self.network_(torch.from_numpy(rows[first : first + 4096])), dim=1).numpy()
                for first in range(0, len(rows), 4096)
            ]
        return np.concatenate([np.empty((0, len(self.classes_))), *parts])

    def predict(self, features: Any) -> NDArray[np.int32]:
        """Return the likeliest class of n rows."""
        return cast(NDArray[np.int32], self.classes_[self.predict_proba(features).argmax(axis=1)])

    def _made(self, torch: Any, features: int, classes: int) -> Any:
        raise NotImplementedError

    def _scaled(self, rows: Floats) -> Floats:
        """Return scaled logarithms; what is not there is 0, the mean."""
        scaled = (rows - self.mean_) / self.scale_
        return np.where(np.isnan(scaled), 0.0, scaled)

    def _learn(self, torch: Any, rows: Floats, places: NDArray[Any], weight: Floats) -> None:
        given = torch.from_numpy(rows.astype(np.float32))
        wanted, weights = torch.from_numpy(places), torch.from_numpy(weight.astype(np.float32))
        optimizer = torch.optim.Adam(self.network_.parameters(), lr=self.rate)
        loss = torch.nn.CrossEntropyLoss(reduction="none")
        self.network_.train()
        for _ in range(self.epochs):
            for some in torch.randperm(len(places)).split(self.batch):
                optimizer.zero_grad()
                (loss(self.network_(given[some]), wanted[some]) * weights[some]).mean().backward()
                optimizer.step()


class Convolution(Network):
    """Two convolutions over the features in their order, then one dense layer."""

    def layers(self) -> list[tuple[Floats, Floats]]:
        """Return weights and bias of each layer as a dense one; between them stands a relu."""
        torch = import_torch()
        first, _, second, _, flat, last = self.network_[1]
        middle = self._length(self.n_features_in_)
        inputs = (self.n_features_in_, self.width * middle, self.width * self._length(middle))
        stages: tuple[Callable[[Any], Any], ...] = (
            lambda rows: first(rows[:, None, :]),
            lambda rows: second(rows.reshape(len(rows), self.width, middle)),
            lambda rows: last(flat(rows)),
        )
        found = []
        with torch.no_grad():
            for stage, size in zip(stages, inputs, strict=True):
                bias = stage(torch.zeros(1, size, dtype=torch.float64)).reshape(1, -1)
                weights = stage(torch.eye(size, dtype=torch.float64)).reshape(size, -1) - bias
                found.append((weights.numpy(), bias.numpy().ravel()))
        return found

    @staticmethod
    def _length(length: int) -> int:
        return (length - KERNEL) // STRIDE + 1

    def _made(self, torch: Any, features: int, classes: int) -> Any:
        nn = torch.nn
        size = self.width * self._length(self._length(features))
        return nn.Sequential(
            nn.Unflatten(1, (1, features)),
            nn.Sequential(
                nn.Conv1d(1, self.width, KERNEL, stride=STRIDE),
                nn.ReLU(),
                nn.Conv1d(self.width, self.width, KERNEL, stride=STRIDE),
                nn.ReLU(),
                nn.Flatten(),
                nn.Linear(size, classes),
            ),
        )


KERNEL: Final = 5
STRIDE: Final = 2


class Recurrence(Network):
    """A gated recurrent unit over T flows, the last of which is judged."""

    def _made(self, torch: Any, features: int, classes: int) -> Any:
        class Unit(torch.nn.Module):  # type: ignore[misc]
            def __init__(self, width: int) -> None:
                super().__init__()
                self.unit = torch.nn.GRU(features, width, batch_first=True)
                self.last = torch.nn.Linear(width, classes)

            def forward(self, rows: Any) -> Any:
                return self.last(self.unit(rows)[0][:, -1])

        return Unit(self.width)


def pasts(flows: LabelledFlows, length: int) -> NDArray[np.int64]:
    """Return the last `length` flows between each flow's two hosts, n x length, itself the last.

    NO_FLOW where there were fewer, and before flows of unknown hosts. Flows are in the order of their start.
    """
    order = np.argsort(flows.pair, kind="stable")
    pair, place = flows.pair[order], np.arange(len(flows))
    found = np.full((len(flows), length), NO_FLOW, np.int64)
    for back in range(length):
        before = place - back
        same = (before >= 0) & (pair[np.maximum(before, 0)] == pair)
        if back:
            same &= pair != UNKNOWN_PAIR
        found[order[same], length - 1 - back] = order[before[same]]
    return found


def sequences(features: Floats, past: NDArray[np.int64]) -> Floats:
    """Return n x T x F: the features of each flow's past, NaN where there is no flow."""
    rows = features[past]
    rows[past == NO_FLOW] = np.nan
    return rows


def predicted_in_parts(model: Network, features: Floats, past: NDArray[np.int64]) -> Iterator[Floats]:
    """Yield the probabilities of flows with their pasts, some thousand at a time."""
    for first in range(0, len(past), 4096):
        yield model.predict_proba(sequences(features, past[first : first + 4096]))
