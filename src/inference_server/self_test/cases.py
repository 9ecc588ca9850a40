"""The captures of the self-test: one attack each, or none, made by the lab."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from flows.labels import find_label

CAPTURES: Final = Path(__file__).parent / "captures"


@dataclass(frozen=True, slots=True)
class Case:
    """One capture.

    Attributes:
        name: what it is called.
        label: what everything in it is, spelled as the label table spells it.
    """

    name: str
    label: str

    @property
    def capture(self) -> Path:
        """The file."""
        return CAPTURES / f"{self.name}.pcap.gz"

    @property
    def family(self) -> str:
        """The family of its label."""
        return find_label(self.label).family

    @property
    def benign(self) -> bool:
        """Whether no alert is right."""
        return find_label(self.label).code == 0


CASES: Final = (
    Case("syn-scan", "Portscan"),
    Case("lateral-scan", "Infiltration - Portscan"),
    Case("syn-flood", "DoS"),
    Case("request-flood", "DoS"),
    Case("goldeneye", "DoS GoldenEye"),
    Case("slow-headers", "DoS Slowloris"),
    Case("slow-body", "DoS Slowhttptest"),
    Case("reflection", "DDoS"),
    Case("ssh-guessing", "SSH-Patator"),
    Case("ftp-guessing", "FTP-Patator"),
    Case("form-guessing", "Web Attack - Brute Force"),
    Case("sql-injection", "Web Attack - SQL Injection"),
    Case("scripts", "Web Attack - XSS"),
    Case("beacon", "Bot"),
    Case("dns-tunnel", "Exfiltration"),
    Case("theft", "Exfiltration"),
    Case("office", "Benign"),
)
