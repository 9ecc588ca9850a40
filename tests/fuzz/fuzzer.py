"""The process that fuzzes: one target under atheris, kernels interpreted. Started by run.py.

python fuzzer.py TARGET LIBFUZZER_ARGUMENTS...
"""

from __future__ import annotations

import sys

import atheris
import numpy as np

with atheris.instrument_imports(include=["capture", "flows.table", "flows.assembly"]):
    from fuzz.targets import TARGETS


def main() -> None:
    np.seterr(over="ignore", divide="ignore", invalid="ignore")
    target = TARGETS[sys.argv.pop(1)]

    def run(data: bytes) -> None:
        target(data)

    atheris.Setup(sys.argv, run)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
