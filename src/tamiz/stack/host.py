"""A Windows host without I/O: calls, packets and time go in; classify calls, packets and results come out.

Theory of operation
-------------------
Every operation is a generator that yields `requests` and gets answers; whoever drives it asks a filter engine what a
`Classify` is answered with. The host knows no filter and no clock: `now` is nanoseconds of the caller's counting. What
an operation causes on this host itself (loopback traffic) happens before it ends.

    host.py         this door
    connections.py  what applications ask of TCP           segments.py  segments that come in
    carrier.py      what a TCP connection asks of the host  tcp.py       the connection itself, without layers
    udp.py          UDP and raw sockets                     datagrams.py their flows, and ICMP's
    icmp.py         echo and errors                         binding.py   bind and the end of endpoints
    ip.py           packets in and out, fragments           forward.py   packets in transit
    walk.py         meets the layers of a sequence          kernel.py    what all of these share
    sequences.py    THE ORDER OF LAYERS                     blocks.py    WHAT FOLLOWS A BLOCK
    fields.py       the facts of each layer                 flows.py     ALE flows and their states

What is not modelled: MAC and vSwitch layers, redirection of addresses, sockets of both IP versions at once, IPsec,
neighbour discovery (packets leave at once), group membership (every group counts as joined).
"""

from __future__ import annotations

from collections.abc import Iterable

from tamiz.model.keys import LayerKey
from tamiz.wire import icmp, tcp, udp
from tamiz.wire.icmp import IcmpMessage
from tamiz.wire.packet import Header
from tamiz.wire.tcp import Segment
from tamiz.wire.udp import Datagram

from .binding import Binder
from .carrier import Carrier
from .config import HostConfig
from .connections import Connections
from .datagrams import Datagrams
from .flows import FlowTable
from .forward import Forwarder
from .icmp import REASSEMBLY_TIME, Icmp
from .interfaces import Interface, Interfaces, Route
from .ip import Ip, header_of
from .kernel import Arrival, Kernel
from .processes import UNKNOWN_PROCESS, Process
from .requests import INVALID, TOO_BIG, UNREACHABLE, Failed, Operation, T
from .segments import Segments
from .sockets import Endpoint, Socket, Sockets, SocketState
from .udp import MAX_PAYLOAD, Udp

_NUMBERS = {"tcp": tcp.PROTOCOL, "udp": udp.PROTOCOL}
SIO_RCVALL = 0x98000001  # the ioctl behind promiscuous mode, as ALE_PROMISCUOUS_MODE holds it


