"""Fitting on a Ray cluster: scikit-learn's parallel loops, through Ray's backend for joblib."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import copy
from typing import Any, Final

import joblib
import numpy as np
import ray
from ray.util.joblib.ray_backend import RayBackend

from flows.ray_cluster import connected

BACKEND: Final = "ray-shared"
SHARED_BYTES: Final = 1 << 18


@contextmanager
def fitting_on_ray() -> Iterator[None]:
    """Fit on the cluster of RAY_ADDRESS what is fitted in the context; trees are the same as without.

    Raises:
        ConnectionError: the cluster cannot be reached.
    """
    with connected():
        joblib.register_parallel_backend(BACKEND, SharingBackend)
        with joblib.parallel_config(backend=BACKEND):
            yield


class SharingBackend(RayBackend):  # type: ignore[misc]
    """Ray's backend; a large array goes into the object store once, not with every tree."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._shared: dict[int, tuple[Any, Any]] = {}

    def submit(self, func: Any, callback: Any = None) -> Any:
        """Run a batch of calls on a node."""
        batch = copy(func)
        batch.items = [
            (each, [self._kept(value) for value in given], {k: self._kept(v) for k, v in named.items()})
            for each, given, named in func.items
        ]
        return super().submit(_Fetching(batch), callback)

    def terminate(self) -> None:
        """End the loop, and give its arrays' room back."""
        super().terminate()
        self._shared.clear()

    def _kept(self, value: Any) -> Any:
        if not isinstance(value, np.ndarray) or value.nbytes < SHARED_BYTES:
            return value
        if id(value) not in self._shared:
            # The array is kept too: its id is its own as long as it lives.
            self._shared[id(value)] = value, ray.put(value)
        return _Stored(self._shared[id(value)][1])


class _Stored:
    """Stands for an array of the object store."""

    def __init__(self, reference: Any) -> None:
        self.reference = reference


class _Fetching:
    """A batch of calls whose arrays are fetched where it runs; they cannot be written there."""

    def __init__(self, batch: Callable[[], Any]) -> None:
        self._batch = batch

    def __call__(self) -> Any:
        batch: Any = self._batch
        batch.items = [
            (each, [_fetched(value) for value in given], {k: _fetched(v) for k, v in named.items()})
            for each, given, named in batch.items
        ]
        return batch()


def _fetched(value: Any) -> Any:
    return ray.get(value.reference) if isinstance(value, _Stored) else value
