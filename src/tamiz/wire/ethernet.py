"""Ethernet II frames (IEEE 802.3) with any depth of VLAN tags (IEEE 802.1Q, QinQ of 802.1ad).

0                   1                   2                   3
destination (48)
                                        source (48)

tags: protocol (16), priority (3), drop eligible (1), VLAN (12), as many as there are
EtherType, or below 1536 the length of an LLC frame (16); payload
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from .errors import Malformed, need, within

# Field ranges -------------------------------------------------------------------------------------

DST = slice(0, 6)
SRC = slice(6, 12)
KIND = slice(12, 14)
HEADER_SIZE = 14
TAG_SIZE = 4
MIN_ETHERTYPE = 0x0600  # IEEE 802.3 3.2.6: anything smaller is a length

IPV4, IPV6 = 0x0800, 0x86DD
TAGS = frozenset((0x8100, 0x88A8, 0x9100))  # 802.1Q, 802.1ad, and what switches sent before 802.1ad
_SNAP = b"\xaa\xaa\x03\0\0\0"  # RFC 1042: LLC and SNAP before an EtherType

_KIND = struct.Struct("!H")
_TAG = struct.Struct("!HH")

# Meaning ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Tag:
    """One VLAN tag. `protocol` is its EtherType, 0x8100 or 0x88A8 as a rule."""

    vlan: int
    priority: int = 0
    drop_eligible: bool = False
    protocol: int = 0x8100

    def __post_init__(self) -> None:
        within("VLAN", self.vlan, 0xFFF)
        within("VLAN priority", self.priority, 7)
        if self.protocol not in TAGS:
            raise ValueError(f"VLAN tag protocol: found {self.protocol:#06x}, wanted one of a tag")


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame, without its check sequence. `ethertype` is what follows the last tag; below 0x0600 it is the
    length of an LLC frame. Addresses are six packed bytes."""

    dst: bytes
    src: bytes
    ethertype: int
    payload: bytes = b""
    tags: tuple[Tag, ...] = ()

    def __post_init__(self) -> None:
        if len(self.dst) != 6 or len(self.src) != 6:
            raise ValueError(f"MAC addresses: found {len(self.dst)} and {len(self.src)} bytes, wanted 6 each")
        within("EtherType", self.ethertype, 0xFFFF)
        if self.ethertype in TAGS:
            raise ValueError(f"EtherType: found {self.ethertype:#06x}, a tag's, wanted what follows the tags")


# Bytes -> meaning ---------------------------------------------------------------------------------


def parse(data: bytes) -> Frame:
    """The frame in `data`. `Malformed`: it ends within its header."""
    need("Ethernet", data, HEADER_SIZE)
    first = int.from_bytes(data[KIND], "big")
    ethertype, offset = behind_tags(data, first, HEADER_SIZE)
    starts = range(KIND.start, offset - 2, TAG_SIZE)
    tags = tuple(_tag(*_TAG.unpack_from(data, start)) for start in starts)
    return Frame(data[DST], data[SRC], ethertype, data[offset:], tags)


def _tag(protocol: int, control: int) -> Tag:
    return Tag(control & 0xFFF, control >> 13, bool(control >> 12 & 1), protocol)


def behind_tags(data: bytes, kind: int, offset: int) -> tuple[int, int]:
    """From a `kind` (EtherType) whose payload begins at `offset`: the first that is no tag, and its offset."""
    while kind in TAGS:
        if len(data) < offset + TAG_SIZE:
            raise Malformed("VLAN tag", offset, f"{len(data) - offset} bytes", "at least 4")
        kind = _KIND.unpack_from(data, offset + 2)[0]
        offset += TAG_SIZE
    return kind, offset


def behind_snap(data: bytes, kind: int, offset: int) -> tuple[int, int]:
    """From a length `kind` whose LLC frame begins at `offset`: the EtherType inside SNAP, where there is one."""
    if kind < MIN_ETHERTYPE and data[offset : offset + 6] == _SNAP and len(data) >= offset + 8:
        return _KIND.unpack_from(data, offset + 6)[0], offset + 8
    return kind, offset


# Meaning -> bytes ---------------------------------------------------------------------------------


def emit(frame: Frame) -> bytes:
    """The bytes, without padding to 60 bytes and without a check sequence."""
    tags = b"".join(_TAG.pack(tag.protocol, _control(tag)) for tag in frame.tags)
    return frame.dst + frame.src + tags + _KIND.pack(frame.ethertype) + frame.payload


def _control(tag: Tag) -> int:
    return tag.priority << 13 | tag.drop_eligible << 12 | tag.vlan
