"""UDP datagrams (RFC 768; over IPv6 the checksum rules of RFC 8200 8.1).

0                   1                   2                   3
source port (16)                        destination port (16)
length (16)                             checksum (16)
payload
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from . import checksum
from .errors import Malformed, need, within

PROTOCOL = 17

# Field ranges -------------------------------------------------------------------------------------

SRC_PORT = slice(0, 2)
DST_PORT = slice(2, 4)
LENGTH = slice(4, 6)
CHECKSUM = slice(6, 8)
HEADER_SIZE = 8

_HEADER = struct.Struct("!HHHH")

# Meaning ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Datagram:
    """One datagram; length and checksum are made on `emit`. `ValueError` when a number exceeds its field."""

    src_port: int
    dst_port: int
    payload: bytes = b""

    def __post_init__(self) -> None:
        within("UDP source port", self.src_port, 0xFFFF)
        within("UDP destination port", self.dst_port, 0xFFFF)


# Bytes -> meaning ---------------------------------------------------------------------------------


def parse(data: bytes, src: bytes, dst: bytes, *, verify: bool = True, base: int = 0, wire_length: int = 0) -> Datagram:
    """The datagram in `data`, which begins at byte `base` of its packet. `Malformed` for what breaks RFC 768.

    A checksum of zero means "none" over IPv4 and is wrong over IPv6. `verify=False` leaves the checksum alone and
    takes a length of zero, which offload leaves in captures, as "all that is there". `wire_length` is how many
    bytes there were before a capture cut them, where that is more than `data` holds.
    """
    need("UDP", data, HEADER_SIZE, base)
    src_port, dst_port, length, stated = _HEADER.unpack_from(data)
    room = max(wire_length, len(data))
    length = stated_length(data, room) if not verify else length
    if not HEADER_SIZE <= length <= room:
        raise Malformed("UDP", base + LENGTH.start, f"a length of {length}", f"8 to {room}")
    if verify:
        _verify(data[:length], stated, src, dst, base)
    return Datagram(src_port, dst_port, data[HEADER_SIZE:length])


def stated_length(data: bytes, room: int) -> int:
    """The length field of a captured datagram, `room` where offload left a zero."""
    return int.from_bytes(data[LENGTH], "big") or room


def _verify(data: bytes, stated: int, src: bytes, dst: bytes, base: int) -> None:
    if stated == 0 and len(src) == 4:
        return
    start = checksum.pseudo(src, dst, PROTOCOL, len(data))
    if stated == 0 or not checksum.holds(data, start):
        right = checksum.checksum(data[:6] + b"\0\0" + data[8:], start) or 0xFFFF
        raise Malformed("UDP", base + CHECKSUM.start, f"checksum {stated:#06x}", f"{right:#06x}")


# Meaning -> bytes ---------------------------------------------------------------------------------


def emit(datagram: Datagram, src: bytes, dst: bytes) -> bytes:
    """The bytes between `src` and `dst`, with their checksum. `ValueError`: longer than 65,535 bytes."""
    length = HEADER_SIZE + len(datagram.payload)
    within("UDP length", length, 0xFFFF)
    head = (datagram.src_port, datagram.dst_port, length)
    start = checksum.pseudo(src, dst, PROTOCOL, length)
    right = checksum.checksum(_HEADER.pack(*head, 0) + datagram.payload, start) or 0xFFFF
    return _HEADER.pack(*head, right) + datagram.payload
