"""A whole packet: one IP header and what it carries, from bytes, to bytes, in words."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

from . import icmp, ipv4, ipv6, tcp, udp
from .errors import Malformed
from .icmp import IcmpMessage
from .tcp import Segment, TcpFlags
from .udp import Datagram

Header = ipv4.Header | ipv6.Header


@dataclass(frozen=True, slots=True)
class Raw:
    """The payload of a protocol that has no codec here; which one, the IP header says."""

    payload: bytes = b""


@dataclass(frozen=True, slots=True)
class Fragment:
    """A piece of another packet's payload; which piece, the IP header's `fragment` says."""

    payload: bytes = b""


Transport = Segment | Datagram | IcmpMessage | Raw | Fragment

# Transport -> its protocol number under each IP version; the others' number is their header's own.
_PROTOCOLS: dict[type, dict[int, int]] = {
    Segment: {4: tcp.PROTOCOL, 6: tcp.PROTOCOL},
    Datagram: {4: udp.PROTOCOL, 6: udp.PROTOCOL},
    IcmpMessage: icmp.PROTOCOLS,
}


@dataclass(frozen=True, slots=True)
class Packet:
    """`missing` counts the payload bytes at the end that were on the wire and not in the capture.

    `ValueError` when header and transport contradict each other.
    """

    ip: Header
    transport: Transport
    missing: int = 0

    def __post_init__(self) -> None:
        number = _PROTOCOLS.get(type(self.transport), {}).get(self.ip.version, self.ip.protocol)
        if number != self.ip.protocol:
            raise ValueError(f"IP protocol: found {self.ip.protocol}, wanted {number} for its transport")
        if isinstance(self.transport, IcmpMessage) and self.transport.version != self.ip.version:
            raise ValueError(f"ICMP version: found {self.transport.version}, wanted {self.ip.version}")
        if isinstance(self.transport, Fragment) != (self.ip.fragment is not None):
            raise ValueError("fragment: wanted a Fragment with a fragment's header, and only there")

    @property
    def payload_length(self) -> int:
        """The bytes of transport payload on the wire, captured or not."""
        return len(self.transport.payload) + self.missing


def between(
    src: bytes,
    dst: bytes,
    transport: Transport,
    *,
    protocol: int = 0,
    hops: int = 128,
    identification: int = 0,
) -> Packet:
    """`transport` in a plain header of the addresses' family, four or sixteen packed bytes each.

    `protocol` is for `Raw`; `identification` is IPv4's. IPv4 packets ask not to be fragmented, except UDP's.
    """
    version = 4 if len(src) == 4 else 6
    number = _PROTOCOLS.get(type(transport), {}).get(version, protocol)
    if version == 6:
        return Packet(ipv6.Header(src, dst, number, hops), transport)
    whole = not isinstance(transport, Datagram)
    return Packet(ipv4.Header(src, dst, number, hops, identification, whole), transport)


# Bytes -> meaning ---------------------------------------------------------------------------------


def dissect(data: bytes, *, verify: bool = True, truncated: bool = False) -> Packet:
    """The packet at the beginning of `data`; a link's padding after it is left out.

    `verify=False` leaves checksums alone and bears the zero lengths of segmentation offload: captures of the sending
    host. `truncated` bears a packet that a capture cut after its fixed headers, and implies `verify=False`.
    `Malformed` for anything else, its offset counted from the beginning of `data`.
    """
    verify = verify and not truncated
    version = data[0] >> 4 if data else 0
    if version not in (4, 6):
        found = f"version {version}" if data else "no bytes"
        raise Malformed("IP", 0, found, "version 4 or 6")
    parse = ipv4.parse if version == 4 else ipv6.parse
    header, payload, length = parse(data, verify=verify, truncated=truncated)
    if header.fragment is not None:
        return Packet(header, Fragment(payload), length - len(payload))
    return _whole(header, payload, length, verify)


def _whole(header: Header, data: bytes, length: int, verify: bool) -> Packet:
    """A packet that is no fragment; `length` is how long `data` was on the wire."""
    base, src, dst = header.size, header.src, header.final_destination
    if dst is None:
        verify, dst = False, header.dst
    if header.protocol == tcp.PROTOCOL:
        segment = tcp.parse(data, src, dst, verify=verify, base=base, wire_length=length)
        size = (data[tcp.DATA_OFFSET] >> 4) * 4
        return Packet(header, segment, length - size - len(segment.payload))
    if header.protocol == udp.PROTOCOL:
        datagram = udp.parse(data, src, dst, verify=verify, base=base, wire_length=length)
        stated = udp.stated_length(data, length)
        return Packet(header, datagram, stated - udp.HEADER_SIZE - len(datagram.payload))
    if header.protocol == icmp.PROTOCOLS[header.version]:
        message = icmp.parse(data, src, dst, verify=verify, base=base)
        return Packet(header, message, length - len(data))
    return Packet(header, Raw(data), length - len(data))


def quoted(message: IcmpMessage) -> Packet | None:
    """The packet that an ICMP error is about, mostly cut; None for other messages. `Malformed`: it is cut within
    its fixed headers, or broken; its offset counts from the beginning of the quotation."""
    return None if message.quoted is None else dissect(message.quoted, truncated=True)


# Meaning -> bytes ---------------------------------------------------------------------------------


def build(packet: Packet) -> bytes:
    """The bytes, every length and checksum made. `ValueError`: a packet with `missing` bytes, or one too long."""
    if packet.missing:
        raise ValueError(f"packet: found {packet.missing} bytes that a capture left out, wanted a whole packet")
    payload = _emit(packet.transport, packet.ip.src, packet.ip.final_destination or packet.ip.dst)
    if isinstance(packet.ip, ipv4.Header):
        return ipv4.emit(packet.ip, payload)
    return ipv6.emit(packet.ip, payload)


def _emit(transport: Transport, src: bytes, dst: bytes) -> bytes:
    match transport:
        case Segment():
            return tcp.emit(transport, src, dst)
        case Datagram():
            return udp.emit(transport, src, dst)
        case IcmpMessage():
            return icmp.emit(transport, src, dst)
        case Raw() | Fragment():
            return transport.payload


# Meaning -> words ---------------------------------------------------------------------------------

# What a segment is called after the first of these flags that it has.
_TCP_WORDS = ((TcpFlags.RST, "RST"), (TcpFlags.SYN, "SYN"), (TcpFlags.FIN, "FIN"))


def word(packet: Packet) -> str | None:
    """One of SYN, SYN-ACK, ACK, DATA, FIN, RST, UDP, ICMP, ICMP-ERROR, FRAGMENT; None for another protocol.

    A segment with RST is RST whatever else it has, then SYN, then FIN; with none of them it is DATA if it has a
    payload, else ACK.
    """
    match packet.transport:
        case Segment(flags=flags):
            name = next((name for flag, name in _TCP_WORDS if flags & flag), None)
            if name == "SYN" and flags & TcpFlags.ACK:
                return "SYN-ACK"
            return name or ("DATA" if packet.payload_length else "ACK")
        case Datagram():
            return "UDP"
        case IcmpMessage():
            return "ICMP-ERROR" if packet.transport.is_error else "ICMP"
        case Fragment():
            return "FRAGMENT"
        case Raw():
            return None


def describe(packet: Packet) -> str:
    """One line for people: "10.0.0.5:50000 > 203.0.113.7:443 TCP SYN, seq 7, window 64240, 0 bytes"."""
    ports = ("", "")
    if isinstance(packet.transport, Segment | Datagram):
        ports = (f":{packet.transport.src_port}", f":{packet.transport.dst_port}")
    src, dst = (_end(address, port) for address, port in zip((packet.ip.src, packet.ip.dst), ports, strict=True))
    length = packet.payload_length
    return f"{src} > {dst} {_words(packet)}, {length} byte{'' if length == 1 else 's'}"


def _end(address: bytes, port: str) -> str:
    text = str(ipaddress.ip_address(address))
    return f"[{text}]{port}" if port and len(address) == 16 else text + port


def _words(packet: Packet) -> str:
    match packet.transport:
        case Segment() as segment:
            ack = f", ack {segment.ack}" if segment.has_ack else ""
            return f"TCP {segment.flags.label}, seq {segment.seq}{ack}, window {segment.window}"
        case Datagram():
            return "UDP"
        case IcmpMessage() as message:
            return _icmp_words(message)
        case Fragment():
            place = packet.ip.fragment
            assert place is not None  # Packet holds to it
            more = "more follow" if place.more else "the last"
            return f"fragment {place.identification} of protocol {packet.ip.protocol} from {place.offset}, {more}"
        case Raw():
            return f"protocol {packet.ip.protocol}"


def _icmp_words(message: IcmpMessage) -> str:
    kinds = icmp.V4 if message.version == 4 else icmp.V6
    names = {int(kind): kind.name.lower().replace("_", " ") for kind in kinds}
    name = names.get(message.type, f"type {message.type}")
    if message.echo is not None:
        return f"ICMP {name}, identifier {message.echo[0]}, sequence {message.echo[1]}"
    return f"ICMP {name}, code {message.code}"
