"""The label table: stable class codes and every data set's spelling of a class.

A code is never reused; 0 is always benign. Codes 1 to 17 follow cstub/ml-ids, so that its users'
label numbers keep their meaning. The attacks of KDD99 and NSL-KDD are aliases of their four
categories, as the KDD Cup scored them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Label:
    """One class: stable code, name, family, ATT&CK technique ("" for none) and aliases."""

    code: int
    name: str
    family: str
    technique: str
    aliases: tuple[str, ...] = ()


# fmt: off
LABELS: tuple[Label, ...] = (
    Label(0, "Benign", "benign", "", ("BENIGN", "normal")),
    Label(1, "Bot", "botnet", "T1071", ("Botnet", "Botnet Ares")),
    Label(2, "Web Attack - Brute Force", "web", "T1110", ("Brute Force -Web", "Brute Force - Web")),
    Label(3, "Web Attack - XSS", "web", "T1189", ("Brute Force -XSS", "Brute Force - XSS")),
    Label(4, "DoS GoldenEye", "dos", "T1499", ("DoS attacks-GoldenEye",)),
    Label(5, "DoS Hulk", "dos", "T1499", ("DoS attacks-Hulk",)),
    Label(6, "DoS Slowhttptest", "dos", "T1499", ("DoS attacks-SlowHTTPTest",)),
    Label(7, "DoS Slowloris", "dos", "T1499", ("DoS attacks-Slowloris",)),
    Label(8, "DDoS HOIC", "ddos", "T1498", ("DDOS attack-HOIC", "DDoS-HOIC")),
    Label(9, "DDoS LOIC-UDP", "ddos", "T1498", ("DDOS attack-LOIC-UDP", "DDoS-LOIC-UDP")),
    Label(10, "DDoS LOIC-HTTP", "ddos", "T1498", ("DDoS attacks-LOIC-HTTP", "DDoS-LOIC-HTTP")),
    Label(11, "FTP-Patator", "brute-force", "T1110", ("FTP-BruteForce",)),
    Label(12, "Infiltration", "infiltration", "T1210", (
        "Infilteration", "Infiltration - Communication Victim Attacker", "Infiltration - Dropbox Download")),
    Label(13, "Web Attack - SQL Injection", "web", "T1190", (
        "SQL Injection", "Web Attack - Sql Injection", "Web Attack - SQL")),
    Label(14, "SSH-Patator", "brute-force", "T1110", ("SSH-Bruteforce",)),
    Label(15, "DDoS", "ddos", "T1498", ("DDOS LOIT",)),
    Label(16, "Heartbleed", "exploit", "T1190"),
    Label(17, "Portscan", "scan", "T1046", ("PortScan",)),
    Label(18, "Infiltration - Portscan", "scan", "T1046", ("Infiltration - NMAP Portscan",)),
    Label(20, "Analysis", "scan", "T1595"),
    Label(21, "Backdoor", "backdoor", "T1505"),
    Label(22, "DoS", "dos", "T1499", (
        "apache2", "back", "land", "mailbomb", "neptune", "pod", "processtable", "smurf", "teardrop",
        "udpstorm")),
    Label(23, "Exploits", "exploit", "T1190"),
    Label(24, "Fuzzers", "fuzzing", "T1595"),
    Label(25, "Generic", "generic", ""),
    Label(26, "Reconnaissance", "scan", "T1595"),
    Label(27, "Shellcode", "exploit", "T1203"),
    Label(28, "Worms", "worm", "T1210"),
    Label(30, "Probe", "scan", "T1595", ("ipsweep", "mscan", "nmap", "portsweep", "saint", "satan")),
    Label(31, "R2L", "exploit", "T1190", (
        "ftp_write", "guess_passwd", "imap", "multihop", "named", "phf", "sendmail", "snmpgetattack",
        "snmpguess", "spy", "warezclient", "warezmaster", "worm", "xlock", "xsnoop")),
    Label(32, "U2R", "privilege-escalation", "T1068", (
        "buffer_overflow", "httptunnel", "loadmodule", "perl", "ps", "rootkit", "sqlattack", "xterm")),
    Label(33, "Brute Force", "brute-force", "T1110", ("BruteForce",)),
    Label(34, "Web Attack", "web", "T1190", ("WebAttack",)),
    Label(36, "Exfiltration", "exfiltration", "T1048"),
    Label(35, "Attack", "attack", "", ("malicious", "anomaly", "intrusion")),
    Label(37, "Novelty", "novelty", ""),
)
# fmt: on

ATTACK: int = 35
"""The code of an attack whose kind is not told, as binary models give it."""

NOVELTY: int = 37
"""The code of flows unlike all that a detector of novelty has seen: a kind of alert, no class of a model."""

ATTEMPTED_SUFFIX: str = " - Attempted"
"""Ends the labels of attacks that did not come about, as the improved CIC-IDS2017 writes it."""

UNLABELLED: tuple[str, ...] = ("NeedManualLabel", "No Label", "")
"""What the tools write where nobody labelled a flow: no class, benign least of all."""

BY_CODE: dict[int, Label] = {label.code: label for label in LABELS}


def _key(text: str) -> str:
    # The 2017 files write the dash of "Web Attack - XSS" in several broken encodings.
    return " ".join(re.findall(r"[a-z0-9]+", text.lower()))


_BY_KEY: dict[str, Label] = {
    _key(spelling): label for label in LABELS for spelling in (label.name, *label.aliases)
}


def find_label(text: str) -> Label:
    """Return the label that a data set spells as `text`.

    Raises:
        ValueError: no label of the table is spelled so, or `text` says that there is no label.
    """
    if text.strip() in UNLABELLED:
        raise ValueError(f"{text!r} is no label: the flow was never labelled")
    try:
        return _BY_KEY[_key(text)]
    except KeyError:
        raise ValueError(f"unknown label {text!r}: not in the label table") from None
