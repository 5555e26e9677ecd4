"""Frames: the link, the packet and its transport are read, the quick reader agrees, and what is built reads the same.

The first byte of an input chooses the row of the link table, the rest is the frame.
"""

from __future__ import annotations

import contextlib
from dataclasses import replace

from tamiz.wire import ethernet, icmp, ipv4, ipv6, link, loopback, sll
from tamiz.wire.errors import Malformed
from tamiz.wire.fragments import Reassembler, fragment
from tamiz.wire.glance import Glance, glance
from tamiz.wire.packet import Fragment, Packet, Raw, between, build, describe, dissect, quoted, word
from tamiz.wire.tcp import Segment, TcpFlags, TcpOptions
from tamiz.wire.udp import Datagram


class NotIp(Exception):
    """A frame that carries something else: it is read as far as it goes, and not worth further damage."""


ALLOWED: tuple[type[Exception], ...] = (Malformed, NotIp)
_LINKTYPES = tuple(sorted(link.LINKS))

# Good inputs --------------------------------------------------------------------------------------

_V4 = bytes((192, 0, 2, 1)), bytes((198, 51, 100, 2))
_V6 = bytes.fromhex("20010db8" + "00" * 11 + "01"), bytes.fromhex("20010db8" + "00" * 11 + "02")
_EVERY_OPTION = TcpOptions(1460, 7, True, ((1, 2), (3, 4)), None, ((254, b"\xab\xcd"),))
_SYN = Segment(50000, 443, 7, 0, TcpFlags.SYN, 64240, options=TcpOptions(1460, 8, True, (), (9, 0)))
_DATA = Segment(443, 50000, 8, 9, TcpFlags.ACK | TcpFlags.PSH, 500, options=_EVERY_OPTION, payload=b"hello")


def _packets() -> list[Packet]:
    found = []
    for src, dst in (_V4, _V6):
        version = 4 if len(src) == 4 else 6
        datagram = between(src, dst, Datagram(5353, 53, b"question" * 4))
        echo = icmp.echo(version, reply=False, identifier=1, sequence=2, payload=bytes(32))
        error = icmp.port_unreachable(version, build(datagram))
        transports = (_SYN, _DATA, datagram.transport, echo, error)
        found += [between(src, dst, transport) for transport in transports]
        found.append(between(src, dst, Raw(bytes(20)), protocol=47))
    with_options = ipv4.Header(*_V4, 6, options=b"\x94\x04\0\0")
    chain = (
        ipv6.Extension(ipv6.Kind.HOP_BY_HOP, b"\x05\x02\0\0\x01\0"),
        ipv6.Extension(ipv6.Kind.ROUTING, b"\x04\x01\x01\0\0\0" + _V6[0] + _V6[1]),
        ipv6.fragment_extension(ipv4.Fragment(0, False, 77)),
        ipv6.Extension(ipv6.Kind.AUTHENTICATION, bytes(22)),
        ipv6.Extension(ipv6.Kind.DESTINATION, b"\x01\x04" + bytes(4)),
    )
    return [*found, Packet(with_options, _SYN), Packet(ipv6.Header(*_V6, 6, extensions=chain), _SYN)]


def _frames(packet: bytes) -> dict[int, list[bytes]]:
    """`packet` in every link header that can carry it."""
    version = packet[0] >> 4
    kind = ethernet.IPV4 if version == 4 else ethernet.IPV6
    tags = (ethernet.Tag(7, 3, protocol=0x88A8), ethernet.Tag(8))
    macs = bytes(6), bytes(6)
    family = 2 if version == 4 else 24
    return {
        link.LinkType.NULL: [loopback.emit(loopback.Frame(family, packet))],
        link.LinkType.LOOP: [loopback.emit(loopback.Frame(family, packet, "big"))],
        link.LinkType.ETHERNET: [
            ethernet.emit(ethernet.Frame(*macs, kind, packet)),
            ethernet.emit(ethernet.Frame(*macs, kind, packet, tags)),
        ],
        link.LinkType.RAW: [packet],
        link.LinkType.LINUX_SLL: [sll.emit(sll.Frame(1, 4, kind, packet, bytes(6)))],
        link.LinkType.LINUX_SLL2: [sll.emit(sll.Frame(2, 0, kind, packet, bytes(6), interface=3))],
        link.LinkType.IPV4 if version == 4 else link.LinkType.IPV6: [packet],
    }


