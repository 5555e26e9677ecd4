"""UDP and raw sockets: sendto, and whom a datagram belongs to (spec packet-flows.md 2 and 3)."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from tamiz.wire import icmp, ipv4
from tamiz.wire.errors import Malformed
from tamiz.wire.icmp import IcmpMessage
from tamiz.wire.packet import Packet, Raw, between, build, dissect, word
from tamiz.wire.udp import Datagram

from .binding import Binder
from .datagrams import Datagrams
from .icmp import PORT_UNREACHABLE, PROTOCOL_UNREACHABLE, Icmp
from .kernel import Arrival, Kernel
from .requests import INVALID, NOT_CONNECTED, TOO_BIG, UNREACHABLE, Dropped, Failed, Operation
from .sockets import TCP, Endpoint, Socket, SocketState

MAX_PAYLOAD: Final = {4: 0xFFFF - 20 - 8, 6: 0xFFFF - 8}  # bytes after a UDP or ICMP header


class Udp:
    """UDP sockets and raw sockets."""

    def __init__(self, kernel: Kernel, binder: Binder, datagrams: Datagrams, icmp_: Icmp) -> None:
        self._kernel, self._binder = kernel, binder
        self._datagrams, self._icmp = datagrams, icmp_

    # -- out -----------------------------------------------------------------------------------------

    def sendto(self, socket: Socket, data: bytes, remote: Endpoint | None, now: int) -> Operation[bool]:
        """One datagram to `remote`, or to the connected peer; the first use of a socket binds it."""
        target = remote or socket.remote
        problem = self._problem(socket, data, target)
        if problem is not None or target is None:
            yield Failed("sendto", problem or NOT_CONNECTED, socket.id)
            return False
        if socket.state is SocketState.CREATED and not socket.raw:
            bound = yield from self._binder.bind(socket, None, 0, implicit=True, operation="sendto")
            if not bound:
                return False
        found = self._kernel.route(socket, target.address)
        if found is None:
            yield Failed("sendto", UNREACHABLE, socket.id)
            return False
        source, path = found
        packet = self._packet(socket, source, target, data)
        pattern = "raw" if socket.raw else "udp"
        return (yield from self._datagrams.send(socket, pattern, packet, path, now, socket.id))

    def connect(self, socket: Socket, remote: Endpoint, now: int) -> Operation[bool]:
        """connect(): fixes the peer and authorizes the flow."""
        problem = self._problem(socket, b"", remote)
        if problem is not None:
            yield Failed("connect", problem, socket.id)
            return False
        if socket.state is SocketState.CREATED:
            bound = yield from self._binder.bind(socket, None, 0, implicit=True, operation="connect")
            if not bound:
                return False
        found = self._kernel.route(socket, remote.address)
        if found is None:
            yield Failed("connect", UNREACHABLE, socket.id)
            return False
        source, path = found
        before = socket.local
        socket.local, socket.remote = source, remote
        if (yield from self._datagrams.connect(socket, self._packet(socket, source, remote, b""), path, now)):
            return True
        if socket.pending is None:
            socket.local, socket.remote = before, None
        return False

    def _problem(self, socket: Socket, data: bytes, target: Endpoint | None) -> str | None:
        if target is None or (socket.protocol == TCP and not socket.raw):
            return NOT_CONNECTED
        if not socket.alive or socket.pending or len(target.address) != (4 if socket.version == 4 else 16):
            return INVALID
        return TOO_BIG if len(data) > MAX_PAYLOAD[socket.version] else None

    def _packet(self, socket: Socket, source: bytes, target: Endpoint, data: bytes) -> Packet:
        config = self._kernel.config
        transport = Raw(data) if socket.raw else Datagram(socket.port, target.port, data)
        made = between(
            source, target.address, transport,
            protocol=socket.protocol, hops=config.hops, identification=next(config.identifications),
        )  # fmt: skip
        if isinstance(made.ip, ipv4.Header):
            made = replace(made, ip=replace(made.ip, dont_fragment=False))
        return self._read(made) if socket.raw else made

    def _read(self, packet: Packet) -> Packet:
        """A raw socket's packet with its own header read, where it is one that can be: it has ports, or a type."""
        try:
            return dissect(build(packet))
        except Malformed:
            return packet

    # -- in ------------------------------------------------------------------------------------------

    def datagram(self, a: Arrival) -> Operation[None]:
        """A UDP datagram for this host."""
        ip, datagram = a.packet.ip, a.packet.transport
        assert isinstance(datagram, Datagram)
        local, sender = Endpoint(ip.dst, datagram.dst_port), Endpoint(ip.src, datagram.src_port)
        group = self._kernel.interfaces.is_group(ip.dst)
        socket = self._kernel.sockets.datagram(local, sender, group)
        if socket is not None:
            if (yield from self._datagrams.receive(a, socket, "udp", socket.id)):
                yield from self._datagrams.deliver(socket, datagram.payload, sender)
            return
        if not (yield from self.raw(a)):
            yield from self._no_endpoint(a, PORT_UNREACHABLE)

    def raw(self, a: Arrival) -> Operation[bool]:
        """A raw socket takes the packet, if there is one for its protocol."""
        ip = a.packet.ip
        socket = self._kernel.sockets.raw(ip.protocol, ip.dst)
        if socket is None:
            return False
        if (yield from self._datagrams.receive(a, socket, "raw", socket.id)):
            data = a.data[ip.size :]
            yield from self._datagrams.deliver(socket, data, Endpoint(ip.src, 0))
        return True

    def other(self, a: Arrival) -> Operation[None]:
        """A packet of another protocol than TCP, UDP and ICMP."""
        if not (yield from self.raw(a)):
            yield from self._no_endpoint(a, PROTOCOL_UNREACHABLE)

    def message(self, a: Arrival) -> Operation[None]:
        """An ICMP message."""
        ip, message = a.packet.ip, a.packet.transport
        assert isinstance(message, IcmpMessage)
        yield from self._icmp.message(a, self._kernel.sockets.raw(icmp.PROTOCOLS[ip.version], ip.dst))

    def _no_endpoint(self, a: Arrival, reason: str) -> Operation[None]:
        """Nobody waits for it: a block at INBOUND_IPPACKET_DISCARD keeps the ICMP error back (2.3); one at the
        observed reading's INBOUND_TRANSPORT_DISCARD does not (field-evidence R1)."""
        name = word(a.packet)
        seen = self._kernel.incoming(a)
        stop = yield from self._kernel.walk(a.rows("no-endpoint-in"), seen, name, note=reason, no_endpoint=True)
        if stop is not None and stop.layer == "INBOUND_IPPACKET":
            return
        yield Dropped(reason, name)
        if stop is None:
            yield from self._icmp.report(a.data, a.packet.ip, reason, 0, a.now)
