"""Write the captures of tests/verify: one scenario of the demo's traffic each, the same bytes every time.

python scripts/make_verify_cases.py
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path

from make_demo_capture import SEED, START_US, write_capture
from traffic import attacks, benign
from traffic.session import Conversation

CASES = Path(__file__).resolve().parent.parent / "tests" / "verify"
Scenario = Callable[[random.Random, int], Iterator[Conversation]]

SCENARIOS: dict[str, tuple[Scenario, ...]] = {
    "benign-office": (benign.dns, benign.web, benign.tls, benign.shell, benign.clock, benign.ping),
    "one-packet-flows": (benign.syslog,),
    "password-guessing": (attacks.ftp_guessing, attacks.ssh_guessing),
    "port-scan": (attacks.port_scan,),
    "web-dos": (attacks.slowloris, attacks.golden_eye, attacks.hulk),
}
CUT_CASE, CUT_AT = "cut-inside-a-packet", 9_000


def main() -> None:
    for name, scenarios in SCENARIOS.items():
        rng = random.Random(f"{SEED} {name}")
        (CASES / name).mkdir(parents=True, exist_ok=True)
        path = CASES / name / "input.pcap"
        count = write_capture(path, chain.from_iterable(scenario(rng, START_US) for scenario in scenarios))
        print(f"{path}: {count} packets")
    (CASES / CUT_CASE).mkdir(exist_ok=True)
    whole = (CASES / "port-scan" / "input.pcap").read_bytes()
    (CASES / CUT_CASE / "input.pcap").write_bytes(whole[:CUT_AT])


if __name__ == "__main__":
    main()
