"""The sidecar in a process of its own, as a test runs it inside a network namespace.

    python capture_process.py INTERFACE[,INTERFACE...] OUTPUT [OPTIONS]

OPTIONS is a JSON object of CaptureOptions' fields, and under `ask` [src, src port, dst, dst port, protocol,
file] for evidence. Prints `running` once packets are read; ends on the end of its input, prints the status of
every interface as JSON, flows to OUTPUT, and the number of evidence packets.
"""

from __future__ import annotations

import dataclasses
import json
import sys
import time
from pathlib import Path

from capture.evidence import FiveTuple, Wanted
from capture.options import CaptureOptions, OwnService
from capture.rules import LiveRules
from capture.sidecar import Sidecar
from flows.parquet_files import write_parquet
from flows.table import FlowTable, concat_tables


def main(interfaces: str, output: Path, given: str = "{}") -> None:
    tables: list[FlowTable] = []
    options = json.loads(given)
    ask = options.pop("ask", None)
    options["own_traffic"] = tuple(OwnService(*service) for service in options.get("own_traffic", ()))

    def keep(table: FlowTable) -> int:
        tables.append(table)
        return 0

    sidecar = Sidecar(
        interfaces.split(","), keep, sensor="test", rules=LiveRules(), options=CaptureOptions(**options)
    )
    sidecar.start()
    deadline = time.monotonic() + 120
    while not all(status.running for status in sidecar.status()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"not capturing: {[status.error for status in sidecar.status()]}")
        time.sleep(0.05)
    sys.stdout.write("running\n")
    sys.stdout.flush()
    sys.stdin.read()
    running = sidecar.status()
    sidecar.stop(10)
    wanted = [Wanted(FiveTuple(*ask[:5]), 0, time.time_ns())] if ask else []
    evidence = sidecar.evidence(wanted, ask[5]) if ask else 0
    stopped = [dataclasses.asdict(status) for status in sidecar.status()]
    answer = {
        "stopped": stopped,
        "left_out": [status.left_out for status in running],
        "evidence": evidence,
    }
    sys.stdout.write(json.dumps(answer))
    sys.stdout.flush()
    if tables:
        write_parquet(concat_tables(tables), output)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), *sys.argv[3:])
