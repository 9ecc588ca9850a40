"""The extractor's sidecar in a process of its own, as a test runs it inside a network namespace.

    python extractor_process.py INTERFACE OUTPUT TOOLS

Prints the worker's process id once packets are read; ends on the end of its input, prints the state as JSON
and writes the flows to OUTPUT.
"""

from __future__ import annotations

import dataclasses
import json
import sys
import time
from pathlib import Path

from capture.extractors.environment import find_environment
from capture.extractors.sidecar import ExtractorSidecar
from flows.parquet_files import write_parquet
from flows.table import FlowTable, concat_tables


def main(interface: str, output: Path, tools: Path) -> None:
    tables: list[FlowTable] = []

    def keep(table: FlowTable) -> int:
        tables.append(table)
        return 0

    environment = find_environment(tools)
    sidecar = ExtractorSidecar([interface], keep, sensor="test", environment=environment)
    sidecar.start()
    deadline = time.monotonic() + 60
    while not sidecar.status()[0].running:
        if time.monotonic() > deadline:
            raise TimeoutError(f"not capturing: {sidecar.status()[0].error}")
        time.sleep(0.05)
    sys.stdout.write(f"{sidecar._extractors[0].pid}\n")
    sys.stdout.flush()
    sys.stdin.read()
    sidecar.stop(20)
    sys.stdout.write(json.dumps(dataclasses.asdict(sidecar.status()[0])))
    sys.stdout.flush()
    if tables:
        write_parquet(concat_tables(tables), output)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))