class Host:
    """One host. Packets enter by `packet_in`, time by `tick`; the other methods are what applications call.

    Addresses are packed bytes; an `Endpoint` is an address and a port. Operations that can fail return False (or
    None), having yielded `Failed` with the Winsock error.
    """

    def __init__(
        self,
        name: str,
        interfaces: Iterable[Interface],
        config: HostConfig | None = None,
        routes: Iterable[Route] | None = None,
    ) -> None:
        self.name = name
        self._kernel = kernel = Kernel(name, Interfaces(interfaces, routes), config or HostConfig())
        self._forwarder = Forwarder(kernel, self._report)
        self._ip = Ip(kernel, self._arrive, self._forwarder)
        self._binder = Binder(kernel)
        self._datagrams = Datagrams(kernel, self._ip)
        self._icmp = Icmp(kernel, self._ip, self._datagrams)
        self._udp = Udp(kernel, self._binder, self._datagrams, self._icmp)
        carrier = Carrier(kernel, self._ip, self._binder)
        self._connections = Connections(kernel, self._binder, carrier)
        self._segments = Segments(kernel, self._ip, carrier, self._udp)

    # -- to look at ----------------------------------------------------------------------------------

    @property
    def config(self) -> HostConfig:
        return self._kernel.config

    @property
    def interfaces(self) -> Interfaces:
        return self._kernel.interfaces

    @property
    def sockets(self) -> Sockets:
        return self._kernel.sockets

    @property
    def flows(self) -> FlowTable:
        return self._kernel.flows

    # -- sockets -------------------------------------------------------------------------------------

    def socket(self, protocol: str, version: int, process: Process = UNKNOWN_PROCESS) -> Socket:
        """A new "tcp" or "udp" socket for IP `version`; no layer is met before it is bound. `ValueError` for
        another protocol or version."""
        if protocol not in _NUMBERS or version not in (4, 6):
            raise ValueError(f"socket: found {protocol!r} over IP {version}, wanted 'tcp' or 'udp' over 4 or 6")
        return self.sockets.create(_NUMBERS[protocol], version, process)

    def bind(self, socket: Socket, address: bytes | None, port: int, now: int) -> Operation[bool]:
        """`address` None: every address. `port` 0: the next dynamic one."""
        return (yield from self._then_loop(self._binder.bind(socket, address, port), now))

    def listen(self, socket: Socket, now: int, backlog: int = 128) -> Operation[bool]:
        return (yield from self._then_loop(self._connections.listen(socket, backlog), now))

    def connect(self, socket: Socket, remote: Endpoint, now: int) -> Operation[bool]:
        """TCP: True once the SYN was given to the network; `socket.state` tells when it is connected."""
        tcp_socket = socket.protocol == tcp.PROTOCOL and not socket.raw
        call = self._connections.connect if tcp_socket else self._udp.connect
        return (yield from self._then_loop(call(socket, remote, now), now))

    def accept(self, socket: Socket, now: int) -> Operation[Socket | None]:
        """The next established connection of a listener, None if there is none yet."""
        return (yield from self._then_loop(self._connections.accept(socket), now))

    def send(self, socket: Socket, data: bytes, now: int) -> Operation[bool]:
        """TCP data, or a datagram of a connected UDP socket."""
        if socket.protocol == tcp.PROTOCOL and not socket.raw:
            return (yield from self._then_loop(self._connections.send(socket, data, now), now))
        return (yield from self.sendto(socket, data, None, now))

    def sendto(self, socket: Socket, data: bytes, remote: Endpoint | None, now: int) -> Operation[bool]:
        """A UDP datagram, or a raw packet (whose port is ignored)."""
        return (yield from self._then_loop(self._udp.sendto(socket, data, remote, now), now))

    def receive(self, socket: Socket, now: int) -> Operation[bytes]:
        """TCP: all that is readable. Else the next datagram's data. b"" when there is nothing."""
        if socket.protocol == tcp.PROTOCOL and not socket.raw:
            return (yield from self._then_loop(self._connections.receive(socket, now), now))
        return socket.inbox.popleft()[0] if socket.inbox else b""

    def close(self, socket: Socket, now: int) -> Operation[None]:
        if socket.protocol == tcp.PROTOCOL and not socket.raw:
            yield from self._then_loop(self._connections.close(socket, now), now)
        elif socket.alive:
            socket.authorized |= socket.assigned  # once per socket, however many peers it had (packet-flows.md 2.5)
            yield from self._then_loop(self._binder.release(socket), now)

    def abort(self, socket: Socket, now: int) -> Operation[None]:
        """Close at once: a TCP connection with a RST."""
        if socket.protocol == tcp.PROTOCOL and not socket.raw:
            yield from self._then_loop(self._connections.abort(socket, now), now)
        else:
            yield from self.close(socket, now)

    def complete(self, socket: Socket, now: int) -> Operation[bool]:
        """FwpsCompleteOperation0: the operation that a callout pended goes on (ale.md 6)."""
        operation, socket_is_tcp = socket.pending, socket.protocol == tcp.PROTOCOL
        if operation == "bind":
            return (yield from self._then_loop(self._binder.complete(socket), now))
        if operation == "listen":
            socket.pending = None
            return (yield from self._then_loop(self._connections.listen(socket, socket.backlog), now))
        if operation is None:
            yield Failed("complete", INVALID, socket.id)
            return False
        call = self._connections.complete if socket_is_tcp else self._datagrams.complete
        return (yield from self._then_loop(call(socket, now), now))

    # -- raw sockets and ping ------------------------------------------------------------------------

    def raw(
        self, protocol: int, version: int, now: int, process: Process = UNKNOWN_PROCESS
    ) -> Operation[Socket | None]:
        """A raw socket for an IP protocol number, which RESOURCE_ASSIGNMENT authorizes; None when it does not."""
        socket = self.sockets.create(protocol, version, process, raw=True)
        made = yield from self._then_loop(self._binder.raw(socket, "raw-bind"), now)
        return socket if made else None

    def promiscuous(self, socket: Socket, now: int, mode: int = SIO_RCVALL) -> Operation[bool]:
        """SIO_RCVALL on a raw socket: RESOURCE_ASSIGNMENT only, with the ioctl's code."""
        return (yield from self._then_loop(self._binder.raw(socket, "raw-bind", mode), now))

    def ping(
        self,
        destination: bytes,
        now: int,
        handle: Socket | None = None,
        sequence: int = 1,
        data: bytes = b"",
        process: Process = UNKNOWN_PROCESS,
    ) -> Operation[Socket | None]:
        """One echo request, of a new handle or of the one an earlier ping gave. The reply comes as `Deliver`."""
        version = 4 if len(destination) == 4 else 6
        socket = handle or self.sockets.create(icmp.PROTOCOLS[version], version, process)
        return (yield from self._then_loop(self._ping(socket, destination, sequence, data, now), now))

    def _ping(
        self, socket: Socket, destination: bytes, sequence: int, data: bytes, now: int
    ) -> Operation[Socket | None]:
        if socket.state is SocketState.CREATED:
            if not (yield from self._binder.raw(socket, "icmp-bind")):
                return None
            socket.port = socket.id & 0xFFFF
        found = self._kernel.route(socket, destination)
        if found is None or len(data) > MAX_PAYLOAD[socket.version]:
            yield Failed("sendto", UNREACHABLE if found is None else TOO_BIG, socket.id)
            return None
        source, path = found
        sent = yield from self._icmp.ping(socket, destination, path, source, sequence, data, now)
        return socket if sent else None

    # -- network and time ----------------------------------------------------------------------------

    def packet_in(self, packet: bytes, now: int, interface: Interface | int | None = None) -> Operation[None]:
        """A packet came in by `interface` (itself or its LUID); None: by the one that has its destination, else by
        the first that is not loopback. Bytes may be anything; what is malformed is `Dropped`."""
        arrival = self._arrival_interface(packet, interface)
        yield from self._then_loop(self._ip.receive(packet, now, arrival), now)

    def tick(self, now: int) -> Operation[None]:
        """Time has come to `now`: TCP's timers, and fragments that were waited for too long."""
        yield from self._then_loop(self._connections.tick(now), now)
        for packet in self._kernel.reassembler.expire(now):
            header = header_of(packet)
            yield from self._then_loop(self._icmp.report(packet, header, REASSEMBLY_TIME, 0, now), now)
        self._forwarder.expire(now)
        self.flows.expire(now)

    def next_timer(self, idle: bool = True) -> int | None:
        """When `tick` is due next, in ns; None while no TCP timer runs. Fragments and idle flows need no call.
        `idle` False: only where something can still happen, so not the end of TIME-WAIT."""
        return self._connections.next_timer(idle)

    def policy_changed(self, layers: Iterable[LayerKey]) -> None:
        """Filters were added or removed at `layers`: flows created there need reauthorization, for POLICY_CHANGE, at
        their next packet."""
        self.flows.policy_changed(layers)

    # -- inside --------------------------------------------------------------------------------------

    def _arrive(self, arrival: Arrival) -> Operation[None]:
        """A whole packet for this host: to its protocol."""
        match arrival.packet.transport:
            case Segment():
                yield from self._segments.arrive(arrival)
            case Datagram():
                yield from self._udp.datagram(arrival)
            case IcmpMessage():
                yield from self._udp.message(arrival)
            case _:
                yield from self._udp.other(arrival)

    def _report(self, data: bytes, header: Header, reason: str, mtu: int, now: int) -> Operation[None]:
        yield from self._icmp.report(data, header, reason, mtu, now)

    def _arrival_interface(self, packet: bytes, given: Interface | int | None) -> Interface:
        if isinstance(given, Interface):
            return given
        if given is not None:
            return self.interfaces.by_luid(given)
        destination = packet[16:20] if packet[:1] and packet[0] >> 4 == 4 else packet[24:40]
        found = self.interfaces.owner(destination) if destination else None
        return found or next((i for i in self.interfaces if not i.loopback), next(iter(self.interfaces)))

    def _then_loop(self, operation: Operation[T], now: int) -> Operation[T]:
        """The operation, then the packets that the host sent to itself, until there are none."""
        result = yield from operation
        while self._kernel.loop:
            data, interface = self._kernel.loop.popleft()
            yield from self._ip.receive(data, now, interface, loopback=True)
        return result
