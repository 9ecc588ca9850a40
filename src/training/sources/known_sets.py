"""The published data sets: where they are from, their terms, what to cite."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class KnownSet:
    """A published data set.

    Attributes:
        name: what commands call it.
        title: what its authors call it.
        source: the page of those who publish it.
        terms: what they allow, in short; their page says it in full.
        citation: what work that uses the set cites.
        pattern: a regular expression of the paths and URLs that it is usually found at, in lower case.
    """

    name: str
    title: str
    source: str
    terms: str
    citation: str
    pattern: str

    def facts(self) -> dict[str, str]:
        """Return source, terms and citation by name."""
        return {"source": self.source, "terms": self.terms, "citation": self.citation}

    def notice(self) -> str:
        """Return source, terms and citation as lines."""
        return f"{self.title}, {self.source}\n  terms: {self.terms}\n  cite: {self.citation}"


_SHARAFALDIN: Final = (
    "I. Sharafaldin, A. Habibi Lashkari, A. A. Ghorbani: Toward Generating a New Intrusion Detection "
    "Dataset and Intrusion Traffic Characterization. ICISSP 2018"
)
_LIU: Final = (
    "L. Liu, G. Engelen, T. Lynar, D. Essam, W. Joosen: Error Prevalence in NIDS Datasets: A Case Study on "
    "CIC-IDS-2017 and CSE-CIC-IDS-2018. IEEE CNS 2022"
)
_ENGELEN: Final = (
    "G. Engelen, V. Rimmer, W. Joosen: Troubleshooting an Intrusion Detection Dataset: the CICIDS2017 Case "
    "Study. IEEE WTMC 2021"
)

KNOWN_SETS: Final = (
    KnownSet(
        name="cic-ids2017-improved",
        title="CIC-IDS2017, corrected",
        source="https://intrusion-detection.distrinet-research.be/CNS2022/",
        terms="no licence of its own; those of CIC-IDS2017: for research, with citation",
        citation=f"{_SHARAFALDIN}; {_ENGELEN}; {_LIU}",
        pattern=r"cic-?ids-?2017[-_ ]?(improved|corrected)|distrinet-research",
    ),
    KnownSet(
        name="cic-ids2017",
        title="CIC-IDS2017",
        source="https://www.unb.ca/cic/datasets/ids-2017.html",
        terms="available to researchers, with citation",
        citation=_SHARAFALDIN,
        pattern=r"cic-?ids-?2017|machinelearningcve|generatedlabelledflows|trafficlabelling",
    ),
    KnownSet(
        name="cic-ids2018",
        title="CSE-CIC-IDS2018",
        source="https://www.unb.ca/cic/datasets/ids-2018.html",
        terms="may be copied and republished in any form, with citation and a link to its page on AWS",
        citation=f"{_SHARAFALDIN}; A Realistic Cyber Defense Dataset (CSE-CIC-IDS2018), "
        "https://registry.opendata.aws/cse-cic-ids2018",
        pattern=r"cic-?ids-?2018",
    ),
    KnownSet(
        name="cic-unsw-nb15",
        title="CIC-UNSW-NB15",
        source="https://www.unb.ca/cic/datasets/cic-unsw-nb15.html",
        terms="for research, with citation; the captures below it, UNSW-NB15: free for academic research, "
        "commercial use as agreed with its authors",
        citation="H. Mohammadian, A. Habibi Lashkari, A. A. Ghorbani: Poisoning and Evasion: Deep Learning-"
        "Based NIDS under Adversarial Attacks. PST 2024; N. Moustafa, J. Slay: UNSW-NB15: a comprehensive "
        "data set for network intrusion detection systems. MilCIS 2015",
        pattern=r"unsw[-_]?nb[-_]?15",
    ),
    KnownSet(
        name="nsl-kdd",
        title="NSL-KDD",
        source="https://www.unb.ca/cic/datasets/nsl.html",
        terms="for research, with citation",
        citation="M. Tavallaee, E. Bagheri, W. Lu, A. A. Ghorbani: A Detailed Analysis of the KDD CUP 99 "
        "Data Set. IEEE CISDA 2009",
        pattern=r"nsl[-_]?kdd|kddtrain\+|kddtest\+",
    ),
    KnownSet(
        name="kdd99",
        title="KDD Cup 1999",
        source="https://archive.ics.uci.edu/dataset/130/kdd+cup+1999+data",
        terms="Creative Commons Attribution 4.0",
        citation="S. Stolfo, W. Fan, W. Lee, A. Prodromidis, P. Chan: KDD Cup 1999 Data. UCI Machine "
        "Learning Repository, doi:10.24432/C51C7N",
        pattern=r"kddcup|kdd[-_ ]?(cup)?[-_ ]?(19)?99",
    ),
)
"""The more special ones first: a path is of the first set whose pattern occurs in it."""


def known_set(location: str) -> KnownSet | None:
    """Return the published set that a path or URL seems to be of, None when it does not tell."""
    text = location.lower()
    return next((known for known in KNOWN_SETS if re.search(known.pattern, text)), None)
