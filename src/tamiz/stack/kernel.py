"""What the protocols of a host share: configuration, network, sockets, flows; and the indications made from them."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from tamiz.model._tables import AddressType, ConditionFlags, ReauthorizeReason
from tamiz.model.windows import SEVEN
from tamiz.wire.errors import Malformed
from tamiz.wire.fragments import Reassembler
from tamiz.wire.icmp import IcmpMessage
from tamiz.wire.packet import Packet, Transport, dissect, word
from tamiz.wire.tcp import Segment
from tamiz.wire.udp import Datagram

from .config import HostConfig
from .fields import Indication
from .flows import Flow, FlowTable
from .interfaces import Interface, Interfaces, Path
from .processes import UNKNOWN_PROCESS, Process
from .requests import Operation, Way
from .rows import Row, Unit
from .sequences import SEQUENCES
from .sockets import Socket, Sockets
from .walk import Stop, Walk

_NO_FLAGS: Final = ConditionFlags(0)


@dataclass(frozen=True, slots=True)
class Arrival:
    """A whole packet that came in. `reassembled`: its IP layer has been indicated fragment by fragment."""

    packet: Packet
    data: bytes
    interface: Interface
    now: int
    reassembled: bool = False
    loopback: bool = False

    def rows(self, name: str) -> tuple[Row, ...]:
        """The rows of the sequence that are still to be met."""
        sequence = SEQUENCES[name]
        return sequence.without(Unit.DATAGRAM) if self.reassembled else sequence.rows


@dataclass(slots=True)
class Kernel:
    """The state of one host. `loop` holds the packets it sent to itself."""

    name: str
    interfaces: Interfaces
    config: HostConfig
    flows: FlowTable = field(default_factory=FlowTable)
    sockets: Sockets = field(default_factory=Sockets)
    reassembler: Reassembler = field(default_factory=Reassembler)
    loop: deque[tuple[bytes, Interface]] = field(default_factory=deque)

    # -- indications ---------------------------------------------------------------------------------

    def incoming(self, a: Arrival, socket: Socket | None = None, flow: Flow | None = None) -> Indication:
        """A packet for this host, seen from here: its destination is the local side."""
        return self._packet(
            a.packet,
            "in",
            socket,
            flow,
            a.loopback,
            self.interfaces.owner(a.packet.ip.dst) or a.interface,
            a.interface,
        )

    def outgoing(
        self, packet: Packet, path: Path, socket: Socket | None = None, flow: Flow | None = None
    ) -> Indication:
        """A packet of this host: its source is the local side."""
        loopback = self.interfaces.is_loopback(packet.ip.dst)
        own = self.interfaces.owner(packet.ip.src) or path.interface
        return self._packet(packet, "out", socket, flow, loopback, own, path.interface)

    def _packet(
        self,
        packet: Packet,
        way: Way,
        socket: Socket | None,
        flow: Flow | None,
        loopback: bool,
        own: Interface,
        crossed: Interface,
    ) -> Indication:
        """`own`: the interface that has the local address; `crossed`: the one that the packet comes or goes by."""
        ip, (here, there) = packet.ip, sides(packet.transport, way)
        local, remote = (ip.dst, ip.src) if way == "in" else (ip.src, ip.dst)
        flags = ConditionFlags.IS_LOOPBACK if loopback else _NO_FLAGS
        if socket is not None and socket.raw:
            flags |= ConditionFlags.IS_RAW_ENDPOINT
        return Indication(
            ip.version,
            ip.protocol,
            local,
            remote,
            here,
            there,
            self.interfaces.address_type(local),
            self.interfaces.address_type(remote),
            way=way,
            connection=flow.created if flow else way,
            process=self.process(socket),
            interface=own,
            arrival=crossed if way == "in" else None,
            nexthop=crossed if way == "out" else None,
            flags=flags,
            original_icmp=flow.original_icmp if flow else None,
            original_interface=flow.original if flow else None,
        )

    def endpoint(self, socket: Socket, way: Way | None = None) -> Indication:
        """A socket without a packet: listen, connect, close. What it is not bound to is EMPTY."""
        interface = self.interfaces.owner(socket.local) if socket.local is not None else None
        remote = socket.remote.address if socket.remote else None
        here = socket.local if socket.local is not None else None
        loopback = remote is not None and self.interfaces.is_loopback(remote)
        loopback = loopback or (remote is None and interface is not None and interface.loopback)
        flags = ConditionFlags.IS_LOOPBACK if loopback else ConditionFlags(0)
        return Indication(
            socket.version,
            socket.protocol,
            here,
            remote,
            socket.port,
            socket.remote.port if socket.remote else None,
            AddressType.UNSPECIFIED if here is None else self.interfaces.address_type(here),
            None if remote is None else self.interfaces.address_type(remote),
            way=way,
            connection=socket.flow.created if socket.flow else way,
            process=socket.process,
            interface=interface,
            original_interface=socket.flow.original if socket.flow else None,
            flags=flags | (ConditionFlags.IS_RAW_ENDPOINT if socket.raw else ConditionFlags(0)),
        )

    def process(self, socket: Socket | None) -> Process:
        return socket.process if socket is not None else UNKNOWN_PROCESS

    def route(self, socket: Socket, destination: bytes) -> tuple[bytes, Path] | None:
        """The source address and the way of what `socket` sends to `destination`; None: no route."""
        path = self.interfaces.path(destination, socket.local, self.config.strong_send)
        source = socket.local or (self.interfaces.source_for(path) if path else None)
        return (source, path) if path is not None and source is not None else None

    # -- walking -------------------------------------------------------------------------------------

    def walk(
        self,
        rows: Iterable[Row],
        seen: Indication,
        word: str | None = None,
        flow: Flow | None = None,
        note: str = "",
        *,
        length: int | None = None,
        no_endpoint: bool = False,
    ) -> Operation[Stop | None]:
        raw = bool(seen.flags & ConditionFlags.IS_RAW_ENDPOINT)
        return (yield from Walk(self.config, seen, word, flow, note, length, no_endpoint, raw).over(rows))

    def crosses(self, flow: Flow, interface: Interface, way: Way) -> None:
        """A packet of `flow` crosses `interface`: one that it never crossed before asks for reauthorization
        (ale.md 2; the outbound and the profile reason from Windows 7 on)."""
        if interface.luid in flow.known or not flow.known:
            return
        reason = ReauthorizeReason(0)
        if way == "in":
            reason |= ReauthorizeReason.NEW_ARRIVAL_INTERFACE
        elif self.config.windows >= SEVEN:
            reason |= ReauthorizeReason.NEW_NEXTHOP_INTERFACE
        profiles = {interface.profile, flow.original.profile if flow.original else None}
        if self.config.windows >= SEVEN and None not in profiles and len(profiles) == 2:
            reason |= ReauthorizeReason.PROFILE_CROSSING
        if reason:
            flow.trigger(reason)


def sides(transport: Transport, way: Way) -> tuple[int | None, int | None]:
    """Local and remote port. An ICMP message's type stands in the local port's field and its code in the remote
    one's, whatever the direction [O]; what has no ports has nothing there."""
    if isinstance(transport, IcmpMessage):
        return transport.type, transport.code
    if isinstance(transport, Segment | Datagram):
        here, there = transport.src_port, transport.dst_port
        return (here, there) if way == "out" else (there, here)
    return None, None


def word_of(data: bytes) -> str | None:
    """The word of a packet's bytes; None for one that cannot be read."""
    try:
        return word(dissect(data, verify=False))
    except Malformed:
        return None
