"""UDP, and everything that follows its pattern: ICMP messages and raw sockets (spec packet-flows.md 2 and 3).

A packet's sequence is chosen by its flow: none, one that needs reauthorization, or one that is good. The rows of a
sequence stand in order of their units, so the flow is kept as soon as its own rows are passed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from tamiz.model._tables import ReauthorizeReason
from tamiz.wire.icmp import IcmpMessage
from tamiz.wire.packet import Packet, word

from .blocks import After
from .flows import Event, Flow, FlowKey, group_key
from .interfaces import Path
from .ip import Ip
from .kernel import Arrival, Kernel, sides
from .requests import ACCESS, Deliver, Failed, Note, Operation, Way
from .rows import Row, Unit
from .sequences import SEQUENCES
from .sockets import Endpoint, Socket
from .walk import Stop

_ECHO_REPLY_OF: Final = {(4, 0): 8, (6, 129): 128}  # a reply belongs to its request's flow [I: ale.md 1]
_ON_THE_WAY_IN: Final = (Unit.DATAGRAM, Unit.SEGMENT, Unit.FLOW)


def flow_key(packet: Packet, way: Way) -> FlowKey:
    """The key of the flow that a packet belongs to, seen from this host (ale.md 1)."""
    ip, transport = packet.ip, packet.transport
    local, remote = (ip.src, ip.dst) if way == "out" else (ip.dst, ip.src)
    here, there = sides(transport, way)
    identifier = 0
    if isinstance(transport, IcmpMessage):
        here = _ECHO_REPLY_OF.get((ip.version, transport.type), transport.type)
        identifier = transport.echo[0] if transport.echo else 0
    return FlowKey(ip.version, ip.protocol, local, remote, here or 0, there or 0, identifier)


@dataclass(frozen=True, slots=True)
class _Situation:
    """How a packet stands to its flow."""

    flow: Flow
    sequence: str
    new: bool


class Datagrams:
    """Sends and receives packets of sockets; `pattern` is the first word of the sequences: udp, icmp, raw."""

    def __init__(self, kernel: Kernel, ip: Ip) -> None:
        self._kernel, self._ip = kernel, ip

    # -- out -----------------------------------------------------------------------------------------

    def send(
        self, socket: Socket, pattern: str, packet: Packet, path: Path, now: int, owner: int | None
    ) -> Operation[bool]:
        """`packet` of `socket` leaves by `path`. `owner`: the id of the socket that its flow belongs to, None for
        the stack's own. False when the call fails."""
        at = self._outbound(pattern, packet, path, now, owner)
        rows, name = SEQUENCES[at.sequence], word(packet)
        seen = self._kernel.outgoing(packet, path, socket, at.flow)
        stop = yield from self._kernel.walk(rows.part(Unit.FLOW), seen, name, at.flow)
        if stop is not None:
            socket.asked = seen
            return (yield from self._refused(socket, at, stop))
        self._passed(at, path.interface.luid, "out", now)
        if owner is not None:
            socket.authorized = True
        stop = yield from self._kernel.walk(rows.without(Unit.FLOW), seen, name, at.flow)
        if stop is None:
            yield from self._ip.transmit(packet, path, socket.id)
        return True

    def _outbound(self, pattern: str, packet: Packet, path: Path, now: int, owner: int | None) -> _Situation:
        flows, key = self._kernel.flows, flow_key(packet, "out")
        flow = flows.find(key, now)
        if flow is None:
            return self._new(f"{pattern}-first-out", key, "out", owner, packet, path, now)
        self._kernel.crosses(flow, path.interface, "out")
        later = f"{pattern}-reauthorize-out" if flow.needs_reauthorization else f"{pattern}-out"
        return _Situation(flow, later, False)

    def _new(
        self, sequence: str, key: FlowKey, way: Way, owner: int | None, packet: Packet, path: Path, now: int
    ) -> _Situation:
        config, network = self._kernel.config, self._kernel.interfaces
        group = way == "out" and network.is_group(key.remote)
        flow = self._kernel.flows.open(key, way, owner, config.group_lifetime if group else config.idle, now)
        flow.group = group and config.multicast_responses
        flow.original = path.interface
        if isinstance(packet.transport, IcmpMessage):
            flow.original_icmp = packet.transport.type
        return _Situation(flow, sequence, True)

    def _refused(self, socket: Socket, at: _Situation, stop: Stop) -> Operation[bool]:
        if stop.pended:
            at.flow.on(Event.PEND)
            socket.flow, socket.pending = at.flow, "sendto"
            yield Note("the send is pended by a callout; its datagram is gone", socket.id)
            return False
        self._kernel.flows.remove(at.flow)
        if at.flow.socket is not None:
            yield Failed("sendto", ACCESS, socket.id)
        return False

    def _passed(self, at: _Situation, interface: int, way: Way, now: int) -> None:
        """The rows of the flow were passed: it is authorized, or it was and lives on."""
        flow = at.flow
        if at.new:
            flow.on(Event.PERMIT)
            self._kernel.flows.keep(flow)
        elif flow.needs_reauthorization:
            flow.reauthorized()
        flow.known.add(interface)
        self._kernel.flows.refresh(flow, way, now)

    def connect(self, socket: Socket, packet: Packet, path: Path, now: int) -> Operation[bool]:
        """connect() of a UDP socket: its flow is authorized at the call [I]. `packet`: one that it would send."""
        at = self._new("udp-connect", flow_key(packet, "out"), "out", socket.id, packet, path, now)
        seen = replace(self._kernel.endpoint(socket, "out"), nexthop=path.interface)
        stop = yield from self._kernel.walk(SEQUENCES[at.sequence].rows, seen, flow=at.flow)
        if stop is not None and stop.pended:
            at.flow.on(Event.PEND)
            socket.flow, socket.pending, socket.asked = at.flow, "connect", seen
            yield Note("the connect is pended by a callout", socket.id)
            return False
        if stop is not None:
            yield Failed("connect", ACCESS, socket.id)
            return False
        self._passed(at, path.interface.luid, "out", now)
        socket.authorized = True
        return True

    def complete(self, socket: Socket, now: int) -> Operation[bool]:
        """A pended first send or connect completes: only the flow is made (ale.md 6)."""
        flow, operation, seen = socket.flow, socket.pending or "sendto", socket.asked
        socket.flow = socket.pending = socket.asked = None
        if flow is None or seen is None:
            return False
        flow.on(Event.COMPLETE)
        flow.reasons = ReauthorizeReason.CLASSIFY_COMPLETION
        stop = yield from self._kernel.walk(SEQUENCES["udp-connect-completes"].rows, seen, flow=flow)
        flow.reasons = ReauthorizeReason(0)
        if stop is not None:
            yield Failed(operation, ACCESS, socket.id)
            return False
        at = _Situation(flow, "udp-connect-completes", True)
        self._passed(at, flow.original.luid if flow.original else 0, "out", now)
        socket.authorized = True
        return True

    # -- in ------------------------------------------------------------------------------------------

    def receive(self, a: Arrival, socket: Socket, pattern: str, owner: int | None) -> Operation[bool]:
        """A packet for `socket` came in; `owner` as for `send`. True when it passed every layer."""
        at = self._inbound(a, pattern, owner)
        rows = a.rows(at.sequence)
        seen, name = self._kernel.incoming(a, socket, at.flow), word(a.packet)
        before = tuple(row for row in rows if row.unit in _ON_THE_WAY_IN)
        stop = yield from self._kernel.walk(before, seen, name, at.flow)
        if stop is not None:
            yield from self._stopped(at, stop, socket)
            return False
        self._passed(at, a.interface.luid, "in", a.now)
        socket.authorized = True
        stop = yield from self._kernel.walk(_data(rows), seen, name, at.flow)
        return stop is None

    def _inbound(self, a: Arrival, pattern: str, owner: int | None) -> _Situation:
        flows, key = self._kernel.flows, flow_key(a.packet, "in")
        flow = flows.find_inbound(key, a.now)
        if flow is None and self._kernel.interfaces.is_group(key.local):
            key, owner = group_key(key.version, key.protocol), None
            flow = flows.find(key, a.now)
            if flow is not None:
                flow.trigger(ReauthorizeReason.NEW_INBOUND_MCAST_BCAST_PACKET)
        if flow is None:
            path = Path(a.interface, a.packet.ip.src)
            return self._new(f"{pattern}-first-in", key, "in", owner, a.packet, path, a.now)
        if not flow.group:
            self._kernel.crosses(flow, a.interface, "in")
        later = f"{pattern}-reauthorize-in" if flow.needs_reauthorization else f"{pattern}-in"
        return _Situation(flow, later, False)

    def _stopped(self, at: _Situation, stop: Stop, socket: Socket) -> Operation[None]:
        if stop.after in (After.TEAR_DOWN, After.CLOSE):
            self._kernel.flows.remove(at.flow)
        if stop.pended:
            yield Note("the packet is kept by a callout", socket.id)

    def deliver(self, socket: Socket, data: bytes, sender: Endpoint) -> Operation[None]:
        """`data` is readable at `socket`."""
        socket.inbox.append((data, sender))
        yield Deliver(socket.id, data, sender)


def _data(rows: tuple[Row, ...]) -> tuple[Row, ...]:
    return tuple(row for row in rows if row.unit is Unit.DATA)
