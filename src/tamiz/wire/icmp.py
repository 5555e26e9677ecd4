"""ICMP for IPv4 (RFC 792) and for IPv6 (RFC 4443): one shape, two tables of types.

0                   1                   2                   3
type (8)            code (8)            checksum (16)
rest of the header (32): identifier and sequence, MTU, pointer, unused
payload: echoed data, the quoted packet of an error, anything
"""

from __future__ import annotations

import enum
import struct
from dataclasses import dataclass

from . import checksum
from .errors import Malformed, need, within

PROTOCOL_V4, PROTOCOL_V6 = 1, 58
PROTOCOLS = {4: PROTOCOL_V4, 6: PROTOCOL_V6}

# Field ranges -------------------------------------------------------------------------------------

TYPE = 0
CODE = 1
CHECKSUM = slice(2, 4)
REST = slice(4, 8)
HEADER_SIZE = 8

# Meaning ------------------------------------------------------------------------------------------


class V4(enum.IntEnum):
    """Types of RFC 792 that tamiz speaks of by name."""

    ECHO_REPLY = 0
    UNREACHABLE = 3
    SOURCE_QUENCH = 4
    REDIRECT = 5
    ECHO_REQUEST = 8
    TIME_EXCEEDED = 11
    PARAMETER_PROBLEM = 12


class V6(enum.IntEnum):
    """Types of RFC 4443 that tamiz speaks of by name."""

    UNREACHABLE = 1
    PACKET_TOO_BIG = 2
    TIME_EXCEEDED = 3
    PARAMETER_PROBLEM = 4
    ECHO_REQUEST = 128
    ECHO_REPLY = 129


# IP version -> types that report an error and quote the packet at fault.
ERRORS: dict[int, frozenset[int]] = {
    4: frozenset(
        (V4.UNREACHABLE, V4.SOURCE_QUENCH, V4.REDIRECT, V4.TIME_EXCEEDED, V4.PARAMETER_PROBLEM)
    ),  # RFC 1122 3.2.2
    6: frozenset(range(128)),  # RFC 4443 2.1: the high bit is clear
}
_ECHOES = {4: (V4.ECHO_REQUEST, V4.ECHO_REPLY), 6: (V6.ECHO_REQUEST, V6.ECHO_REPLY)}

# (version, type) -> (byte of `rest`, its unit in bytes) with the length of the quoted packet (RFC 4884 4).
_QUOTED_LENGTH: dict[tuple[int, int], tuple[int, int]] = {
    (4, V4.UNREACHABLE): (1, 4),
    (4, V4.TIME_EXCEEDED): (1, 4),
    (4, V4.PARAMETER_PROBLEM): (1, 4),
    (6, V6.UNREACHABLE): (0, 8),
    (6, V6.TIME_EXCEEDED): (0, 8),
}
FRAGMENTATION_NEEDED = 4  # code of V4.UNREACHABLE, RFC 1191 4
PORT_UNREACHABLE = {4: 3, 6: 4}  # code of UNREACHABLE: RFC 792, RFC 4443 3.1


