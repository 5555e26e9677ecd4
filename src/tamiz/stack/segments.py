"""Segments that come in: to a connection, a listener, or nobody (packet-flows.md 1.3 to 1.7)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from tamiz.model._tables import AddressType
from tamiz.wire.tcp import Segment

from .blocks import After
from .carrier import Carrier
from .flows import Event, Flow, FlowKey
from .ip import Ip
from .kernel import Arrival, Kernel
from .requests import Dropped, Note, Operation
from .rows import Unit
from .sequences import SEQUENCES
from .sockets import TCP, Endpoint, Socket, SocketState
from .tcp import Connection, SegmentKind, kind_of, reset_for
from .udp import Udp

# The word of a segment that arrives -> its sequence
_IN: Final[Mapping[SegmentKind, str]] = {
    SegmentKind.SYN: "tcp-syn-again-in",
    SegmentKind.SYN_ACK: "tcp-syn-ack-in",
    SegmentKind.ACK: "tcp-ack-in",
    SegmentKind.DATA: "tcp-data-in",
    SegmentKind.FIN: "tcp-fin-in",
    SegmentKind.RST: "tcp-abort-in",
}


def connection_key(local: Endpoint, remote: Endpoint) -> FlowKey:
    """The key of a TCP connection's flow."""
    version = 4 if len(local.address) == 4 else 6
    return FlowKey(version, TCP, local.address, remote.address, local.port, remote.port)


class Segments:
    """Finds out whose a segment is, and hands it on."""

    def __init__(self, kernel: Kernel, ip: Ip, carrier: Carrier, udp: Udp) -> None:
        self._kernel, self._ip, self._carrier, self._udp = kernel, ip, carrier, udp

    def arrive(self, a: Arrival) -> Operation[None]:
        """A segment for this host."""
        ip, segment = a.packet.ip, a.packet.transport
        assert isinstance(segment, Segment)
        local, remote = Endpoint(ip.dst, segment.dst_port), Endpoint(ip.src, segment.src_port)
        socket = self._kernel.sockets.connection(local, remote)
        if socket is not None:
            yield from self._to_connection(socket, segment, a)
            return
        listener = self._kernel.sockets.listener(local) if self._between_hosts(a) else None
        if listener is not None and segment.syn and not segment.has_ack and not segment.rst:
            yield from self._to_listener(listener, segment, local, remote, a)
        elif not (yield from self._udp.raw(a)):
            yield from self._to_nobody(segment, a)

    def _to_connection(self, socket: Socket, segment: Segment, a: Arrival) -> Operation[None]:
        kind, flow = kind_of(segment), socket.flow
        if flow is not None:
            self._kernel.crosses(flow, a.interface, "in")
        again = flow is not None and flow.needs_reauthorization
        name = "tcp-reauthorize-in" if again else _IN[kind]
        rows = tuple(row for row in a.rows(name) if row.unit is not Unit.DATA)
        stop = yield from self._kernel.walk(rows, self._kernel.incoming(a, socket, flow), kind.value, flow)
        if again and flow is not None and (stop is None or stop.layer == "STREAM_PACKET"):
            flow.reauthorized()
        if stop is not None:
            if stop.after is After.TEAR_DOWN:
                yield from self._carrier.tear_down(socket)
            return
        if flow is not None:
            flow.known.add(a.interface.luid)
        if socket.connection is not None:
            yield from self._carrier.carry_out(socket, socket.connection.on_segment(segment, a.now), a.now)

    def _to_listener(
        self, listener: Socket, segment: Segment, local: Endpoint, remote: Endpoint, a: Arrival
    ) -> Operation[None]:
        if self._waiting(listener) >= listener.backlog:
            seen = self._kernel.incoming(a, listener)
            yield from self._kernel.walk(a.rows("tcp-backlog-full-in"), seen, "SYN")
            yield Dropped("the listener's backlog is full", "SYN")
            return
        flow = self._kernel.flows.open(connection_key(local, remote), "in", None, None, a.now)
        flow.original = a.interface
        seen = self._kernel.incoming(a, listener, flow)
        stop = yield from self._kernel.walk(a.rows("tcp-syn-in"), seen, "SYN", flow)
        if stop is not None:
            if stop.pended:
                yield Note("the SYN is kept by a callout", listener.id)
            return
        child = self._child(listener, local, remote, flow)
        flow.on(Event.PERMIT_TCP)
        flow.known.add(a.interface.luid)
        self._kernel.flows.keep(flow)
        iss = next(self._kernel.config.iss)
        child.connection, effects = Connection.passive(segment, iss, a.now, self._carrier.numbers(child))
        yield from self._carrier.carry_out(child, effects, a.now)

    def _child(self, listener: Socket, local: Endpoint, remote: Endpoint, flow: Flow) -> Socket:
        child = self._kernel.sockets.create(TCP, listener.version, listener.process)
        child.local, child.port, child.remote = local.address, local.port, remote
        child.parent, child.flow, child.authorized = listener, flow, True
        child.state, flow.socket = SocketState.CONNECTING, child.id
        return child

    def _waiting(self, listener: Socket) -> int:
        """Connections that nobody accepted yet, half open ones included."""
        half = sum(s.parent is listener and s.state is SocketState.CONNECTING for s in self._kernel.sockets)
        return half + len(listener.queue)

    def _between_hosts(self, a: Arrival) -> bool:
        """Whether both addresses are one host's: TCP answers no others (RFC 9293 3.9.2.3, RFC 1122 4.2.3.10)."""
        kinds = map(self._kernel.interfaces.address_type, (a.packet.ip.src, a.packet.ip.dst))
        return all(kind is AddressType.UNICAST for kind in kinds)

    def _to_nobody(self, segment: Segment, a: Arrival) -> Operation[None]:
        """No connection and no listener: a block at the discard layer keeps the RST back (1.4)."""
        word = kind_of(segment).value
        reason = "InetDiscardEndpointNotFound"
        seen = self._kernel.incoming(a)
        stop = yield from self._kernel.walk(a.rows("tcp-no-endpoint-in"), seen, word, note=reason, no_endpoint=True)
        if stop is not None and stop.layer == "INBOUND_IPPACKET":
            return
        yield Dropped(reason, word)
        answer = reset_for(segment)
        if stop is not None or answer is None or not self._between_hosts(a):
            return
        path = self._kernel.interfaces.path(a.packet.ip.src, a.packet.ip.dst, self._kernel.config.strong_send)
        if path is not None:
            packet = self._carrier.packet(a.packet.ip.dst, a.packet.ip.src, answer)
            rows = SEQUENCES["tcp-rst-out"].rows
            if (yield from self._kernel.walk(rows, self._kernel.outgoing(packet, path), "RST")) is None:
                yield from self._ip.transmit(packet, path)
