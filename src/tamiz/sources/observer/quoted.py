"""What an ICMP error quotes, as far as it is there: eight bytes after the IP header are enough (RFC 792)."""

from __future__ import annotations

from tamiz.stack.fields import Embedded
from tamiz.stack.witness import address_type
from tamiz.wire import icmp, ipv4, ipv6, tcp, udp
from tamiz.wire.errors import Malformed
from tamiz.wire.icmp import IcmpMessage
from tamiz.wire.packet import Header

from .flows import Key
from .keys import ECHOES, icmp_key


class Quotation:
    """What an ICMP error quotes: addresses, protocol, and ports as far as they are there."""

    def __init__(self, header: Header, payload: bytes) -> None:
        self.header = header
        self.source_port, self.destination_port, self.identifier = _ports(header, payload)

    def key(self, sent: bool) -> Key | None:
        """The key of its flow, for the host that `sent` it or received it; None without its ports."""
        ip = self.header
        if self.source_port is None or self.destination_port is None:
            if ip.protocol in (tcp.PROTOCOL, udp.PROTOCOL, icmp.PROTOCOLS[ip.version]):
                return None
            here, there = (ip.src, ip.dst) if sent else (ip.dst, ip.src)
            return (ip.protocol, here, there, 0, 0, 0)
        here, there = (ip.src, ip.dst) if sent else (ip.dst, ip.src)
        if ip.protocol == icmp.PROTOCOLS[ip.version]:
            return icmp_key(ip.protocol, here, there, self.source_port, self.destination_port, self.identifier)
        ports = (self.source_port, self.destination_port)
        return (ip.protocol, here, there, *(ports if sent else ports[::-1]), 0)

    @property
    def embedded(self) -> Embedded:
        """For the host that sent it."""
        ip = self.header
        return Embedded(ip.protocol, ip.dst, address_type(ip.src), self.source_port, self.destination_port)


def quotation(message: IcmpMessage) -> Quotation | None:
    """What the error `message` quotes; None where no IP header can be read. Eight bytes after it are enough."""
    quoted = message.quoted
    if not quoted or quoted[0] >> 4 not in (4, 6):
        return None
    parse = ipv4.parse if quoted[0] >> 4 == 4 else ipv6.parse
    try:
        header, payload, _ = parse(quoted, verify=False, truncated=True)
    except Malformed:
        return None
    return Quotation(header, payload)


def _ports(header: Header, payload: bytes) -> tuple[int | None, int | None, int]:
    place = header.fragment
    if place is not None and place.offset:
        return None, None, 0
    if header.protocol in (tcp.PROTOCOL, udp.PROTOCOL) and len(payload) >= 4:
        return int.from_bytes(payload[:2], "big"), int.from_bytes(payload[2:4], "big"), 0
    if header.protocol == icmp.PROTOCOLS[header.version] and len(payload) >= 6:
        echo = (header.protocol, payload[0]) in ECHOES
        return payload[0], payload[1], int.from_bytes(payload[4:6], "big") if echo else 0
    return None, None, 0
