"""TCP segments (RFC 9293 3.1, options of RFC 7323 and RFC 2018).

0                   1                   2                   3
source port (16)                        destination port (16)
sequence number (32)
acknowledgment number (32)
offset (4), reserved (4), flags (8)     window (16)
checksum (16)                           urgent pointer (16)
options, padded to four bytes; payload
"""

from __future__ import annotations

import enum
import struct
from dataclasses import dataclass, field

from . import checksum
from .errors import Malformed, fits, need, within

PROTOCOL = 6

# Field ranges -------------------------------------------------------------------------------------

SRC_PORT = slice(0, 2)
DST_PORT = slice(2, 4)
SEQ = slice(4, 8)
ACK = slice(8, 12)
DATA_OFFSET = 12
FLAGS = 13
WINDOW = slice(14, 16)
CHECKSUM = slice(16, 18)
URGENT = slice(18, 20)
HEADER_SIZE = 20
MAX_OPTIONS = 40

SEQ_MASK = 0xFFFFFFFF
_HEADER = struct.Struct("!HHIIBBHHH")
_BLOCK = struct.Struct("!II")
_OPTION_AREA = "TCP options"

# Meaning ------------------------------------------------------------------------------------------


class TcpFlags(enum.IntFlag):
    """The eight control bits. The four reserved bits before them are sent as zero, ignored on receipt."""

    FIN = 0x01
    SYN = 0x02
    RST = 0x04
    PSH = 0x08
    ACK = 0x10
    URG = 0x20
    ECE = 0x40
    CWR = 0x80

    @property
    def label(self) -> str:
        """The flags in the customary order, joined: "SYN-ACK", "PSH-ACK", "none"."""
        return "-".join(name for flag, name in _LABELS if self & flag) or "none"


_LABELS = tuple((TcpFlags[name], name) for name in ("SYN", "FIN", "RST", "PSH", "ACK", "URG", "ECE", "CWR"))


class Kind(enum.IntEnum):
    """Option kinds that have a field of their own in `TcpOptions`; every other kind is kept as bytes."""

    END = 0  # RFC 9293 3.2
    NOP = 1  # RFC 9293 3.2
    MSS = 2  # RFC 9293 3.7.1
    WINDOW_SCALE = 3  # RFC 7323 2.2
    SACK_PERMITTED = 4  # RFC 2018 2
    SACK = 5  # RFC 2018 3
    TIMESTAMPS = 8  # RFC 7323 3.2


# Option kind -> lengths allowed for its body, that is without the kind and length bytes.
_BODY_SIZES: dict[int, tuple[int, ...]] = {
    Kind.MSS: (2,),
    Kind.WINDOW_SCALE: (1,),
    Kind.SACK_PERMITTED: (0,),
    Kind.SACK: (8, 16, 24, 32),
    Kind.TIMESTAMPS: (8,),
}


@dataclass(frozen=True, slots=True)
class TcpOptions:
    """The options that were present; of an option that repeats the last stands, earlier ones go to `other`.

    `mss` is in bytes, `window_scale` the shift count as sent (RFC 7323 caps its use at 14), `sack` holds
    (left edge, right edge) pairs, `timestamps` is (TSval, TSecr), `other` holds (kind, body) pairs.
    """

    mss: int | None = None
    window_scale: int | None = None
    sack_permitted: bool = False
    sack: tuple[tuple[int, int], ...] = ()
    timestamps: tuple[int, int] | None = None
    other: tuple[tuple[int, bytes], ...] = ()


NO_OPTIONS = TcpOptions()

_LIMITS = {
    "src_port": 0xFFFF,
    "dst_port": 0xFFFF,
    "seq": SEQ_MASK,
    "ack": SEQ_MASK,
    "flags": 0xFF,
    "window": 0xFFFF,
    "urgent": 0xFFFF,
}


