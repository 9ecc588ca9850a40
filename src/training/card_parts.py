"""What every card of a model that is trained here says in the same words."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from detection.record import ModelRecord
from flows.labels import BY_CODE
from training.evaluation import Evaluation
from training.markdown import bullets, paragraph, table


def what_it_is(record: ModelRecord) -> str:
    """Return a list: what the model reads, by which rules, what it tells apart, what it does not judge."""
    rule = record.insufficient
    judged = (
        f"""Flows of at most {rule.max_packets} packet or of {rule.max_duration_us} us get the verdict
        `insufficient`; by themselves they are never attacks."""
        if rule
        else "Every flow is judged."
    )
    return bullets(
        [
            f"""Reads {len(record.features)} features (schema `{record.schema_id}`): no port, address or
            time.""",
            f"Dialect `{record.dialect}`: the features must be measured by its rules.",
            f"""Tells {len(record.classes)} classes apart. The operating threshold on 1 - P(benign) is
            {record.threshold:.6f}: at or above it a flow is an attack of the most probable attack
            class, below it benign.""",
            judged,
        ]
    )


def class_counts(codes: NDArray[np.int32]) -> str:
    """Return a table of how many of n flows each class has."""
    found, counts = np.unique(codes, return_counts=True)
    rows = [
        [BY_CODE[code].name, str(code), f"{count:,}"]
        for code, count in zip(found.tolist(), counts.tolist(), strict=True)
    ]
    return table(["class", "code", "flows"], rows)


def split_section(name: str, evaluation: Evaluation) -> list[str]:
    """Return the section about one split of the labelled flows."""
    return [
        f"## Figures: {name}",
        paragraph(
            f"""Another model of the same make, fitted on {evaluation.train_rows:,} flows and measured on
            the other {evaluation.test_rows:,}; the label is the most probable class. Accuracy
            {evaluation.accuracy:.4f}, macro F1 {evaluation.macro_f1:.4f}. At the operating threshold
            {evaluation.attacks_flagged:.2%} of the attack flows and {evaluation.benign_flagged:.2%} of the
            benign ones are flagged."""
        ),
        table(
            ["class", "n", "precision", "recall", "F1"],
            [
                [part.name, f"{part.n:,}", f"{part.precision:.4f}", f"{part.recall:.4f}", f"{part.f1:.4f}"]
                for part in evaluation.classes
            ],
        ),
    ]
