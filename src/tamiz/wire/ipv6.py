"""IPv6 headers and their extension headers (RFC 8200; authentication header of RFC 4302).

0                   1                   2                   3
version (4), traffic class (8), flow label (20)
payload length (16)                     next header (8)     hop limit (8)
source (128)
destination (128)
extension headers, each naming the next; payload
"""

from __future__ import annotations

import enum
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from .errors import Malformed, fits, need, within
from .ipv4 import Fragment

VERSION = 6

# Field ranges -------------------------------------------------------------------------------------

PAYLOAD_LENGTH = slice(4, 6)
NEXT_HEADER = 6
HOP_LIMIT = 7
SRC = slice(8, 24)
DST = slice(24, 40)
HEADER_SIZE = 40
MAX_PAYLOAD = 0xFFFF

MAX_EXTENSIONS = 16  # ours: RFC 8200 sets no limit, and no honest packet comes near it
NO_NEXT_HEADER = 59  # RFC 8200 4.7

_HEADER = struct.Struct("!IHBB16s16s")
_FRAGMENT = struct.Struct("!HI")

# Meaning ------------------------------------------------------------------------------------------


class Kind(enum.IntEnum):
    """The extension headers that are walked. What follows any other number is the transport's."""

    HOP_BY_HOP = 0  # RFC 8200 4.3; the first header, or nowhere
    ROUTING = 43  # RFC 8200 4.4
    FRAGMENT = 44  # RFC 8200 4.5
    AUTHENTICATION = 51  # RFC 4302 2
    DESTINATION = 60  # RFC 8200 4.6


# Kind -> (bytes in one unit of the length byte, units that are not counted). A fragment header has no length.
_UNITS = {
    Kind.HOP_BY_HOP: (8, 1),
    Kind.ROUTING: (8, 1),
    Kind.AUTHENTICATION: (4, 2),
    Kind.DESTINATION: (8, 1),
}
_KINDS = frozenset(int(kind) for kind in Kind)


class Route(enum.IntEnum):
    """Routing types -> where the final destination stands while segments are left."""

    SOURCE = 0  # RFC 2460 4.4, deprecated by RFC 5095; last address
    MOBILE = 2  # RFC 6275 6.4; last address
    SEGMENTS = 4  # RFC 8754 2; first address of a list that is stored backwards


@dataclass(frozen=True, slots=True)
class Extension:
    """One extension header: `body` is what follows its next-header byte and its length (or reserved) byte."""

    kind: Kind
    body: bytes

    def __post_init__(self) -> None:
        if self.kind == Kind.FRAGMENT:
            fits = len(self.body) == 6
        else:
            unit, uncounted = _UNITS[self.kind]
            size = len(self.body) + 2
            fits = size % unit == 0 and uncounted <= size // unit <= uncounted + 0xFF
        if not fits:
            raise ValueError(f"IPv6 {self.kind.name} header: its body cannot have {len(self.body)} bytes")


_LIMITS = {"protocol": 0xFF, "hop_limit": 0xFF, "traffic_class": 0xFF, "flow_label": 0xFFFFF}


@dataclass(frozen=True, slots=True)
class Header:
    """One header with its extensions; lengths are made on `emit`. Addresses are sixteen packed bytes.

    `protocol` is the next-header number of the last header: what the payload is. In a fragment the walk ends
    with the fragment header. `ValueError` when a number exceeds its field.
    """

    src: bytes
    dst: bytes
    protocol: int
    hop_limit: int = 128
    traffic_class: int = 0
    flow_label: int = 0
    extensions: tuple[Extension, ...] = ()

    def __post_init__(self) -> None:
        fits("IPv6", self, _LIMITS)
        if len(self.src) != 16 or len(self.dst) != 16:
            raise ValueError(f"IPv6 addresses: found {len(self.src)} and {len(self.dst)} bytes, wanted 16 each")
        within("IPv6 number of extension headers", len(self.extensions), MAX_EXTENSIONS)
        if any(extension.kind == Kind.HOP_BY_HOP for extension in self.extensions[1:]):
            raise ValueError("IPv6 hop-by-hop header: wanted directly after the IPv6 header")

    @property
    def version(self) -> int:
        return VERSION

    @property
    def size(self) -> int:
        """The bytes of the header and its extensions."""
        return HEADER_SIZE + sum(len(extension.body) + 2 for extension in self.extensions)

    @property
    def hops(self) -> int:
        """How many routers may still forward the packet: the same word as in IPv4."""
        return self.hop_limit

    @property
    def fragment(self) -> Fragment | None:
        """None for a packet that is whole, so also for an atomic fragment (RFC 6946)."""
        for extension in self.extensions:
            if extension.kind == Kind.FRAGMENT:
                place = _place(extension.body)
                if place.more or place.offset:
                    return place
        return None

    @property
    def final_destination(self) -> bytes | None:
        """The address for the transport's pseudo header (RFC 8200 8.1); None where a routing header that still
        has segments left is of an unknown type."""
        for extension in self.extensions:
            if extension.kind == Kind.ROUTING and extension.body[1]:
                return _last_segment(extension.body)
        return self.dst


