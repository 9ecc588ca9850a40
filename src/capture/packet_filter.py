"""CAPTURE_FILTER as a program for the kernel: libpcap compiles it, the packet socket runs it."""

from __future__ import annotations

import ctypes
import socket
import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Final

from capture.options import WHOLE_PACKETS

Instruction = tuple[int, int, int, int]
"""Classic BPF: code, jump if true, jump if false, operand."""

LIBRARIES: Final = ("libpcap.so.1", "libpcap.so.0.8", "libpcap.so")
RETURN: Final = 0x06
_SO_ATTACH_FILTER: Final = 26
_MAX_INSTRUCTIONS: Final = 4096
_ERROR_BYTES: Final = 256
_ANY_NETMASK: Final = 0xFFFFFFFF
_LINKS: Final = (1, 12, 101)
_BUFFER_BYTES: Final = 1 << 16


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_uint), ("instructions", ctypes.c_void_p))


@cache
def _libpcap() -> ctypes.CDLL:
    for name in LIBRARIES:
        try:
            library = ctypes.CDLL(name)
        except OSError:
            continue
        library.pcap_create.restype = ctypes.c_void_p
        library.pcap_geterr.restype = ctypes.c_char_p
        library.pcap_statustostr.restype = ctypes.c_char_p
        return library
    raise ValueError(
        "CAPTURE_FILTER needs libpcap, which is not installed: apt-get install libpcap0.8 (Debian, Ubuntu) "
        "or dnf install libpcap (Fedora, RHEL), or unset CAPTURE_FILTER"
    )


@contextmanager
def _handle(library: ctypes.CDLL, interface: str) -> Iterator[ctypes.c_void_p]:
    """Open the interface for compiling: only then `vlan` matches the tags that the kernel took off."""
    message = ctypes.create_string_buffer(_ERROR_BYTES)
    handle = ctypes.c_void_p(library.pcap_create(interface.encode(), message))
    if not handle:
        raise OSError(f"CAPTURE_FILTER: {message.value.decode(errors='replace')}")
    try:
        library.pcap_set_snaplen(handle, WHOLE_PACKETS)
        library.pcap_set_buffer_size(handle, _BUFFER_BYTES)
        status = library.pcap_activate(handle)
        if status < 0:
            reason = library.pcap_geterr(handle) or library.pcap_statustostr(status)
            raise OSError(f"CAPTURE_FILTER: {interface}: {reason.decode(errors='replace')}")
        yield handle
    finally:
        library.pcap_close(handle)


def compile_filter(expression: str, interface: str) -> list[Instruction]:
    """Compile an expression of pcap-filter(7) for an interface.

    Raises:
        ValueError: the expression is wrong, or libpcap is not installed.
        OSError: the interface cannot be opened, being down for one.
    """
    library = _libpcap()
    with _handle(library, interface) as handle:
        if library.pcap_datalink(handle) not in _LINKS:
            raise ValueError(f"CAPTURE_FILTER cannot be used on {interface}: unset it")
        program = _Program()
        given = expression.encode()
        if library.pcap_compile(handle, ctypes.byref(program), given, 1, ctypes.c_uint(_ANY_NETMASK)):
            reason = library.pcap_geterr(handle).decode(errors="replace")
            raise ValueError(
                f"CAPTURE_FILTER={expression!r}: {reason}; write it as for tcpdump, see pcap-filter(7)"
            )
        try:
            code = ctypes.string_at(program.instructions, program.length * 8)
        finally:
            library.pcap_freecode(ctypes.byref(program))
    return list(struct.iter_unpack("HBBI", code))


def attach(packet_socket: socket.socket, program: Sequence[Instruction]) -> None:
    """Let the kernel run a program on every packet of a socket.

    Raises:
        ValueError: it is too long.
        OSError: the kernel refuses it.
    """
    if len(program) > _MAX_INSTRUCTIONS:
        raise ValueError(
            f"CAPTURE_FILTER is too long: {len(program)} instructions, {_MAX_INSTRUCTIONS} are possible"
        )
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in program))
    described = struct.pack("HxxxxxxP", len(program), ctypes.addressof(code))
    packet_socket.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, described)
