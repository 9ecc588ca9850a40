"""What is warmed up is all that runs later: neither packets nor alerts wait for the compiler."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

TESTS = Path(__file__).parents[1]

LIVE_PATH = """
import gc, sys
import numpy as np
from numba.core.registry import CPUDispatcher
from capture.warm_up import warm_up_live_capture

warm_up_live_capture()

def compiled():
    kernels = [each for each in gc.get_objects() if isinstance(each, CPUDispatcher)]
    return {(each.__name__, str(types)) for each in kernels for types in each.overloads}

before = compiled()
from capture.evidence import EvidenceStore, FiveTuple, Wanted, write_evidence
from capture.framing import frame_ring_block
from capture.layout import packet_index
from capture.meter import FlowMeter
from capture.rules import LiveRules
from capture.segments import FrameCount
from helpers.packets import CLIENT, SERVER, START_US, connection
from helpers.ring_blocks import ring_block

block, index, link = ring_block(connection()), packet_index(100), 1
store = EvidenceStore(1 << 20)
store.keep(block, 0, link)
assert write_evidence([store], [Wanted(FiveTuple(*CLIENT, *SERVER, 6), 0, START_US * 2)], sys.argv[1])
_, count = frame_ring_block(block, 0, 0, link, 1, 1500, index, np.zeros(FrameCount.SIZE, np.int64))
meter = FlowMeter(live_rules=LiveRules())
tables = [*meter.feed(block, index, count), *meter.expire(START_US * 2), *meter.flush()]
assert sum(map(len, tables)) == 1
print(sorted(compiled() - before))
"""


def test_the_live_path_compiles_nothing_more(tmp_path: Path) -> None:
    ran = subprocess.run(
        [sys.executable, "-c", LIVE_PATH, tmp_path / "evidence.pcap"],
        cwd=TESTS,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ran.stdout.strip(), ran.stderr) == ("[]", "")
