"""IPv4 headers (RFC 791, DSCP and ECN of RFC 2474 and RFC 3168).

0                   1                   2                   3
version (4), size (4)   DSCP (6), ECN (2)   total length (16)
identification (16)                     flags (3), fragment offset (13)
time to live (8)    protocol (8)        header checksum (16)
source (32)
destination (32)
options, a multiple of four bytes; payload
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from . import checksum
from .errors import Malformed, fits, need, within

VERSION = 4

# Field ranges -------------------------------------------------------------------------------------

SIZE = 0
TOTAL_LENGTH = slice(2, 4)
FRAGMENT = slice(6, 8)
CHECKSUM = slice(10, 12)
SRC = slice(12, 16)
DST = slice(16, 20)
HEADER_SIZE = 20
MAX_OPTIONS = 40
MAX_PACKET = 0xFFFF

DONT_FRAGMENT, MORE_FRAGMENTS, OFFSET_MASK = 0x4000, 0x2000, 0x1FFF
_HEADER = struct.Struct("!BBHHHBBH4s4s")

# Meaning ------------------------------------------------------------------------------------------

_LIMITS = {
    "protocol": 0xFF,
    "ttl": 0xFF,
    "identification": 0xFFFF,
    "fragment_offset": 0xFFF8,
    "dscp": 0x3F,
    "ecn": 3,
}


@dataclass(frozen=True, slots=True)
class Fragment:
    """Where the payload of a fragment belongs: `offset` in bytes, and whether `more` follow."""

    offset: int
    more: bool
    identification: int


@dataclass(frozen=True, slots=True)
class Header:
    """One header; lengths and checksum are made on `emit`. Addresses are four packed bytes.

    `fragment_offset` is in bytes, a multiple of eight. `options` are the bytes as sent, padding included. The
    reserved flag is sent as zero and ignored on receipt. `ValueError` when a number exceeds its field.
    """

    src: bytes
    dst: bytes
    protocol: int
    ttl: int = 128
    identification: int = 0
    dont_fragment: bool = False
    more_fragments: bool = False
    fragment_offset: int = 0
    dscp: int = 0
    ecn: int = 0
    options: bytes = b""

    def __post_init__(self) -> None:
        fits("IPv4", self, _LIMITS)
        if len(self.src) != 4 or len(self.dst) != 4:
            raise ValueError(f"IPv4 addresses: found {len(self.src)} and {len(self.dst)} bytes, wanted 4 each")
        within("IPv4 options, in bytes,", len(self.options), MAX_OPTIONS)
        if self.fragment_offset % 8 or len(self.options) % 4:
            raise ValueError("IPv4: wanted a fragment offset in eights and options in fours of bytes")

    @property
    def version(self) -> int:
        return VERSION

    @property
    def size(self) -> int:
        """The bytes of the header, options included."""
        return HEADER_SIZE + len(self.options)

    @property
    def hops(self) -> int:
        """How many routers may still forward the packet: the same word as in IPv6."""
        return self.ttl

    @property
    def final_destination(self) -> bytes:
        """The address for the transport's pseudo header; source routes are not followed."""
        return self.dst

    @property
    def fragment(self) -> Fragment | None:
        """None for a packet that is whole."""
        if not (self.more_fragments or self.fragment_offset):
            return None
        return Fragment(self.fragment_offset, self.more_fragments, self.identification)


# Bytes -> meaning ---------------------------------------------------------------------------------


def parse(data: bytes, *, verify: bool = True, truncated: bool = False) -> tuple[Header, bytes, int]:
    """The header, the payload, and how many bytes the payload had on the wire.

    Bytes after the total length are a link's padding and left out. `truncated` accepts a payload that a capture
    cut. `verify=False` leaves the checksum alone and takes a total length of zero, which is what segmentation
    offload leaves in captures on the sending host, as "all that is there". `Malformed` for what breaks RFC 791.
    """
    need("IPv4", data, HEADER_SIZE)
    first, traffic, total, identification, fragment, ttl, protocol, stated, src, dst = _HEADER.unpack_from(data)
    size = (first & 0xF) * 4
    if first >> 4 != VERSION:
        raise Malformed("IPv4", SIZE, f"version {first >> 4}", "4")
    if not HEADER_SIZE <= size <= len(data):
        raise Malformed("IPv4", SIZE, f"a header of {size} bytes", f"20 to {len(data)}")
    if total == 0 and not verify:
        total = len(data)
    if not size <= total or (total > len(data) and not truncated):
        raise Malformed("IPv4", TOTAL_LENGTH.start, f"a total length of {total}", f"{size} to {len(data)}")
    if verify and not checksum.holds(data[:size]):
        right = checksum.checksum(data[:10] + b"\0\0" + data[12:size])
        raise Malformed("IPv4", CHECKSUM.start, f"checksum {stated:#06x}", f"{right:#06x}")
    header = Header(
        src,
        dst,
        protocol,
        ttl,
        identification,
        bool(fragment & DONT_FRAGMENT),
        bool(fragment & MORE_FRAGMENTS),
        (fragment & OFFSET_MASK) * 8,
        traffic >> 2,
        traffic & 3,
        data[HEADER_SIZE:size],
    )
    return header, data[size:total], total - size


# Meaning -> bytes ---------------------------------------------------------------------------------


def emit(header: Header, payload: bytes) -> bytes:
    """The packet with its length and checksum. `ValueError`: longer than 65,535 bytes."""
    total = header.size + len(payload)
    within("IPv4 total length", total, MAX_PACKET)
    fields = (
        VERSION << 4 | header.size // 4,
        header.dscp << 2 | header.ecn,
        total,
        header.identification,
        header.dont_fragment * DONT_FRAGMENT | header.more_fragments * MORE_FRAGMENTS | header.fragment_offset // 8,
        header.ttl,
        header.protocol,
    )
    right = checksum.checksum(_HEADER.pack(*fields, 0, header.src, header.dst) + header.options)
    return _HEADER.pack(*fields, right, header.src, header.dst) + header.options + payload
