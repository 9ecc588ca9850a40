"""The dialects: whose rules measured a flow."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

IMPROVED: Final = "improved"
PYTHON: Final = "python-cicflowmeter"
DIALECTS: Final = (IMPROVED, "improved-2024", "cic-2018", "cic-2017", "cic-v4", PYTHON)


@dataclass(frozen=True, slots=True)
class Generation:
    """The tool behind a dialect.

    Attributes:
        tool: whose CICFlowMeter it is, and its commit.
        made: the data sets that it made.
        evidence: how we know what it does.
        packets: what it takes for a packet of which flow.
        ends: where it ends a flow, apart from the time-out and the end of the capture.
        goes_on: how a flow goes on after the time-out.
    """

    tool: str
    made: str
    evidence: str
    packets: str
    ends: str
    goes_on: str


_FLAT: Final = (
    "TCP and UDP; anything else is protocol 0 of the host pair, without ports or lengths. An ICMP error is "
    "taken for the packet that it quotes. Flows of one packet are dropped"
)
_RELABELLED: Final = (
    "source and destination stay, but the first packet of the new flow counts as forward, whoever sent it"
)
_CLOSED: Final = (
    "after a RST, or a FIN of each side and an ACK, at the next SYN; until then later packets are absorbed. "
    "ICMP at a message whose type and code both differ from the first one's"
)

GENERATIONS: Final[dict[str, Generation]] = {
    IMPROVED: Generation(
        tool="Engelen e3bb9ce (2022-07)",
        made="corrected CIC-IDS2017",
        evidence="rows of the tool for 102 captures; 9 published rows",
        packets="TCP, UDP, ICMP (with type and code); anything else is protocol 0 of the host pair",
        ends=_CLOSED,
        goes_on="TCP keeps source and destination, anything else begins anew",
    ),
    "improved-2024": Generation(
        tool="Engelen 4dd5319 (2024-06)",
        made="what the newest corrected tool measures",
        evidence="rows of the tool for 8 captures",
        packets="as `improved`, and SCTP with ports, and IGMP. A flow that begins with SYN and ACK belongs "
        "to the receiver",
        ends=_CLOSED,
        goes_on="TCP, and UDP unless it was silent for 120 s, keep source and destination",
    ),
    "cic-2018": Generation(
        tool="CIC eaa853d (2018-02)",
        made="CSE-CIC-IDS2018",
        evidence="rows of the tool for 8 captures; 4,000 rows of the data set",
        packets=_FLAT,
        ends="at the first FIN that is not the flow's first packet; packets after it make a new flow",
        goes_on=_RELABELLED,
    ),
    "cic-2017": Generation(
        tool="a private build before eaa853d",
        made="CIC-IDS2017 as first published",
        evidence="16 published rows; 1,299 more rows of the data set",
        packets=_FLAT,
        ends="as `cic-2018`",
        goes_on=_RELABELLED,
    ),
    "cic-v4": Generation(
        tool="CIC 98a5eba (2022-01), version 4",
        made="CIC-UNSW-NB15 and most self-made sets",
        evidence="rows of the tool for 8 captures",
        packets=_FLAT,
        ends="at a RST or the first backward FIN. A forward FIN only leaves a mark; the next one is thrown "
        "away. A FIN in the first packet leaves none",
        goes_on=_RELABELLED,
    ),
}


def known_dialect(name: str) -> str:
    """Return `name` when it is a dialect.

    Raises:
        ValueError: it is none; the message names those that are.
    """
    if name not in DIALECTS:
        raise ValueError(f"unknown dialect {name!r}: use one of {', '.join(DIALECTS)}")
    return name
