"""What applications ask of TCP: listen, connect, send, receive, accept, close (packet-flows.md 1)."""

from __future__ import annotations

from dataclasses import replace

from tamiz.model._tables import AddressType, ReauthorizeReason

from .binding import Binder
from .carrier import Carrier
from .flows import Event, Flow
from .interfaces import Path
from .kernel import Kernel
from .requests import (
    ACCESS,
    INVALID,
    NOT_AVAILABLE,
    NOT_CONNECTED,
    NOT_SUPPORTED,
    UNREACHABLE,
    Completed,
    Failed,
    Note,
    Operation,
)
from .rows import Unit
from .segments import connection_key
from .sequences import SEQUENCES
from .sockets import TCP, Endpoint, Socket, SocketState
from .tcp import Connection, State
from .walk import Stop


class Connections:
    """The TCP sockets of a host."""

    def __init__(self, kernel: Kernel, binder: Binder, carrier: Carrier) -> None:
        self._kernel, self._binder, self._carrier = kernel, binder, carrier

    def listen(self, socket: Socket, backlog: int) -> Operation[bool]:
        if socket.protocol != TCP or socket.raw or socket.state is not SocketState.BOUND or socket.pending:
            tcp = socket.protocol == TCP and not socket.raw
            yield Failed("listen", INVALID if tcp else NOT_SUPPORTED, socket.id)
            return False
        stop = yield from self._kernel.walk(SEQUENCES["tcp-listen"].rows, self._kernel.endpoint(socket))
        socket.backlog = max(backlog, 1)
        if stop is not None and stop.pended:
            socket.pending = "listen"
            yield Note("the listen is pended by a callout", socket.id)
            return False
        if stop is not None:
            socket.error = ACCESS
            yield Failed("listen", ACCESS, socket.id)
            return False
        socket.state, socket.authorized = SocketState.LISTENING, True
        return True

    def connect(self, socket: Socket, remote: Endpoint, now: int) -> Operation[bool]:
        """True when the SYN was given to the network: the handshake goes on by itself."""
        if socket.state is SocketState.CREATED and not socket.pending:
            bound = yield from self._binder.bind(socket, None, 0, implicit=True, operation="connect")
            if not bound:
                return False
        if socket.state is not SocketState.BOUND or len(remote.address) != (4 if socket.version == 4 else 16):
            yield Failed("connect", INVALID, socket.id)
            return False
        if self._kernel.interfaces.address_type(remote.address) is not AddressType.UNICAST:
            yield Failed("connect", NOT_AVAILABLE, socket.id)  # RFC 9293 3.9.1.1
            return False
        found = self._kernel.route(socket, remote.address)
        if found is None:
            yield Failed("connect", UNREACHABLE, socket.id)
            return False
        socket.local, socket.remote = found[0], remote
        flow = self._open(socket, found[1], now)
        seen = replace(self._kernel.endpoint(socket, "out"), nexthop=found[1].interface)
        stop = yield from self._kernel.walk(SEQUENCES["tcp-connect"].rows, seen, flow=flow)
        if stop is not None:
            return (yield from self._not_connected(socket, flow, stop))
        yield from self._begin(socket, flow, now)
        return True

    def _open(self, socket: Socket, path: Path, now: int) -> Flow:
        assert socket.local is not None and socket.remote is not None
        key = connection_key(Endpoint(socket.local, socket.port), socket.remote)
        flow = self._kernel.flows.open(key, "out", socket.id, None, now)
        flow.original = path.interface
        flow.known.add(path.interface.luid)
        socket.flow = flow
        return flow

    def complete(self, socket: Socket, now: int) -> Operation[bool]:
        """A pended connect() completes: AUTH_CONNECT at once, and only then the SYN (ale.md 6)."""
        flow, socket.pending = socket.flow, None
        if flow is None:
            return False
        flow.on(Event.COMPLETE)
        flow.reasons = ReauthorizeReason.CLASSIFY_COMPLETION
        rows = SEQUENCES["tcp-connect-completes"].rows
        seen = replace(self._kernel.endpoint(socket, "out"), nexthop=flow.original)
        stop = yield from self._kernel.walk(rows, seen, flow=flow)
        flow.reasons = ReauthorizeReason(0)
        if stop is not None:
            return (yield from self._not_connected(socket, flow, stop))
        yield from self._begin(socket, flow, now)
        return True

    def _not_connected(self, socket: Socket, flow: Flow, stop: Stop) -> Operation[bool]:
        if stop.pended:
            flow.on(Event.PEND)
            socket.pending = "connect"
            yield Note("the connect is pended by a callout", socket.id)
            return False
        socket.flow, socket.error = None, ACCESS
        yield Failed("connect", ACCESS, socket.id)
        return False

    def _begin(self, socket: Socket, flow: Flow, now: int) -> Operation[None]:
        """AUTH_CONNECT was permitted: the handshake begins."""
        assert socket.remote is not None
        flow.on(Event.PERMIT_TCP)
        self._kernel.flows.keep(flow)
        socket.authorized, socket.state = True, SocketState.CONNECTING
        iss, config = next(self._kernel.config.iss), self._carrier.numbers(socket)
        socket.connection, effects = Connection.active(socket.port, socket.remote.port, iss, now, config)
        yield from self._carrier.carry_out(socket, effects, now)

    def send(self, socket: Socket, data: bytes, now: int) -> Operation[bool]:
        """STREAM sees the data first; bytes that it takes out are gone, and the call succeeds. No data: nothing."""
        connection = socket.connection
        if connection is None or not connection.can_send or socket.state is not SocketState.CONNECTED:
            yield Failed("send", NOT_CONNECTED, socket.id)
            return False
        if not data:
            return True
        again = socket.flow is not None and socket.flow.needs_reauthorization
        sequence = SEQUENCES["tcp-reauthorize-out" if again else "tcp-data-out"]
        passed = yield from self._carrier.stream(socket, sequence.part(Unit.DATA), data, "out")
        if passed:
            yield from self._carrier.carry_out(socket, connection.send(data, now), now)
        return True

    def receive(self, socket: Socket, now: int) -> Operation[bytes]:
        """All that is readable; reading opens the window again."""
        data = b"".join(piece for piece, _ in socket.inbox)
        socket.inbox.clear()
        if data and socket.connection is not None and socket.connection.unread >= len(data):
            yield from self._carrier.carry_out(socket, socket.connection.consumed(len(data), now), now)
        return data

    def accept(self, socket: Socket) -> Operation[Socket | None]:
        """The next connection of a listener, None if there is none. No layer is met (1.3)."""
        if not socket.queue:
            return None
        child = socket.queue.popleft()
        yield Completed("accept", "accept() returns a connection; no layer is met", child.id)
        return child

    def close(self, socket: Socket, now: int) -> Operation[None]:
        """FIN, and when both directions are done ENDPOINT_CLOSURE and RESOURCE_RELEASE."""
        if socket.state is SocketState.LISTENING:
            for child in self._unaccepted(socket):
                yield from self.abort(child, now)
            socket.queue.clear()
        connection = socket.connection
        if connection is None or not self._runs(socket):
            if connection is None and socket.alive:
                yield from self._binder.release(socket)
            return
        socket.state = SocketState.CLOSING
        yield from self._carrier.carry_out(socket, connection.close(now), now)

    def abort(self, socket: Socket, now: int) -> Operation[None]:
        """RST, then the end of the endpoint."""
        if socket.connection is None or not self._runs(socket):
            yield from self.close(socket, now)
            return
        socket.state = SocketState.CLOSING
        yield from self._carrier.carry_out(socket, socket.connection.abort(now), now)

    def _unaccepted(self, listener: Socket) -> list[Socket]:
        mine = (s for s in self._kernel.sockets if s.parent is listener)
        return [s for s in mine if s in listener.queue or s.state is SocketState.CONNECTING]

    def _runs(self, socket: Socket) -> bool:
        return socket.state in (SocketState.CONNECTING, SocketState.CONNECTED)

    # -- time ----------------------------------------------------------------------------------------

    def next_timer(self, idle: bool = True) -> int | None:
        """`idle` False leaves out connections in TIME-WAIT, where nothing more happens but the wait's end."""
        waiting = (s.connection for s in self._kernel.sockets if s.connection)
        due = (c.next_timer() for c in waiting if idle or c.state is not State.TIME_WAIT)
        return min((time for time in due if time is not None), default=None)

    def tick(self, now: int) -> Operation[None]:
        for socket in self._kernel.sockets:
            connection = socket.connection
            due = connection.next_timer() if connection else None
            if connection is not None and due is not None and due <= now:
                yield from self._carrier.carry_out(socket, connection.on_timer(now), now)
