"""What an extractor's process takes from the wire: the filter and exclusions of the own capture."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from typing import Any, Final

from capture.decode import LINK_ETHERNET
from capture.interfaces import link_type
from capture.options import WHOLE_PACKETS, CaptureOptions
from capture.own_traffic import OwnConnection, exclusions, own_connections
from capture.packet_filter import RETURN, Instruction, compile_filter

_ARPHRD_LOOPBACK: Final = 772
_ETHERNET_HEADER: Final = 14


@dataclass(frozen=True, slots=True)
class PacketProgram:
    """How the process opens an interface.

    Attributes:
        instructions: the program that the kernel runs on every packet.
        promiscuous: also take frames that are addressed to other machines.
        left_out: the sensor's own connections, which the program refuses.
    """

    instructions: tuple[Instruction, ...]
    promiscuous: bool
    left_out: tuple[OwnConnection, ...]

    def as_json(self) -> dict[str, Any]:
        """Return what the process reads."""
        return {"instructions": self.instructions, "promiscuous": self.promiscuous}


def packet_program(interface: str, options: CaptureOptions) -> PacketProgram:
    """Make the program for an interface.

    Raises:
        ValueError: CAPTURE_FILTER is wrong, or the interface's packets cannot be decoded.
        OSError: the interface cannot be opened.
    """
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as probe:
        probe.bind((interface, 0))
        hardware_type = int(probe.getsockname()[3])
    left_out = own_connections(options.own_traffic, loopback=hardware_type == _ARPHRD_LOOPBACK)
    ethernet = link_type(interface, hardware_type) == LINK_ETHERNET
    program = exclusions(left_out, _ETHERNET_HEADER if ethernet else 0)
    if options.packet_filter:
        program += compile_filter(options.packet_filter, interface)
    else:
        program.append((RETURN, 0, 0, WHOLE_PACKETS))
    return PacketProgram(tuple(program), options.promiscuous, left_out)
