"""Write the captures of `ml-ids self-test`: small scenarios of the lab, with payloads blanked.

sudo .venv/bin/python scripts/make_self_test_captures.py [NAME...]

The meter reads how long payloads are, not what they say; blanked they compress to next to nothing.
"""

from __future__ import annotations

import gzip
import sys
import tempfile
from io import BytesIO
from pathlib import Path

from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.utils import PcapReader, PcapWriter

from inference_server.self_test.cases import CASES, Case
from lab.run import run_scenario
from lab.scenario import Scenario

SEED = 20261121
RATE = 8.0
"""Megabits a second that a host may send: what floods as fast as it can stays small."""
HOSTS = {
    "web": {"services": ["nginx", "openssh", "vsftpd", "dnsmasq"]},
    "other": {"services": ["redis"]},
    "mallory": {},
}
ATTACKS = {
    "syn-scan": ("nmap", 8, {"ports": 200, "max_rate": 500}),
    "lateral-scan": ("lateral", 8, {"ports": 40}),
    "syn-flood": ("flood", 6, {"packets": 400, "rate": 400}),
    "request-flood": ("ab", 8, {"requests": 100, "at_once": 20}),
    "goldeneye": ("goldeneye", 1.5, {"workers": 1, "sockets": 6}),
    "slow-headers": ("slow-headers", 25, {"connections": 40, "rate": 20, "every": 5}),
    "slow-body": ("slow-body", 25, {"connections": 40, "rate": 20, "every": 5}),
    "reflection": ("reflection", 6, {"packets": 200}),
    "ssh-guessing": ("patator-ssh", 25, {"passwords": 30, "at_once": 4}),
    "ftp-guessing": ("patator-ftp", 25, {"passwords": 30, "at_once": 4}),
    "form-guessing": ("hydra-form", 10, {"passwords": 100}),
    "sql-injection": ("sqlmap", 12, {}),
    "scripts": ("scripts", 10, {}),
    "beacon": ("beacon", 25, {"every": 1.0}),
    "dns-tunnel": ("tunnel", 8, {"names": 120}),
    "theft": ("theft", 15, {"kilobytes": 1000, "piece": 100}),
}
BENIGN = (
    ("browse", {"think": 2.0}),
    ("browse", {"think": 2.0, "tls": True}),
    ("lookups", {}),
    ("shell", {"by_key": False, "typos": 1}),
    ("files", {}),
    ("download", {"kilobytes": 600}),
    ("knock", {}),
    ("ping", {}),
)


def scenario(case: Case) -> Scenario:
    if case.benign:
        when = {"at": {"low": 0, "high": 4}, "seconds": 12}
        doings = [{"do": do, "by": "user", "to": "web", "with": given} | when for do, given in BENIGN]
        hosts = {"web": HOSTS["web"], "user": {"count": 2}}
        return _scenario(case, 18, hosts, doings)
    do, seconds, given = ATTACKS[case.name]
    doing = {"do": do, "by": "mallory", "to": "web", "at": 1, "seconds": seconds, "with": given}
    return _scenario(case, seconds + 2, HOSTS, [doing])


def _scenario(case: Case, seconds: float, hosts: object, activities: object) -> Scenario:
    return Scenario.model_validate(
        {
            "name": case.name,
            "description": case.label,
            "seconds": seconds,
            "network": {"offloads": False, "rate_mbit": RATE},
            "hosts": hosts,
            "activities": activities,
        }
    )


def blanked(capture: Path) -> bytes:
    """Return a capture whose payloads are zeros; ICMP keeps the packets that it quotes."""
    written = BytesIO()
    with PcapReader(str(capture)) as packets, PcapWriter(written, linktype=1) as writer:
        writer.write_header(None)
        for packet in packets:
            raw = bytearray(bytes(packet))
            layer = next((packet[kind] for kind in (TCP, UDP) if packet.haslayer(kind)), None)
            if layer is not None and not packet.haslayer(ICMP) and packet.haslayer(IP):
                end = 14 + packet[IP].len
                start = end - len(layer.payload)
                raw[start:end] = bytes(end - start)
            seconds = int(packet.time)
            writer.write_packet(bytes(raw), sec=seconds, usec=int((packet.time - seconds) * 1_000_000))
        return written.getvalue()


def main() -> None:
    wanted = set(sys.argv[1:]) or {case.name for case in CASES}
    for case in CASES:
        if case.name not in wanted:
            continue
        with tempfile.TemporaryDirectory() as folder:
            capture = Path(folder) / "all.pcap"
            outcome = run_scenario(scenario(case), SEED, capture)
            case.capture.write_bytes(gzip.compress(blanked(capture), 9, mtime=0))
        size = case.capture.stat().st_size
        print(f"{case.name}: {outcome.packets} packets, {size:,} bytes; failed: {dict(outcome.failed)}")


if __name__ == "__main__":
    main()
