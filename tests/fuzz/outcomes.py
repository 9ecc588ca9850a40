"""Run inputs through the targets and print an outcome a line; the environment says how kernels run.

python outcomes.py < inputs, a line each: target, space, hexadecimal bytes
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from fuzz.targets import TARGETS, Outcome

TESTS = Path(__file__).resolve().parents[1]
Input = tuple[str, bytes]


def outcome(target: str, data: bytes) -> Outcome:
    """Run one input as the kernels are meant to run: integers wrap, divisions by 0 give inf or NaN."""
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        found: Outcome = json.loads(json.dumps(TARGETS[target](data)))
    return found


def outcomes_elsewhere(inputs: Sequence[Input], **environment: str) -> list[Outcome]:
    """Run inputs in another process.

    Raises:
        RuntimeError: it failed; the message has its output, with the input that it failed on.
    """
    paths = os.pathsep.join([str(TESTS), str(TESTS.parent / "src")])
    answer = subprocess.run(
        [sys.executable, __file__],
        input="".join(f"{target} {data.hex()}\n" for target, data in inputs),
        env={**os.environ, "PYTHONPATH": paths, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    if answer.returncode:
        raise RuntimeError(answer.stderr)
    return [json.loads(line) for line in answer.stdout.splitlines()]


def main() -> None:
    for line in sys.stdin:
        target, _, text = line.rstrip("\n").partition(" ")
        try:
            sys.stdout.write(json.dumps(outcome(target, bytes.fromhex(text))) + "\n")
        except BaseException:
            sys.stderr.write(f"failed on {line}")
            raise


if __name__ == "__main__":
    main()
