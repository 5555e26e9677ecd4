"""Where the network packet begins in a captured frame: one table, link type -> how to find it.

A frame that carries no IP (ARP, LLC, an unknown family) is "not IP", version 0: nothing is wrong with it. Tunnels
inside the link (PPPoE, MPLS) are not opened and count as not IP.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from typing import NamedTuple

from . import ethernet, loopback, sll
from .errors import Malformed, need


class Sent(enum.IntEnum):
    """Which way a frame went, seen from the capturing host, where the capture says so."""

    UNKNOWN = 0
    IN = 1
    OUT = 2
    OTHER = 3  # overheard: from another host to another host


class Network(NamedTuple):
    """Where the packet is: IP `version` (4, 6, or 0 for "not IP"), its `offset` in the frame in bytes, which way
    the frame was `sent`, and the EtherType that the link gave (0 where it gives none)."""

    version: int
    offset: int
    sent: Sent = Sent.UNKNOWN
    ethertype: int = 0


class LinkType(enum.IntEnum):
    """Numbers of capture files. Source: the list of link types of tcpdump.org; 12 and 14 are the DLT_RAW of some
    systems, found in old files."""

    NULL = 0
    ETHERNET = 1
    RAW_BSD = 12
    RAW_OPENBSD = 14
    RAW = 101
    LOOP = 108
    LINUX_SLL = 113
    IPV4 = 228
    IPV6 = 229
    LINUX_SLL2 = 276


_VERSIONS: dict[int, int] = {ethernet.IPV4: 4, ethernet.IPV6: 6}

# SLL packet type -> which way: the page LINKTYPE_LINUX_SLL of tcpdump.org.
SLL_SENT: dict[int, Sent] = {
    sll.PacketType.HOST: Sent.IN,
    sll.PacketType.BROADCAST: Sent.IN,
    sll.PacketType.MULTICAST: Sent.IN,
    sll.PacketType.OTHER_HOST: Sent.OTHER,
    sll.PacketType.OUTGOING: Sent.OUT,
}

_PLAIN_V4 = Network(4, ethernet.HEADER_SIZE, ethertype=ethernet.IPV4)
_PLAIN_V6 = Network(6, ethernet.HEADER_SIZE, ethertype=ethernet.IPV6)


def _ethernet(data: bytes) -> Network:
    kind = data[12:14]
    if kind == b"\x08\0":
        return _PLAIN_V4
    if kind == b"\x86\xdd":
        return _PLAIN_V6
    need("Ethernet", data, ethernet.HEADER_SIZE)
    return _tagged(data, int.from_bytes(kind, "big"), ethernet.HEADER_SIZE, Sent.UNKNOWN)


def _tagged(data: bytes, kind: int, offset: int, sent: Sent) -> Network:
    kind, offset = ethernet.behind_snap(data, *ethernet.behind_tags(data, kind, offset))
    return Network(_VERSIONS.get(kind, 0), offset, sent, kind)


def _sll(data: bytes) -> Network:
    need("SLL", data, sll.HEADER_SIZE)
    sent = SLL_SENT.get(data[0] << 8 | data[1], Sent.UNKNOWN)
    return _tagged(data, data[14] << 8 | data[15], sll.HEADER_SIZE, sent)


def _sll2(data: bytes) -> Network:
    need("SLL2", data, sll.HEADER_SIZE_2)
    sent = SLL_SENT.get(data[10], Sent.UNKNOWN)
    return _tagged(data, data[0] << 8 | data[1], sll.HEADER_SIZE_2, sent)


def _null(data: bytes) -> Network:
    return Network(loopback.parse(data[:4]).version, loopback.HEADER_SIZE)


def _loop(data: bytes) -> Network:
    return Network(loopback.parse(data[:4], "big").version, loopback.HEADER_SIZE)


def _raw(data: bytes) -> Network:
    need("raw IP", data, 1)
    version = data[0] >> 4
    return Network(version if version in (4, 6) else 0, 0)


def _ipv4(data: bytes) -> Network:
    return Network(4, 0)


def _ipv6(data: bytes) -> Network:
    return Network(6, 0)


# Link type -> from a frame to its packet; `Malformed` where the frame ends within the link's header.
LINKS: dict[int, Callable[[bytes], Network]] = {
    LinkType.NULL: _null,
    LinkType.ETHERNET: _ethernet,
    LinkType.RAW_BSD: _raw,
    LinkType.RAW_OPENBSD: _raw,
    LinkType.RAW: _raw,
    LinkType.LOOP: _loop,
    LinkType.LINUX_SLL: _sll,
    LinkType.IPV4: _ipv4,
    LinkType.IPV6: _ipv6,
    LinkType.LINUX_SLL2: _sll2,
}


def network(linktype: int, data: bytes) -> Network:
    """Where the packet begins in the frame `data`. `Malformed`: a link type without a row, a header cut short."""
    locate = LINKS.get(linktype)
    if locate is None:
        known = ", ".join(str(int(number)) for number in sorted(LINKS))
        raise Malformed("link", 0, f"link type {linktype}", f"one of {known}")
    return locate(data)
