"""Write data/demo/demo.pcap: benign and attack traffic, all of it made here, the same bytes every time.

python scripts/make_demo_capture.py [OUTPUT]
"""

from __future__ import annotations

import random
import sys
from itertools import chain
from pathlib import Path

from scapy.utils import PcapWriter
from traffic import attacks, benign
from traffic.session import Conversation, in_order

SEED = 20170707
START_US = 1_767_603_600_000_000  # 2026-01-05 09:00:00 UTC
DEMO = Path(__file__).resolve().parent.parent / "data" / "demo" / "demo.pcap"


def write_capture(path: Path, conversations: chain[Conversation]) -> int:
    """Write the packets of the conversations by time; return how many."""
    packets = in_order(conversations)
    with PcapWriter(str(path), linktype=1, sync=True) as writer:
        writer.write_header(None)
        for timed in packets:
            seconds, micros = divmod(timed.time_us, 1_000_000)
            writer.write_packet(bytes(timed.packet), sec=seconds, usec=micros)
    return len(packets)


def main() -> None:
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else DEMO
    rng = random.Random(SEED)
    count = write_capture(path, chain(benign.everything(rng, START_US), attacks.everything(rng, START_US)))
    print(f"{path}: {count} packets, {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