def seeds() -> list[bytes]:
    """Every kind of packet raw, one in every link header, and fragments."""
    whole = [build(packet) for packet in _packets()]
    long_v4, long_v6 = (between(*ends, Datagram(1, 2, bytes(200))) for ends in (_V4, _V6))
    pieces = fragment(build(long_v4), 100) + fragment(build(long_v6), 140, 5)
    raw = _LINKTYPES.index(link.LinkType.RAW)
    framed = [
        bytes((_LINKTYPES.index(linktype),)) + frame
        for packet in (whole[0], whole[6])
        for linktype, frames in _frames(packet).items()
        for frame in frames
    ]
    return framed + [bytes((raw,)) + packet for packet in whole + pieces]


# Promises -----------------------------------------------------------------------------------------


def target(data: bytes) -> None:
    linktype, frame = _LINKTYPES[data[0] % len(_LINKTYPES) if data else 0], data[1:]
    found = link.network(linktype, frame)
    if linktype == link.LinkType.ETHERNET:
        assert ethernet.emit(ethernet.parse(frame)) == frame
    if not found.version:
        raise NotIp
    packet = frame[found.offset :]
    with contextlib.suppress(Malformed):
        look(dissect(packet, truncated=True))
    agree(packet)
    reassemble(packet)
    loose = dissect(packet, verify=False)
    look(loose)
    if not loose.missing:
        again(loose)
    strict = dissect(packet)
    assert strict == loose or (packet[0] >> 4 == 6 and packet[ipv6.PAYLOAD_LENGTH] == b"\0\0")


def look(packet: Packet) -> None:
    """Every packet that was read can be named, described, and its quotation looked into."""
    assert word(packet) is not None or isinstance(packet.transport, Raw)
    assert "\n" not in describe(packet)
    if isinstance(packet.transport, icmp.IcmpMessage):
        with contextlib.suppress(Malformed):
            quoted(packet.transport)


def agree(data: bytes) -> None:
    """`glance` and `dissect` say the same of a whole packet and of one that a capture cut, or `glance` says None.

    Where `dissect` refuses what `glance` read, the fault is in TCP options, which `glance` does not look at.
    """
    for kept in {len(data), max(0, len(data) - 7), min(len(data), 54)}:
        cut = len(data) - kept
        seen = glance(data[:kept], 0, kept, cut)
        if seen is None:
            continue
        try:
            packet = dissect(data[:kept], verify=False, truncated=cut > 0)
        except Malformed as refusal:
            assert refusal.protocol == "TCP options", refusal
        else:
            assert seen == expected(packet, data), (seen, packet)


def expected(packet: Packet, data: bytes) -> Glance:
    """What `glance` has to say of `packet`, which was read from `data`."""
    start, transport = packet.ip.size, packet.transport
    first, second, flags, size = 0, 0, 0, 8
    match transport:
        case Segment():
            first, second, flags = transport.src_port, transport.dst_port, int(transport.flags)
            size = data[start + 12] >> 4 << 2
        case Datagram():
            first, second = transport.src_port, transport.dst_port
        case icmp.IcmpMessage():
            first, second = transport.type, transport.code
        case Raw() | Fragment():
            raise AssertionError("the quick reader leaves these to dissect")
    head = (packet.ip.version, packet.ip.protocol, packet.ip.src, packet.ip.dst)
    return (*head, first, second, flags, packet.payload_length, start, start + size)


def reassemble(data: bytes) -> None:
    """A hostile fragment is kept, joined or refused, and the memory counted for it is given back."""
    reassembler = Reassembler(timeout_ns=10, max_datagrams=2, max_fragments=4, max_bytes=1 << 16)
    with contextlib.suppress(Malformed):
        reassembler.add(data, 0)
        reassembler.add(data, 1)
    reassembler.expire(20)
    assert len(reassembler) == 0 and reassembler.held_bytes == 0


def again(packet: Packet) -> None:
    """What is built reads the same, whole and from its fragments."""
    built = build(packet)
    assert _ordered(dissect(built)) == _ordered(packet)
    header = packet.ip
    if isinstance(header, ipv4.Header):
        if header.dont_fragment or header.fragment:
            return
    elif any(extension.kind == ipv6.Kind.FRAGMENT for extension in header.extensions):
        return
    pieces = fragment(built, header.size + 24, 9)
    if len(pieces) > 20:
        return
    reassembler = Reassembler()
    joined = [reassembler.add(piece, 0) for piece in reversed(pieces)]
    assert joined[:-1] == [None] * (len(pieces) - 1) and joined[-1] == built


def _ordered(packet: Packet) -> Packet:
    """Options that have no field of their own, sorted: a repeated option may change its place when it is built."""
    if not isinstance(packet.transport, Segment):
        return packet
    options = replace(packet.transport.options, other=tuple(sorted(packet.transport.options.other)))
    return replace(packet, transport=replace(packet.transport, options=options))
