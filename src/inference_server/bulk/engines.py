"""Who scores captures: this process, or a cluster."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

from inference_server.bulk.captures import Capture
from inference_server.bulk.packed_model import PackedModel
from inference_server.bulk.places import place_named
from inference_server.bulk.scoring import Outcome, kept_result, score_capture

ASKED_AT_ONCE = 16


@dataclass(frozen=True, slots=True)
class Work:
    """What is to be done.

    Attributes:
        captures: what is scored.
        model: what scores it.
        output: the place of the results, see `place_named`.
    """

    captures: tuple[Capture, ...]
    model: PackedModel
    output: str

    def done_before(self) -> list[Outcome]:
        """Return the captures that have their result of this model already.

        Raises:
            OSError: the place cannot be asked.
        """
        place = place_named(self.output)
        there = place.names()
        asked = [capture for capture in self.captures if capture.result in there]
        with ThreadPoolExecutor(ASKED_AT_ONCE, "results") as threads:
            results = threads.map(partial(kept_result, model=self.model, place=place), asked)
            return [
                Outcome(capture, "kept", result)
                for capture, result in zip(asked, results, strict=True)
                if result
            ]


def score_here(work: Work) -> Iterator[Outcome]:
    """Score one capture after the other in this process; yield what became of each.

    Raises:
        ValueError: the model does not work here.
    """
    place, scorer = place_named(work.output), work.model.scorer()
    for capture in work.captures:
        yield score_capture(capture, work.model, scorer, place)