def _place(body: bytes) -> Fragment:
    field, identification = _FRAGMENT.unpack(body)
    return Fragment(field & 0xFFF8, bool(field & 1), identification)


def _last_segment(body: bytes) -> bytes | None:
    segments = body[6:]
    if len(segments) < 16:
        return None
    if body[0] in (Route.SOURCE, Route.MOBILE):
        return segments[-16:]
    return segments[:16] if body[0] == Route.SEGMENTS else None


def fragment_extension(place: Fragment) -> Extension:
    """The fragment header for `place`. `ValueError`: an offset that is no multiple of eight, or too large."""
    within("IPv6 fragment offset", place.offset, 0xFFF8)
    if place.offset % 8:
        raise ValueError(f"IPv6 fragment offset: found {place.offset}, wanted a multiple of 8")
    within("IPv6 fragment identification", place.identification, 0xFFFFFFFF)
    return Extension(Kind.FRAGMENT, _FRAGMENT.pack(place.offset | place.more, place.identification))


# Bytes -> meaning ---------------------------------------------------------------------------------


def parse(data: bytes, *, verify: bool = True, truncated: bool = False) -> tuple[Header, bytes, int]:
    """The header with its extensions, the payload, and how many bytes the payload had on the wire.

    Bytes after the payload length are a link's padding and left out. `truncated` accepts a payload that a
    capture cut. `verify=False` takes a payload length of zero, which is what segmentation offload leaves in
    captures on the sending host, as "all that is there"; IPv6 has no checksum to leave alone. Jumbograms
    (RFC 2675) are not read. `Malformed` for what breaks RFC 8200.
    """
    need("IPv6", data, HEADER_SIZE)
    first, length, protocol, hops, src, dst = _HEADER.unpack_from(data)
    if first >> 28 != VERSION:
        raise Malformed("IPv6", 0, f"version {first >> 28}", "6")
    if length == 0 and not verify and protocol != NO_NEXT_HEADER:
        length = len(data) - HEADER_SIZE
    end = HEADER_SIZE + length
    if end > len(data) and not truncated:
        room = len(data) - HEADER_SIZE
        raise Malformed("IPv6", PAYLOAD_LENGTH.start, f"a payload length of {length}", f"at most {room}")
    walked = list(_walk(data[:end], protocol))
    extensions = tuple(extension for extension, _ in walked)
    final = walked[-1][1] if walked else protocol
    header = Header(src, dst, final, hops, first >> 20 & 0xFF, first & 0xFFFFF, extensions)
    position = header.size
    return header, data[position:end], end - position


def _walk(data: bytes, kind: int) -> Iterator[tuple[Extension, int]]:
    """Each extension header, beginning with one of `kind`, and the number of what follows it."""
    position, walked = HEADER_SIZE, 0
    while kind in _KINDS:
        if walked == MAX_EXTENSIONS:
            raise Malformed("IPv6", position, f"more than {walked} extension headers", f"at most {walked}")
        if kind == Kind.HOP_BY_HOP and walked:
            raise Malformed("IPv6", position, "a hop-by-hop header after another", "it only as the first")
        extension, following = _extension(data, position, Kind(kind))
        yield extension, following
        if extension.kind == Kind.FRAGMENT and int.from_bytes(extension.body[:2], "big") & 0xFFF9:
            return
        position, walked, kind = position + len(extension.body) + 2, walked + 1, following


def _extension(data: bytes, position: int, kind: Kind) -> tuple[Extension, int]:
    what = f"IPv6 {kind.name.lower().replace('_', '-')} header"
    need(what, data[position : position + 8], 8, position)
    size = 8
    if kind != Kind.FRAGMENT:
        unit, uncounted = _UNITS[kind]
        size = (data[position + 1] + uncounted) * unit
    if not 8 <= size <= len(data) - position:
        raise Malformed(what, position + 1, f"{size} bytes", f"8 to {len(data) - position}")
    body = data[position + 2 : position + size]
    return Extension(kind, body), data[position]


# Meaning -> bytes ---------------------------------------------------------------------------------


def emit(header: Header, payload: bytes) -> bytes:
    """The packet with its lengths. `ValueError`: more than 65,535 bytes after the IPv6 header."""
    following = [int(extension.kind) for extension in header.extensions] + [header.protocol]
    chain = b"".join(
        bytes((after, _length_byte(extension))) + extension.body
        for extension, after in zip(header.extensions, following[1:], strict=True)
    )
    within("IPv6 payload length", len(chain) + len(payload), MAX_PAYLOAD)
    first = VERSION << 28 | header.traffic_class << 20 | header.flow_label
    length = len(chain) + len(payload)
    return _HEADER.pack(first, length, following[0], header.hop_limit, header.src, header.dst) + chain + payload


def _length_byte(extension: Extension) -> int:
    if extension.kind == Kind.FRAGMENT:
        return 0
    unit, uncounted = _UNITS[extension.kind]
    return (len(extension.body) + 2) // unit - uncounted
