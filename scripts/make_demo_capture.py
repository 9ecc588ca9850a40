"""Write data/demo/demo.pcap: benign and attack traffic, all of it made here, the same bytes every time.

python scripts/make_demo_capture.py [OUTPUT]
"""

from __future__ import annotations

import random
import sys
from collections.abc import Iterable
from itertools import chain
from pathlib import Path

import orjson
from scapy.utils import PcapWriter
from traffic import attacks, benign
from traffic.session import Conversation, in_order

from capture.files import read_capture
from flows.schema import BY_NAME, COMMON_NAMES
from flows.table import concat_tables
from flows.times import rfc3339

SEED = 20170707
START_US = 1_767_603_600_000_000  # 2026-01-05 09:00:00 UTC
DEMO = Path(__file__).resolve().parent.parent / "data" / "demo"
HULK_PACKETS = 15


def write_capture(path: Path, conversations: Iterable[Conversation]) -> int:
    """Write the packets of the conversations by time; return how many."""
    packets = in_order(conversations)
    with PcapWriter(str(path), linktype=1, sync=True) as writer:
        writer.write_header(None)
        for timed in packets:
            seconds, micros = divmod(timed.time_us, 1_000_000)
            writer.write_packet(bytes(timed.packet), sec=seconds, usec=micros)
    return len(packets)


def hulk_flow(path: Path) -> dict[str, object]:
    """Return the first flow of the attacker to port 80 that has a Hulk connection's packets."""
    table = concat_tables(read_capture(path))
    packets = table.column("tot_fwd_pkts") + table.column("tot_bwd_pkts")
    to_web = (table.dst_port == 80) & (packets == HULK_PACKETS)
    row = next(int(at) for at in to_web.nonzero()[0] if table.source(at) == attacks.ATTACKER.address)
    flow = table.take(slice(row, row + 1))
    features = {name: flow.column(name)[0].item() for name in COMMON_NAMES}
    return {
        "src_ip": flow.source(0),
        "src_port": int(flow.src_port[0]),
        "dst_ip": flow.destination(0),
        "dst_port": int(flow.dst_port[0]),
        "protocol": int(flow.protocol[0]),
        "timestamp": rfc3339(flow.start_us)[0],
    } | {name: int(value) if BY_NAME[name].kind == "int" else value for name, value in features.items()}


def main() -> None:
    directory = Path(sys.argv[1]) if len(sys.argv) > 1 else DEMO
    path = directory / "demo.pcap"
    rng = random.Random(SEED)
    count = write_capture(path, chain(benign.everything(rng, START_US), attacks.everything(rng, START_US)))
    flow = directory / "flow.json"
    flow.write_bytes(orjson.dumps(hulk_flow(path), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
    print(f"{path}: {count} packets, {path.stat().st_size} bytes; {flow}")


if __name__ == "__main__":
    main()
