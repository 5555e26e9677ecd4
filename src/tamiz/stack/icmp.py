"""ICMP: echo both ways, errors both ways (spec packet-flows.md 3)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from tamiz.wire import icmp, ipv4, ipv6
from tamiz.wire.errors import Malformed
from tamiz.wire.icmp import IcmpMessage
from tamiz.wire.packet import Header, Packet, between

from .datagrams import Datagrams
from .fields import Embedded
from .forward import HOP_LIMIT, NO_ROUTE, TOO_BIG
from .interfaces import Path
from .ip import Ip
from .kernel import Arrival, Kernel
from .requests import RESET, UNREACHABLE, Failed, Note, Operation
from .sequences import SEQUENCES
from .sockets import TCP, UDP, Endpoint, Socket

PORT_UNREACHABLE: Final = "IpDiscardPortUnreachable"
PROTOCOL_UNREACHABLE: Final = "IpDiscardProtocolUnreachable"
REASSEMBLY_TIME: Final = "fragment reassembly time exceeded"


@dataclass(frozen=True, slots=True)
class _Kind:
    """The ICMP error that reports a discard: type and code; `rest`: what its second word holds."""

    type: int
    code: int
    rest: str = ""


# (reason, IP version) -> error [RFC 792, RFC 1191, RFC 4443]
_KINDS: Final[Mapping[tuple[str, int], _Kind]] = {
    (PORT_UNREACHABLE, 4): _Kind(icmp.V4.UNREACHABLE, 3),
    (PORT_UNREACHABLE, 6): _Kind(icmp.V6.UNREACHABLE, 4),
    (PROTOCOL_UNREACHABLE, 4): _Kind(icmp.V4.UNREACHABLE, 2),
    (PROTOCOL_UNREACHABLE, 6): _Kind(icmp.V6.PARAMETER_PROBLEM, 1, "pointer"),
    (NO_ROUTE, 4): _Kind(icmp.V4.UNREACHABLE, 0),
    (NO_ROUTE, 6): _Kind(icmp.V6.UNREACHABLE, 0),
    (HOP_LIMIT, 4): _Kind(icmp.V4.TIME_EXCEEDED, 0),
    (HOP_LIMIT, 6): _Kind(icmp.V6.TIME_EXCEEDED, 0),
    (TOO_BIG, 4): _Kind(icmp.V4.UNREACHABLE, icmp.FRAGMENTATION_NEEDED, "mtu"),
    (TOO_BIG, 6): _Kind(icmp.V6.PACKET_TOO_BIG, 0, "mtu"),
    (REASSEMBLY_TIME, 4): _Kind(icmp.V4.TIME_EXCEEDED, 1),
    (REASSEMBLY_TIME, 6): _Kind(icmp.V6.TIME_EXCEEDED, 1),
}
# The whole error stays within 576 bytes [RFC 1812 4.3.2.3], with IPv6 within 1280 [RFC 4443 2.4 (c)].
_QUOTED: Final = {4: 576 - 20 - icmp.HEADER_SIZE, 6: 1280 - 40 - icmp.HEADER_SIZE}


class Icmp:
    """Echo is answered by the stack itself; a ping's handle is a socket."""

    def __init__(self, kernel: Kernel, ip: Ip, datagrams: Datagrams) -> None:
        self._kernel, self._ip, self._datagrams = kernel, ip, datagrams
        self._system = {
            version: kernel.sockets.create(protocol, version, kernel.config.system)
            for version, protocol in icmp.PROTOCOLS.items()
        }

    # -- echo ----------------------------------------------------------------------------------------

    def ping(
        self,
        handle: Socket,
        destination: bytes,
        path: Path,
        source: bytes,
        sequence: int,
        data: bytes,
        now: int,
    ) -> Operation[bool]:
        """One echo request of `handle`, whose port is the identifier."""
        message = icmp.echo(handle.version, reply=False, identifier=handle.port, sequence=sequence, payload=data)
        packet = self.packet(source, destination, message)
        return (yield from self._datagrams.send(handle, "icmp", packet, path, now, handle.id))

    def message(self, a: Arrival, raw: Socket | None) -> Operation[None]:
        """An ICMP message came in; a raw socket for ICMP gets a copy."""
        message = a.packet.transport
        assert isinstance(message, IcmpMessage)
        if message.is_error:
            yield from self._error(a, message)
            return
        owner = self._waiting(message, a.packet.ip.version) or raw
        system = self._system[a.packet.ip.version]
        passed = yield from self._datagrams.receive(a, owner or system, "icmp", owner.id if owner is not None else None)
        if not passed:
            return
        if owner is not None:
            sender = Endpoint(a.packet.ip.src, message.type)
            yield from self._datagrams.deliver(owner, message.payload, sender)
        if message.type in (icmp.V4.ECHO_REQUEST, icmp.V6.ECHO_REQUEST) and message.echo:
            yield from self._answer(a, message, system)

    def _waiting(self, message: IcmpMessage, version: int) -> Socket | None:
        """The handle that an echo reply answers."""
        reply = message.type == (icmp.V4.ECHO_REPLY if version == 4 else icmp.V6.ECHO_REPLY)
        if not reply or message.echo is None:
            return None
        for s in self._kernel.sockets:
            handle = s.alive and s.assigned and not s.raw and s.protocol == icmp.PROTOCOLS[version]
            if handle and s.port == message.echo[0]:
                return s
        return None

    def _answer(self, a: Arrival, message: IcmpMessage, system: Socket) -> Operation[None]:
        ip, network = a.packet.ip, self._kernel.interfaces
        if message.echo is None or not self._kernel.config.answers_echo or network.is_group(ip.src):
            return
        path = network.path(ip.src, None if network.is_group(ip.dst) else ip.dst)
        source = ip.dst if network.owner(ip.dst) else network.source_for(path) if path else None
        if path is None or source is None:
            return
        identifier, sequence = message.echo
        reply = icmp.echo(ip.version, reply=True, identifier=identifier, sequence=sequence, payload=message.payload)
        yield from self._datagrams.send(system, "icmp", self.packet(source, ip.src, reply), path, a.now, None)

    # -- errors in -----------------------------------------------------------------------------------

    def _error(self, a: Arrival, message: IcmpMessage) -> Operation[None]:
        quote = _quote(message)
        owner = self._owner(quote) if quote else None
        seen = replace(self._kernel.incoming(a, owner), embedded=self._embedded(quote) if quote else None)
        stop = yield from self._kernel.walk(a.rows("icmp-error-in"), seen, "ICMP-ERROR")
        if stop is None and owner is not None:
            yield from self._tell(owner, message)

    def _embedded(self, quote: _Quote) -> Embedded:
        """The quoted packet was sent from here: its source is local."""
        kind = self._kernel.interfaces.address_type(quote.header.src)
        return Embedded(quote.header.protocol, quote.header.dst, kind, quote.here, quote.there)

    def _owner(self, quote: _Quote) -> Socket | None:
        if quote.here is None or quote.there is None:
            return None
        local, remote = Endpoint(quote.header.src, quote.here), Endpoint(quote.header.dst, quote.there)
        if quote.header.protocol == TCP:
            return self._kernel.sockets.connection(local, remote)
        if quote.header.protocol == UDP:
            return self._kernel.sockets.datagram(local, remote)
        return None

    def _tell(self, owner: Socket, message: IcmpMessage) -> Operation[None]:
        """UDP learns of an unreachable port or host; for TCP it is a hint that changes nothing (RFC 5461)."""
        if owner.protocol == UDP and message.type == _KINDS[PORT_UNREACHABLE, message.version].type:
            port = message.code == _KINDS[PORT_UNREACHABLE, message.version].code
            yield Failed("receive", RESET if port else UNREACHABLE, owner.id)
        else:
            yield Note(f"ICMP error of type {message.type}, code {message.code}", owner.id)

    # -- errors out ----------------------------------------------------------------------------------

    def report(self, data: bytes, header: Header, reason: str, mtu: int, now: int) -> Operation[None]:
        """The ICMP error about the packet `data`; none where RFC 1122 3.2.2 and RFC 4443 2.4 (e) forbid it."""
        if self._is_silent(data, header):
            return
        source, path = self._way_back(header)
        if path is None or source is None:
            return
        kind = _KINDS[reason, header.version]
        rest = mtu if kind.rest == "mtu" else _pointer(header) if kind.rest == "pointer" else 0
        message = IcmpMessage(
            header.version, kind.type, kind.code, rest.to_bytes(4, "big"), data[: _QUOTED[header.version]]
        )
        packet = self.packet(source, header.src, message)
        seen = self._kernel.outgoing(packet, path, self._system[header.version])
        stop = yield from self._kernel.walk(SEQUENCES["icmp-error-out"].rows, seen, "ICMP-ERROR")
        if stop is None:
            yield from self._ip.transmit(packet, path)

    def _is_silent(self, data: bytes, header: Header) -> bool:
        network, place = self._kernel.interfaces, header.fragment
        if place is not None and place.offset:
            return True
        if network.is_group(header.dst) or network.is_group(header.src) or not any(header.src):
            return True
        kind = data[header.size] if len(data) > header.size else 0
        return header.protocol == icmp.PROTOCOLS[header.version] and kind in icmp.ERRORS[header.version]

    def _way_back(self, header: Header) -> tuple[bytes | None, Path | None]:
        network = self._kernel.interfaces
        own = header.dst if network.owner(header.dst) else None
        path = network.path(header.src, own, self._kernel.config.strong_send)
        return own or (network.source_for(path) if path else None), path

    def packet(self, source: bytes, destination: bytes, message: IcmpMessage) -> Packet:
        """A message in its IP header; IPv4 may cut it."""
        config = self._kernel.config
        made = between(source, destination, message, hops=config.hops, identification=next(config.identifications))
        if isinstance(made.ip, ipv4.Header):
            return replace(made, ip=replace(made.ip, dont_fragment=False))
        return made


@dataclass(frozen=True, slots=True)
class _Quote:
    """What an ICMP error tells of the packet it is about: its ports, or the type and code of a message."""

    header: Header
    here: int | None = None
    there: int | None = None


def _quote(message: IcmpMessage) -> _Quote | None:
    """The packet at fault, of which eight bytes after the IP header are enough (RFC 792)."""
    try:
        parse = ipv4.parse if message.version == 4 else ipv6.parse
        header, payload, _ = parse(message.quoted or b"", verify=False, truncated=True)
    except Malformed:
        return None
    first = header.fragment is None or header.fragment.offset == 0
    if first and header.protocol in (TCP, UDP) and len(payload) >= 4:
        return _Quote(header, int.from_bytes(payload[:2], "big"), int.from_bytes(payload[2:4], "big"))
    if first and header.protocol == icmp.PROTOCOLS[message.version] and len(payload) >= 2:
        return _Quote(header, payload[0], payload[1])
    return _Quote(header)


def _pointer(header: Header) -> int:
    """Where the next-header number stands that nobody knows (RFC 4443 3.4)."""
    if isinstance(header, ipv6.Header) and header.extensions:
        return header.size - len(header.extensions[-1].body) - 2
    return ipv6.NEXT_HEADER
