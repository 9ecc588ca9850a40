"""The sidecar in a process of its own, as a test runs it inside a network namespace.

    python capture_process.py INTERFACE OUTPUT

Prints `running` once packets are read; ends on the end of its input, prints the counters as JSON and
writes the flows to OUTPUT.
"""

from __future__ import annotations

import dataclasses
import json
import sys
import time
from pathlib import Path

from capture.meter import FlowMeter
from capture.rules import LiveRules
from capture.sidecar import Sidecar
from flows.parquet_files import write_parquet
from flows.table import FlowTable, concat_tables


def main(interface: str, output: Path) -> None:
    tables: list[FlowTable] = []

    def keep(table: FlowTable) -> int:
        tables.append(table)
        return 0

    sidecar = Sidecar([interface], keep, sensor="test", rules=LiveRules())
    sidecar.start()
    deadline = time.monotonic() + 120
    while not sidecar.status()[0].running:
        if time.monotonic() > deadline:
            raise TimeoutError(f"not capturing: {sidecar.status()[0].error}")
        time.sleep(0.05)
    sys.stdout.write("running\n")
    sys.stdout.flush()
    sys.stdin.read()
    status = sidecar.status()[0]
    sidecar.stop(10)
    counters = {**dataclasses.asdict(sidecar.status()[0].counters), "kernel_drops": status.kernel_drops}
    sys.stdout.write(json.dumps(counters))
    sys.stdout.flush()
    write_parquet(concat_tables(tables or list(FlowMeter().flush())), output)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