@dataclass(frozen=True, slots=True)
class Segment:
    """One segment. `window` is as sent, not scaled. `ValueError` when a number exceeds its field."""

    src_port: int
    dst_port: int
    seq: int
    ack: int
    flags: TcpFlags
    window: int
    urgent: int = 0
    options: TcpOptions = field(default=NO_OPTIONS)
    payload: bytes = b""

    def __post_init__(self) -> None:
        fits("TCP", self, _LIMITS)

    @property
    def length(self) -> int:
        """SEG.LEN: the sequence numbers occupied, SYN and FIN counting one each (RFC 9293 3.3.1)."""
        flags = self.flags
        return len(self.payload) + bool(flags & TcpFlags.SYN) + bool(flags & TcpFlags.FIN)

    @property
    def end(self) -> int:
        """The sequence number that follows this segment, modulo 2**32."""
        return (self.seq + self.length) & SEQ_MASK

    @property
    def syn(self) -> bool:
        return bool(self.flags & TcpFlags.SYN)

    @property
    def fin(self) -> bool:
        return bool(self.flags & TcpFlags.FIN)

    @property
    def rst(self) -> bool:
        return bool(self.flags & TcpFlags.RST)

    @property
    def has_ack(self) -> bool:
        """Whether the acknowledgment number is significant."""
        return bool(self.flags & TcpFlags.ACK)


# Bytes -> meaning ---------------------------------------------------------------------------------


def parse(data: bytes, src: bytes, dst: bytes, *, verify: bool = True, base: int = 0, wire_length: int = 0) -> Segment:
    """The segment in `data`, which begins at byte `base` of its packet. `Malformed` for what breaks RFC 9293.

    `verify=False` leaves the checksum alone: captures with checksum offload, fragments. `wire_length` is how many
    bytes there were before a capture cut them, where that is more than `data` holds; options that were cut are
    left out, all of them.
    """
    need("TCP", data, HEADER_SIZE, base)
    src_port, dst_port, seq, ack, offset, flags, window, stated, urgent = _HEADER.unpack_from(data)
    size = (offset >> 4) * 4
    room = max(wire_length, len(data))
    if not HEADER_SIZE <= size <= room:
        raise Malformed("TCP", base + DATA_OFFSET, f"a header of {size} bytes", f"20 to {room}")
    if verify:
        _verify(data, stated, checksum.pseudo(src, dst, PROTOCOL, len(data)), base)
    has_options = HEADER_SIZE < size <= len(data)
    options = parse_options(data[HEADER_SIZE:size], base + HEADER_SIZE) if has_options else NO_OPTIONS
    return Segment(src_port, dst_port, seq, ack, TcpFlags(flags), window, urgent, options, payload=data[size:])


def _verify(data: bytes, stated: int, start: int, base: int) -> None:
    if not checksum.holds(data, start):
        right = checksum.checksum(data[:16] + b"\0\0" + data[18:], start)
        raise Malformed("TCP", base + CHECKSUM.start, f"checksum {stated:#06x}", f"{right:#06x}")


def parse_options(area: bytes, base: int = 0) -> TcpOptions:
    """The options in `area`, up to the end-of-list option or the end of the header."""
    known: dict[int, bytes] = {}
    other: list[tuple[int, bytes]] = []
    position = 0
    while position < len(area) and area[position] != Kind.END:
        kind = area[position]
        if kind == Kind.NOP:
            position += 1
            continue
        body = _body(area, position, base)
        if kind in known:
            other.append((kind, known[kind]))
        if kind in _BODY_SIZES:
            known[kind] = body
        else:
            other.append((kind, body))
        position += 2 + len(body)
    return _meaning(known, tuple(other))


def _body(area: bytes, position: int, base: int) -> bytes:
    kind, room = area[position], len(area) - position
    if room < 2:
        raise Malformed(_OPTION_AREA, base + position, f"option {kind} without a length", "a length byte")
    length = area[position + 1]
    if not 2 <= length <= room:
        raise Malformed(_OPTION_AREA, base + position + 1, f"option {kind} of {length} bytes", f"2 to {room}")
    allowed = _BODY_SIZES.get(kind)
    if allowed is not None and length - 2 not in allowed:
        sizes = ", ".join(str(size + 2) for size in allowed)
        raise Malformed(_OPTION_AREA, base + position + 1, f"option {kind} of {length} bytes", sizes)
    return area[position + 2 : position + length]