@dataclass(frozen=True, slots=True)
class IcmpMessage:
    """One message of ICMP for IP `version`; the checksum is made on `emit`.

    `rest` is the second half of the header, four bytes. `ValueError` when a number exceeds its field.
    """

    version: int
    type: int
    code: int
    rest: bytes = bytes(4)
    payload: bytes = b""

    def __post_init__(self) -> None:
        if self.version not in PROTOCOLS:
            raise ValueError(f"ICMP version: found {self.version}, wanted 4 or 6")
        within("ICMP type", self.type, 0xFF)
        within("ICMP code", self.code, 0xFF)
        if len(self.rest) != 4:
            raise ValueError(f"ICMP rest of header: found {len(self.rest)} bytes, wanted 4")

    @property
    def is_error(self) -> bool:
        return self.type in ERRORS[self.version]

    @property
    def is_echo(self) -> bool:
        return self.type in _ECHOES[self.version]

    @property
    def echo(self) -> tuple[int, int] | None:
        """(identifier, sequence) of an echo request or reply."""
        return struct.unpack("!HH", self.rest) if self.is_echo else None

    @property
    def quoted(self) -> bytes | None:
        """The packet, mostly cut, that an error is about, without the extensions of RFC 4884."""
        if not self.is_error:
            return None
        place, unit = _QUOTED_LENGTH.get((self.version, self.type), (0, 0))
        length = self.rest[place] * unit
        return self.payload[:length] if length else self.payload

    @property
    def mtu(self) -> int | None:
        """The next link's MTU, in bytes, where the message has one (RFC 1191 4, RFC 4443 3.2)."""
        if (self.version, self.type) == (6, V6.PACKET_TOO_BIG):
            return int.from_bytes(self.rest, "big")
        if (self.version, self.type, self.code) == (4, V4.UNREACHABLE, FRAGMENTATION_NEEDED):
            return int.from_bytes(self.rest[2:], "big")
        return None


def echo(version: int, *, reply: bool, identifier: int, sequence: int, payload: bytes = b"") -> IcmpMessage:
    """An echo request or reply."""
    within("ICMP echo identifier", identifier, 0xFFFF)
    within("ICMP echo sequence", sequence, 0xFFFF)
    return IcmpMessage(version, _ECHOES[version][reply], 0, struct.pack("!HH", identifier, sequence), payload)


def port_unreachable(version: int, packet: bytes) -> IcmpMessage:
    """The answer to a datagram nobody waits for. It quotes as much of `packet` as RFC 1812 4.3.2.3 and RFC 4443
    2.4 (c) allow: the error stays within 576 bytes, with IPv6 within 1280."""
    kind = V4.UNREACHABLE if version == 4 else V6.UNREACHABLE
    room = 576 - 20 - HEADER_SIZE if version == 4 else 1280 - 40 - HEADER_SIZE
    return IcmpMessage(version, kind, PORT_UNREACHABLE[version], payload=packet[:room])


# Bytes -> meaning ---------------------------------------------------------------------------------


def parse(data: bytes, src: bytes, dst: bytes, *, verify: bool = True, base: int = 0) -> IcmpMessage:
    """The message in `data`, which begins at byte `base` of its packet; the addresses say which version.

    `verify=False` leaves the checksum alone. `Malformed`: shorter than eight bytes, or a wrong checksum.
    """
    need("ICMP", data, HEADER_SIZE, base)
    if verify:
        _verify(data, _start(src, dst, len(data)), base)
    return IcmpMessage(6 if len(src) == 16 else 4, data[TYPE], data[CODE], data[REST], data[HEADER_SIZE:])


def _start(src: bytes, dst: bytes, length: int) -> int:
    """Only ICMP for IPv6 has a pseudo header (RFC 4443 2.3)."""
    return checksum.pseudo_v6(src, dst, PROTOCOL_V6, length) if len(src) == 16 else 0


def _verify(data: bytes, start: int, base: int) -> None:
    if not checksum.holds(data, start):
        stated = int.from_bytes(data[CHECKSUM], "big")
        right = checksum.checksum(data[:2] + b"\0\0" + data[4:], start)
        raise Malformed("ICMP", base + CHECKSUM.start, f"checksum {stated:#06x}", f"{right:#06x}")


# Meaning -> bytes ---------------------------------------------------------------------------------


def emit(message: IcmpMessage, src: bytes, dst: bytes) -> bytes:
    """The bytes between `src` and `dst`, with their checksum."""
    head, rest = bytes((message.type, message.code)), message.rest + message.payload
    right = checksum.checksum(head + b"\0\0" + rest, _start(src, dst, 4 + len(rest)))
    return head + right.to_bytes(2, "big") + rest
