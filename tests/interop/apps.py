"""A tamiz host behind the pump: the real stack under a policy, and small applications on it.

A `Machine` is a `pump.Host`. Its applications act after each packet or tick that brought them something: a node is
asked one thing at a time, so they never act while an operation is under way. What the host met is remembered by flow.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Protocol

from tamiz.drive.node import Node
from tamiz.engine.engine import Engine
from tamiz.formats.complete import complete
from tamiz.formats.toml.policy import read_toml
from tamiz.model.decisions import Decision
from tamiz.model.policy import Policy
from tamiz.model.windows import NEWEST, WindowsVersion
from tamiz.stack.config import HostConfig
from tamiz.stack.host import Host
from tamiz.stack.interfaces import TUNNEL, Interface, luid
from tamiz.stack.requests import Classify, Failed, Request, Transmit
from tamiz.stack.sockets import Endpoint, Socket, SocketState
from tests.interop.net import Tun
from tests.interop.scenarios import http_answer, http_request


def policy(text: str) -> Policy:
    """The policy of a TOML text."""
    return complete(read_toml(text.encode(), "policy.toml"))


@dataclass(frozen=True)
class Met:
    """One layer that the host met: its short name, the packet's word, and the decision."""

    layer: str
    packet: str | None
    decision: Decision

    def __str__(self) -> str:
        return f"{self.layer} {self.packet}" if self.packet else self.layer


class App(Protocol):
    """An application: `act` is called when something happened that may concern it."""

    def act(self, machine: Machine) -> None: ...


@dataclass
class Machine:
    """The host at the other side of the TUN device, its policy and its applications."""

    node: Node
    apps: list[App] = field(default_factory=list)
    met: list[Met] = field(default_factory=list)
    failed: list[Failed] = field(default_factory=list)
    now: int = field(default_factory=time.monotonic_ns)
    _news: bool = False

    @classmethod
    def behind(cls, tun: Tun, rules: Policy, mtu: int = 1500, windows: WindowsVersion = NEWEST) -> Machine:
        address = (f"{tun.host_v4}/24", f"{tun.host_v6}/64")
        interface = Interface(luid(TUNNEL, 1), 7, address, TUNNEL, mtu=mtu)
        engine = Engine(rules)
        config = HostConfig(windows, layer_in_use=lambda layer: layer in engine.policy.by_layer)
        machine = cls(Node(Host("tamiz", [interface], config), engine))
        machine.node.listener = machine._heard
        return machine

    # -- as the pump's host ----------------------------------------------------------------------------------------

    def packet_in(self, packet: bytes, now_ns: int) -> list[bytes]:
        self.now = now_ns
        self.node.run(self.node.host.packet_in(packet, now_ns))
        return self._sent()

    def tick(self, now_ns: int) -> list[bytes]:
        self.now = now_ns
        self.node.run(self.node.host.tick(now_ns))
        return self._sent()

    def next_timer(self) -> int | None:
        return self.node.next_timer()

    def _sent(self) -> list[bytes]:
        while self._news:
            self._news = False
            for app in self.apps:
                app.act(self)
        return [transmit.packet for transmit in self.node.sent()]

    # -- what it hears -------------------------------------------------------------------------------------------

    def _heard(self, request: Request, decision: Decision | None) -> None:
        if isinstance(request, Classify):
            assert decision is not None
            self.met.append(Met(request.layer.short, request.packet, decision))
            self._news |= request.layer.short.startswith("ALE_FLOW_ESTABLISHED")
            return
        if isinstance(request, Failed):
            self.failed.append(request)
        self._news |= not isinstance(request, Transmit)

    def layers(self, words: Iterable[str] = ()) -> list[str]:
        """What it met, as "INBOUND_TRANSPORT_V4 SYN"; only packets of `words`, and calls, where some are given."""
        wanted = frozenset(words)
        return [str(step) for step in self.met if not wanted or step.packet is None or step.packet in wanted]


# -- applications ----------------------------------------------------------------------------------------------------


class HttpServer:
    """Answers any request on `port` with `body`, and closes the connection."""

    def __init__(self, machine: Machine, version: int, port: int, body: bytes) -> None:
        self.answer = http_answer(body)
        self.requests: dict[Socket, bytes] = {}
        node, host = machine.node, machine.node.host
        self.listener = host.socket("tcp", version)
        assert node.run(host.bind(self.listener, None, port, machine.now))
        assert node.run(host.listen(self.listener, machine.now))
        machine.apps.append(self)

    def act(self, machine: Machine) -> None:
        node, host = machine.node, machine.node.host
        while (child := node.run(host.accept(self.listener, machine.now))) is not None:
            self.requests[child] = b""
        for socket in tuple(self.requests):
            self.requests[socket] += node.run(host.receive(socket, machine.now))
            if b"\r\n\r\n" in self.requests[socket]:
                node.run(host.send(socket, self.answer, machine.now))
            if b"\r\n\r\n" in self.requests[socket] or socket.peer_finished or socket.error:
                node.run(host.close(socket, machine.now))
                del self.requests[socket]


class HttpClient:
    """Fetches from an address and port, and closes when the server has finished."""

    def __init__(self, machine: Machine, address: str, peer: Endpoint) -> None:
        self.request, self.response = http_request(address, peer.port), bytearray()
        self.sent = self.finished = False
        node, host = machine.node, machine.node.host
        self.socket = host.socket("tcp", 4 if len(peer.address) == 4 else 6)
        self.connected = node.run(host.connect(self.socket, peer, machine.now))
        machine.apps.append(self)

    def act(self, machine: Machine) -> None:
        node, host, socket = machine.node, machine.node.host, self.socket
        if socket.state is SocketState.CONNECTED and not self.sent:
            self.sent = True
            node.run(host.send(socket, self.request, machine.now))
        self.response += node.run(host.receive(socket, machine.now))
        if not self.finished and (socket.peer_finished or socket.error):
            self.finished = True
            node.run(host.close(socket, machine.now))


class UdpEcho:
    """Sends every datagram that comes to `port` back to its sender."""

    def __init__(self, machine: Machine, version: int, port: int) -> None:
        node, host = machine.node, machine.node.host
        self.socket = host.socket("udp", version)
        assert node.run(host.bind(self.socket, None, port, machine.now))
        machine.apps.append(self)

    def act(self, machine: Machine) -> None:
        while self.socket.inbox:
            data, sender = self.socket.inbox.popleft()
            machine.node.run(machine.node.host.sendto(self.socket, data, sender, machine.now))


class UdpClient:
    """Sends one datagram, and keeps what comes back."""

    def __init__(self, machine: Machine, peer: Endpoint, data: bytes) -> None:
        node, host = machine.node, machine.node.host
        self.replies: list[bytes] = []
        self.socket = host.socket("udp", 4 if len(peer.address) == 4 else 6)
        self.sent = node.run(host.sendto(self.socket, data, peer, machine.now))
        machine.apps.append(self)

    def act(self, machine: Machine) -> None:
        while self.socket.inbox:
            self.replies.append(self.socket.inbox.popleft()[0])