def _meaning(known: dict[int, bytes], other: tuple[tuple[int, bytes], ...]) -> TcpOptions:
    mss, scale, stamps = known.get(Kind.MSS), known.get(Kind.WINDOW_SCALE), known.get(Kind.TIMESTAMPS)
    return TcpOptions(
        mss=None if mss is None else int.from_bytes(mss, "big"),
        window_scale=None if scale is None else scale[0],
        sack_permitted=Kind.SACK_PERMITTED in known,
        sack=tuple(_pair(block) for block in _blocks(known.get(Kind.SACK, b""))),
        timestamps=None if stamps is None else _pair(stamps),
        other=other,
    )


def _blocks(body: bytes) -> list[bytes]:
    return [body[start : start + 8] for start in range(0, len(body), 8)]


def _pair(block: bytes) -> tuple[int, int]:
    first, second = _BLOCK.unpack(block)
    return first, second


# Meaning -> bytes ---------------------------------------------------------------------------------


def emit(segment: Segment, src: bytes, dst: bytes) -> bytes:
    """The bytes between `src` and `dst`, with their checksum. `ValueError`: more options than fit."""
    area = emit_options(segment.options)
    offset = (HEADER_SIZE + len(area)) // 4 << 4
    head = (
        segment.src_port,
        segment.dst_port,
        segment.seq,
        segment.ack,
        offset,
        segment.flags,
        segment.window,
    )
    rest = area + segment.payload
    start = checksum.pseudo(src, dst, PROTOCOL, HEADER_SIZE + len(rest))
    right = checksum.checksum(_HEADER.pack(*head, 0, segment.urgent) + rest, start)
    return _HEADER.pack(*head, right, segment.urgent) + rest


def emit_options(options: TcpOptions) -> bytes:
    """The option area, a multiple of four bytes and at most 40; options are aligned where that fits."""
    aligned = b"".join(lead + option for lead, option in _pieces(options))
    packed = b"".join(option for _, option in _pieces(options))
    area = aligned if len(aligned) <= MAX_OPTIONS else packed
    if len(area) > MAX_OPTIONS:
        raise ValueError(f"TCP options: found {len(area)} bytes, wanted at most {MAX_OPTIONS}")
    return area + bytes(-len(area) % 4)


def _pieces(options: TcpOptions) -> list[tuple[bytes, bytes]]:
    """(leading NOPs, option) in the order to send: `other` first, so that the last of a repeated kind stands."""
    nop, pieces = b"\x01", [(b"", _option(kind, body)) for kind, body in options.other]
    if options.mss is not None:
        pieces.append((b"", _option(Kind.MSS, _number("MSS", options.mss, 2))))
    if options.sack_permitted:
        lead = b"" if options.timestamps else nop * 2
        pieces.append((lead, _option(Kind.SACK_PERMITTED, b"")))
    if options.timestamps is not None:
        lead = b"" if options.sack_permitted else nop * 2
        pieces.append((lead, _option(Kind.TIMESTAMPS, _edges("timestamps", options.timestamps))))
    if options.window_scale is not None:
        pieces.append((nop, _option(Kind.WINDOW_SCALE, _number("window scale", options.window_scale, 1))))
    if options.sack:
        edges = b"".join(_edges("SACK", block) for block in options.sack)
        pieces.append((nop * 2, _option(Kind.SACK, edges)))
    return pieces


def _option(kind: int, body: bytes) -> bytes:
    if kind <= Kind.NOP:
        raise ValueError(f"TCP option kind: found {kind}, wanted one that has a body")
    within("TCP option kind", kind, 0xFF)
    within("TCP option body length", len(body), MAX_OPTIONS - 2)
    return bytes((kind, len(body) + 2)) + body


def _number(what: str, value: int, size: int) -> bytes:
    within(f"TCP option {what}", value, (1 << 8 * size) - 1)
    return value.to_bytes(size, "big")


def _edges(what: str, pair: tuple[int, int]) -> bytes:
    return b"".join(_number(what, value, 4) for value in pair)
