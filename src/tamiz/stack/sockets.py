"""Sockets, and which of them a packet belongs to."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum
from typing import NamedTuple

from tamiz.wire import icmp, tcp, udp

from .fields import Indication
from .flows import Flow
from .processes import UNKNOWN_PROCESS, Process
from .tcp import Connection

TCP, UDP = tcp.PROTOCOL, udp.PROTOCOL
ICMP = frozenset(icmp.PROTOCOLS.values())


class SocketState(Enum):
    """How far a socket has come; `value` is the word for people."""

    CREATED = "created"
    BOUND = "bound"
    LISTENING = "listening"
    CONNECTING = "connecting"
    CONNECTED = "connected"
    CLOSING = "closing"
    CLOSED = "closed"


class Endpoint(NamedTuple):
    """A packed address and a port; for ICMP the port is the echo identifier."""

    address: bytes
    port: int


@dataclass(slots=True, eq=False)
class Socket:
    """One socket. `local` None: every address. `inbox`: data that is readable, with its sender. `assigned`: a
    RESOURCE_ASSIGNMENT was indicated and a RESOURCE_RELEASE is due; `authorized`: an ENDPOINT_CLOSURE is due.
    `error`: the Winsock error that ended it. `parent`: the listener of an accepted connection.
    `pending`: the operation that a callout keeps (bind, listen, connect, sendto); `asked`: what a datagram's showed."""

    id: int
    protocol: int
    version: int
    process: Process = UNKNOWN_PROCESS
    raw: bool = False
    local: bytes | None = None
    port: int = 0
    remote: Endpoint | None = None
    state: SocketState = SocketState.CREATED
    backlog: int = 0
    queue: deque[Socket] = field(default_factory=deque)
    inbox: deque[tuple[bytes, Endpoint]] = field(default_factory=deque)
    connection: Connection | None = None
    flow: Flow | None = None
    parent: Socket | None = None
    assigned: bool = False
    authorized: bool = False
    peer_finished: bool = False
    error: str | None = None
    pending: str | None = None
    asked: Indication | None = None

    @property
    def alive(self) -> bool:
        return self.state is not SocketState.CLOSED


class Sockets:
    """The sockets of a host."""

    def __init__(self) -> None:
        self._all: dict[int, Socket] = {}
        self._last = 0

    def __iter__(self) -> Iterator[Socket]:
        return iter(tuple(self._all.values()))

    def __getitem__(self, id: int) -> Socket:
        return self._all[id]

    def create(self, protocol: int, version: int, process: Process = UNKNOWN_PROCESS, raw: bool = False) -> Socket:
        self._last += 1
        self._all[self._last] = Socket(self._last, protocol, version, process, raw)
        return self._all[self._last]

    def connection(self, local: Endpoint, remote: Endpoint) -> Socket | None:
        """The TCP socket of exactly these two ends."""
        for s in self:
            if s.connection and s.alive and (s.local, s.port) == local and s.remote == remote:
                return s
        return None

    def listener(self, local: Endpoint) -> Socket | None:
        """The TCP listener for `local`: one bound to the address before one bound to every address."""
        found = [s for s in self._bound(TCP, local) if s.state is SocketState.LISTENING]
        return found[0] if found else None

    def datagram(self, local: Endpoint, remote: Endpoint, group: bool = False) -> Socket | None:
        """The UDP socket for a datagram: connected to its sender, else bound to its address, else to every one. To a
        `group` address every socket of the port belongs [I]; the first takes it."""
        found = [s for s in self._bound(UDP, local, group) if s.remote in (None, remote)]
        return min(found, key=lambda s: s.remote is None) if found else None

    def raw(self, protocol: int, local: bytes) -> Socket | None:
        """The raw socket, or ICMP handle, that takes packets of `protocol` to `local`; not one that was refused."""
        version = 4 if len(local) == 4 else 6
        for s in self:
            fits = s.protocol == protocol and s.version == version and s.local in (None, local)
            if s.raw and s.assigned and s.alive and fits:
                return s
        return None

    def taken(self, protocol: int, version: int, local: bytes | None, port: int) -> bool:
        """Whether a bind there would collide (WSAEADDRINUSE)."""
        return any(
            s.protocol == protocol and s.version == version and s.port == port and not s.raw
            and s.alive and s.parent is None and (local is None or s.local in (None, local))
            for s in self
        )  # fmt: skip

    def _bound(self, protocol: int, local: Endpoint, group: bool = False) -> list[Socket]:
        version = 4 if len(local.address) == 4 else 6
        fits = [
            s for s in self
            if s.protocol == protocol and s.version == version and s.alive and not s.raw
            and s.state is not SocketState.CREATED and s.port == local.port
            and (group or s.local in (None, local.address))
        ]  # fmt: skip
        return sorted(fits, key=lambda s: s.local is None)
