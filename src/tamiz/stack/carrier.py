"""What a TCP connection asks of its host, carried out: segments out, data in, the end (packet-flows.md 1).

`tcp.Connection` knows the protocol and nothing of filters; here each of its effects meets its layers. A segment that a
filter drops is lost as on a wire: the connection's own timers send it again.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Final

from tamiz.wire.packet import Packet, between
from tamiz.wire.tcp import Segment

from .binding import Binder
from .blocks import After
from .flows import Event
from .ip import Ip
from .kernel import Kernel
from .requests import ABORTED, REFUSED, RESET, TIMED_OUT, Deliver, Failed, Note, Operation, Way
from .rows import Row, Unit
from .sequences import SEQUENCES
from .sockets import Socket, SocketState
from .tcp import (
    Closed,
    Effect,
    Emit,
    EnteredTimeWait,
    Established,
    PeerFinished,
    Received,
    Refused,
    Reset,
    SegmentKind,
    TcpConfig,
    TimedOut,
)

# The word of a segment that leaves -> its sequence
_OUT: Final[Mapping[SegmentKind, str]] = {
    SegmentKind.SYN: "tcp-syn-out",
    SegmentKind.SYN_ACK: "tcp-syn-ack-out",
    SegmentKind.ACK: "tcp-ack-out",
    SegmentKind.DATA: "tcp-data-out",
    SegmentKind.FIN: "tcp-fin-out",
    SegmentKind.RST: "tcp-abort-out",
}
_HEADERS: Final = {4: 40, 6: 60}  # IP and TCP header without options, in bytes
_DEFAULT_MSS: Final = {4: 536, 6: 1220}  # RFC 9293 3.7.1


class Carrier:
    """Carries out the effects of every connection of a host."""

    def __init__(self, kernel: Kernel, ip: Ip, binder: Binder) -> None:
        self._kernel, self._ip, self._binder = kernel, ip, binder

    # -- effects -------------------------------------------------------------------------------------

    def carry_out(self, socket: Socket, effects: Iterable[Effect], now: int) -> Operation[None]:
        """Each effect in order, and those that they bring; a connection that is torn down has no more."""
        waiting = deque(effects)
        while waiting:
            more = yield from self._one(socket, waiting.popleft(), now)
            if more is None:
                return
            waiting.extend(more)

    def _one(self, socket: Socket, effect: Effect, now: int) -> Operation[list[Effect] | None]:
        """Carry out one effect: the effects that follow from it, None when the connection is gone."""
        match effect:
            case Emit():
                return [] if (yield from self._emit(socket, effect)) else None
            case Established():
                return (yield from self._established(socket, now))
            case Received(data):
                return (yield from self._received(socket, data, now))
            case PeerFinished():
                socket.peer_finished = True
                yield Note("the peer has finished sending", socket.id)
            case Refused():
                yield from self._fails(socket, REFUSED)
            case Reset(by_peer):
                if by_peer:
                    yield from self._fails(socket, RESET)
            case TimedOut():
                yield from self._fails(socket, TIMED_OUT)
            case EnteredTimeWait() | Closed():
                yield from self._ended(socket, isinstance(effect, Closed))
        return []

    def _fails(self, socket: Socket, error: str) -> Operation[None]:
        socket.error = error
        connecting = socket.state is SocketState.CONNECTING
        if socket.state is not SocketState.CLOSING and not (connecting and socket.parent):
            yield Failed("connect" if connecting else "receive", error, socket.id)

    def _emit(self, socket: Socket, effect: Emit) -> Operation[bool]:
        """A segment leaves; False when that ended the connection."""
        assert socket.local is not None and socket.remote is not None
        network, flow = self._kernel.interfaces, socket.flow
        path = network.path(socket.remote.address, socket.local, self._kernel.config.strong_send)
        if path is None:
            yield Note("no route: the segment is lost", socket.id)
            return True
        if flow is not None:
            self._kernel.crosses(flow, path.interface, "out")
        again = flow is not None and flow.needs_reauthorization
        packet = self.packet(socket.local, socket.remote.address, effect.segment)
        note = "sent again" if effect.retransmission else ""
        stop = yield from self._kernel.walk(
            self._rows_out(effect.kind, again),
            self._kernel.outgoing(packet, path, socket, flow),
            effect.kind.value,
            flow,
            note,
        )
        if stop is not None and stop.after is After.TEAR_DOWN:
            yield from self.tear_down(socket)
            return False
        if again and flow is not None:
            flow.reauthorized()
        if flow is not None:
            flow.known.add(path.interface.luid)
        if stop is None:
            yield from self._ip.transmit(packet, path, socket.id)
        return True

    def _rows_out(self, kind: SegmentKind, again: bool) -> tuple[Row, ...]:
        return SEQUENCES["tcp-reauthorize-out" if again else _OUT[kind]].without(Unit.DATA)

    def _established(self, socket: Socket, now: int) -> Operation[list[Effect] | None]:
        """FLOW_ESTABLISHED; a block there closes the connection (5)."""
        flow = socket.flow
        role = "server" if socket.parent is not None else "client"
        seen = self._kernel.endpoint(socket, "in" if socket.parent else "out")
        stop = yield from self._kernel.walk(SEQUENCES[f"tcp-established-{role}"].rows, seen, flow=flow)
        if stop is not None:
            yield from self._fails(socket, ABORTED)
            effects = socket.connection.abort(now) if socket.connection else []
            yield from self.carry_out(socket, effects, now)
            return None
        if flow is not None:
            flow.on(Event.HANDSHAKE)
        socket.state = SocketState.CONNECTED
        if socket.parent is not None:
            socket.parent.queue.append(socket)
            yield from self._kernel.walk(SEQUENCES["tcp-listen-completes"].rows, seen)
        return []

    def _received(self, socket: Socket, data: bytes, now: int) -> Operation[list[Effect]]:
        """STREAM, then the data is readable; bytes that are taken out count as read."""
        assert socket.remote is not None
        passed = yield from self.stream(socket, SEQUENCES["tcp-data-in"].part(Unit.DATA), data, "in")
        if passed:
            socket.inbox.append((data, socket.remote))
            yield Deliver(socket.id, data, socket.remote)
            return []
        return socket.connection.consumed(len(data), now) if socket.connection else []

    def stream(self, socket: Socket, rows: tuple[Row, ...], data: bytes, way: Way) -> Operation[bool]:
        seen = self._kernel.endpoint(socket, way)
        stop = yield from self._kernel.walk(rows, seen, flow=socket.flow, length=len(data))
        if stop is None:
            return True
        yield Note(f"{len(data)} bytes are taken out of the stream", socket.id)
        return False

    # -- ends ----------------------------------------------------------------------------------------

    def tear_down(self, socket: Socket) -> Operation[None]:
        """A failed reauthorization: the flow is gone and the connection with it; nothing more is sent [I: the flow
        page ends with the discard layer]. A socket that the application holds is released when it closes it; one that
        it closed, or never had, ends now."""
        if socket.flow is not None:
            self._kernel.flows.remove(socket.flow)
        socket.connection = None
        state, half_open = socket.state, socket.parent is not None and socket.state is SocketState.CONNECTING
        yield from self._fails(socket, ABORTED)
        if state is SocketState.CLOSING:
            yield from self._binder.release(socket)
        elif half_open:
            socket.state = SocketState.CLOSED
            yield from self._binder.closure(socket)

    def _ended(self, socket: Socket, for_good: bool) -> Operation[None]:
        """Both directions are done, or the connection was reset. A socket that the application closed is released;
        else the closure of an established connection is indicated now and the rest at close()."""
        if socket.state is SocketState.CLOSING:
            yield from self._binder.release(socket)
            if not for_good:
                socket.state = SocketState.CLOSING
        elif socket.flow is not None and socket.flow.handshake_done:
            yield from self._binder.closure(socket)
        if for_good:
            socket.connection = None
            if socket.flow is not None:
                self._kernel.flows.remove(socket.flow)
            if socket.parent is not None and socket.state is SocketState.CONNECTING:
                socket.state = SocketState.CLOSED
                yield from self._binder.closure(socket)

    def numbers(self, socket: Socket) -> TcpConfig:
        """TCP's numbers, with the MSS that the interface's MTU leaves."""
        config = self._kernel.config.tcp
        owner = self._kernel.interfaces.owner(socket.local or b"")
        room = (owner.mtu if owner else 1500) - _HEADERS[socket.version]
        return replace(config, mss=min(config.mss, max(room, 48)), default_mss=_DEFAULT_MSS[socket.version])

    def packet(self, source: bytes, destination: bytes, segment: Segment) -> Packet:
        config = self._kernel.config
        return between(source, destination, segment, hops=config.hops, identification=next(config.identifications))
