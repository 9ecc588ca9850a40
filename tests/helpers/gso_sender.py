"""Send frames from a packet socket with a virtio-net header, as a virtual machine hands them to its host.

    python gso_sender.py INTERFACE

Reads lines of two hexadecimal numbers: the header (linux/virtio_net.h) and the frame.
"""

from __future__ import annotations

import socket
import sys
import time

SOL_PACKET, PACKET_VNET_HDR = 263, 15


def main(interface: str) -> None:
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as sender:
        sender.setsockopt(SOL_PACKET, PACKET_VNET_HDR, 1)
        sender.bind((interface, 0))
        for line in sys.stdin:
            header, frame = line.split()
            sender.send(bytes.fromhex(header) + bytes.fromhex(frame))
            time.sleep(0.002)


if __name__ == "__main__":
    main(sys.argv[1])
