"""Linux cooked captures: what the "any" device writes, versions 1 and 2 (link types 113 and 276).

Version 1                                                   Version 2
packet type (16)        ARPHRD type (16)                    protocol (16)           reserved (16)
address length (16)     address (64) ...                    interface index (32)
                        protocol (16)                       ARPHRD type (16), packet type (8), address length (8)
payload                                                     address (64); payload

Source: the pages LINKTYPE_LINUX_SLL and LINKTYPE_LINUX_SLL2 of tcpdump.org.
"""

from __future__ import annotations

import enum
import struct
from dataclasses import dataclass

from .errors import need, within

HEADER_SIZE, HEADER_SIZE_2 = 16, 20
MAX_ADDRESS = 8

_HEADER = struct.Struct("!HHH8sH")
_HEADER_2 = struct.Struct("!HHIHBB8s")

# Meaning ------------------------------------------------------------------------------------------


class PacketType(enum.IntEnum):
    """Who a packet was for, seen from the capturing host."""

    HOST = 0
    BROADCAST = 1
    MULTICAST = 2
    OTHER_HOST = 3
    OUTGOING = 4


@dataclass(frozen=True, slots=True)
class Frame:
    """One cooked frame. `protocol` is an EtherType, `address` the sender's, at most eight bytes, `interface` an
    index, which only version 2 has. `packet_type` may be a number that `PacketType` does not name."""

    version: int
    packet_type: int
    protocol: int
    payload: bytes = b""
    address: bytes = b""
    arphrd: int = 1
    interface: int = 0

    def __post_init__(self) -> None:
        if self.version not in (1, 2) or (self.version == 1 and self.interface):
            raise ValueError("SLL: wanted version 1, without an interface, or version 2")
        within("SLL packet type", self.packet_type, 0xFFFF if self.version == 1 else 0xFF)
        within("SLL protocol", self.protocol, 0xFFFF)
        within("SLL ARPHRD type", self.arphrd, 0xFFFF)
        within("SLL interface", self.interface, 0xFFFFFFFF)
        within("SLL address length", len(self.address), MAX_ADDRESS)


# Bytes -> meaning ---------------------------------------------------------------------------------


def parse(data: bytes, version: int) -> Frame:
    """The frame in `data`, of `version` 1 or 2. `Malformed`: it ends within its header.

    An address longer than its field, as Infiniband has, was cut by the capturing host to the eight bytes read here.
    """
    if version == 1:
        need("SLL", data, HEADER_SIZE)
        packet_type, arphrd, length, address, protocol = _HEADER.unpack_from(data)
        return Frame(1, packet_type, protocol, data[HEADER_SIZE:], address[:length], arphrd)
    need("SLL2", data, HEADER_SIZE_2)
    protocol, _, interface, arphrd, packet_type, length, address = _HEADER_2.unpack_from(data)
    return Frame(2, packet_type, protocol, data[HEADER_SIZE_2:], address[:length], arphrd, interface)


# Meaning -> bytes ---------------------------------------------------------------------------------


def emit(frame: Frame) -> bytes:
    """The bytes, the reserved field of version 2 zero."""
    size = len(frame.address)
    if frame.version == 1:
        head = _HEADER.pack(frame.packet_type, frame.arphrd, size, frame.address, frame.protocol)
    else:
        head = _HEADER_2.pack(frame.protocol, 0, frame.interface, frame.arphrd, frame.packet_type, size, frame.address)
    return head + frame.payload
