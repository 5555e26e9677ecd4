"""Two hosts and the wire between them: runs a scenario and gives its trace.

Time is simulated, in nanoseconds from 0; a packet takes `LATENCY` to cross. Nothing here decides anything: hosts know
the order of layers, engines decide, the recorder writes down.
"""

from __future__ import annotations

import heapq
import ipaddress
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import chain, count
from typing import Final

from tamiz.drive.node import Node
from tamiz.drive.recorder import Recorder
from tamiz.engine.callouts import Callouts
from tamiz.engine.engine import Engine
from tamiz.formats.complete import complete
from tamiz.model._tables import FIELD
from tamiz.model.decisions import Action
from tamiz.model.facts import Fact
from tamiz.model.keys import FieldKey, LayerKey
from tamiz.model.policy import Policy
from tamiz.model.reading import Reading
from tamiz.model.trace import Trace
from tamiz.model.values import Value
from tamiz.model.windows import NEWEST, WindowsVersion
from tamiz.sources.scenario import HOSTS, Act, Scenario
from tamiz.stack.config import HostConfig, ephemeral_ports
from tamiz.stack.host import Host
from tamiz.stack.interfaces import ETHERNET, Interface, luid
from tamiz.stack.processes import Process
from tamiz.stack.requests import Operation
from tamiz.stack.sockets import TCP, Endpoint, Socket, SocketState

LATENCY: Final = 1_000_000  # ns, one way
HORIZON: Final = 3_600 * 1_000_000_000  # ns after an act: whoever waits longer for a timer waits for ever
MAX_STEPS: Final = 200_000

ADDRESSES: Final[Mapping[tuple[str, int], str]] = {  # RFC 5737, RFC 3849
    ("client", 4): "192.0.2.10",
    ("server", 4): "198.51.100.20",
    ("client", 6): "2001:db8:1::10",
    ("server", 6): "2001:db8:2::20",
}


@dataclass(frozen=True)
class Side:
    """One host of a scenario. `address` and `port` None: the default ones. `told`: facts that hold at this host."""

    policy: Policy = field(default_factory=Policy)
    address: bytes | None = None
    port: int | None = None
    callouts: Callouts = field(default_factory=Callouts)
    told: Mapping[FieldKey, Fact] = field(default_factory=dict)


@dataclass(frozen=True)
class Stage:
    """What a scenario is run with."""

    ip: int = 4
    client: Side = field(default_factory=Side)
    server: Side = field(default_factory=Side)
    windows: WindowsVersion = NEWEST
    reading: Reading = Reading.DOCUMENTED
    assumptions: tuple[str, ...] = ()


def play(scenario: Scenario, stage: Stage) -> Trace:
    """The trace of `scenario` on `stage`."""
    return _World(scenario, stage).run()


class _World:
    """A scenario on its way."""

    def __init__(self, scenario: Scenario, stage: Stage) -> None:
        self.scenario, self.stage = scenario, stage
        self.now = 0
        self.recorder = Recorder(lambda: self.now, scenario.until)
        self.sides = {"client": stage.client, "server": stage.server}
        self.ends = {host: self._end(host) for host in HOSTS}
        self.nodes = {host: self._node(host) for host in HOSTS}
        self.sockets: dict[str, Socket] = {}
        self.listener: Socket | None = None
        self.policies = {host: side.policy for host, side in self.sides.items()}
        self._flying: list[tuple[int, int, str, bytes]] = []
        self._order = count()
        self._bound: set[str] = set()

    # -- the stage ---------------------------------------------------------------------------------------------------

    def _end(self, host: str) -> Endpoint:
        side = self.sides[host]
        default = ipaddress.ip_address(ADDRESSES[host, self.stage.ip]).packed
        port = side.port or (self.scenario.port if host == "server" else 0)
        return Endpoint(side.address or default, port)

    def _node(self, host: str) -> Node:
        side, end = self.sides[host], self.ends[host]
        engine = Engine(side.policy, self.stage.reading, side.callouts)
        ports = chain((end.port,), ephemeral_ports()) if end.port and host == "client" else ephemeral_ports()
        config = HostConfig(
            self.stage.windows, self.stage.reading, _in_use(lambda: self.nodes[host].engine), ports=ports
        )  # fmt: skip
        interface = _interface(str(ipaddress.ip_address(end.address)), side.told)
        made = Host(host, (interface,), config)
        return Node(made, engine, side.told, self.recorder.listener(host))

    # -- the play ----------------------------------------------------------------------------------------------------

    def run(self) -> Trace:
        last = len(self.scenario.acts) - 1
        for n, act in enumerate(self.scenario.acts):
            self.recorder.armed = n == last
            self._act(act)
            self._settle()
        return Trace(
            self.scenario.name, self.scenario.title, self.stage.ip, self.stage.windows, self.stage.reading,
            {host: self._outcome(host) for host in HOSTS}, {host: _shown(self.ends[host]) for host in HOSTS},
            tuple(self.recorder.steps), tuple(self.recorder.wire), self.stage.assumptions,
            (*self.recorder.notes, *self._undecided()),
        )  # fmt: skip

    def _undecided(self) -> Iterator[str]:
        """That some decisions depend, and what was made of them; that the trace was too long."""
        depend = sum(s.decision is not None and s.decision.action is Action.DEPENDS for s in self.recorder.steps)
        if depend:
            told = "1 decision depends" if depend == 1 else f"{depend} decisions depend"
            yield f"{told} on something unknown; the hosts go on as if each were a permit"
        if len(self.recorder.steps) >= MAX_STEPS:
            yield f"more than {MAX_STEPS} steps: what would follow is left out"

    def _outcome(self, host: str) -> str:
        return self.recorder.outcome.get(host, "silent")

    def _act(self, act: Act) -> None:
        if act.verb in ("add-filter", "remove-filter"):
            self._change(act)
        elif act.verb == "wait":
            self._pass(self.now + act.wait)
        else:
            self._call(act)

    def _call(self, act: Act) -> None:
        node = self.nodes[act.host]
        for operation in self._operations(act, node.host):
            done = node.run(operation)
            self._launch(act.host)
            if done is False:
                return

    def _operations(self, act: Act, host: Host) -> Iterator[Operation[object]]:
        """What the host's application calls, one call after another; the next only if the one before worked."""
        verb, name = act.verb, act.host
        if verb == "ping":
            yield host.ping(self._other(name).address, self.now, data=act.data)
        elif verb in ("listen", "bind"):
            socket = self._open(name)
            self._bound.add(name)
            yield host.bind(socket, None, act.port or self.ends[name].port, self.now)
            if verb == "listen":
                self.listener = socket
                yield host.listen(socket, self.now)
        elif verb == "connect":
            yield from self._connect(name, host)
        elif verb == "sendto":
            yield from self._sendto(act, host)
        else:
            yield from self._connected(act, host)

    def _connect(self, name: str, host: Host) -> Iterator[Operation[object]]:
        """A new TCP connection; the peer of a UDP socket, which may have been bound before."""
        target = self._other(name)
        if not target.port:
            self.recorder.notes.append(f"{name}: connect is not tried, the other host has no port")
            return
        bound = self.sockets.get(name) if self.scenario.protocol == "udp" else None
        yield host.connect(bound or self._open(name), target, self.now)

    def _sendto(self, act: Act, host: Host) -> Iterator[Operation[object]]:
        peer = self._peer(act.host)
        if peer is None:
            self.recorder.notes.append(f"{act.host}: sendto is not tried, there is nobody to answer")
        else:
            yield host.sendto(self.sockets.get(act.host) or self._open(act.host), act.data, peer, self.now)

    def _connected(self, act: Act, host: Host) -> Iterator[Operation[object]]:
        """Calls that need a socket which is open."""
        socket = self._socket(act.host)
        if socket is None or (act.verb == "send" and not _is_connected(socket)):
            self.recorder.notes.append(f"{act.host}: {act.verb} is not tried, there is no connection")
        elif act.verb == "send":
            yield host.send(socket, act.data, self.now)
        else:
            self.sockets.pop(act.host, None)
            closing = host.close(socket, self.now) if act.verb == "close" else host.abort(socket, self.now)
            yield closing
            if socket is not self.listener:
                self._closed(act.host)

    def _closed(self, host: str) -> None:
        if self.recorder.outcome.get(host) in ("established", "delivered"):
            self.recorder.outcome[host] = "closed"

    def _open(self, host: str) -> Socket:
        protocol = "tcp" if self.scenario.protocol == "tcp" else "udp"
        self.sockets[host] = self.nodes[host].host.socket(protocol, self.stage.ip, _UNKNOWN)
        return self.sockets[host]

    def _socket(self, host: str) -> Socket | None:
        """The socket that speaks: at a server the accepted one, while there is one."""
        found = self.sockets.get(host)
        if found is None or found is not self.listener:
            return found or (self.listener if host == "server" else None)
        accepted = self.nodes[host].run(self.nodes[host].host.accept(found, self.now))
        if accepted is not None:
            self.sockets[host] = accepted
        return accepted or found

    def _other(self, host: str) -> Endpoint:
        return self.ends["server" if host == "client" else "client"]

    def _peer(self, host: str) -> Endpoint | None:
        """Whom a datagram goes to: a server answers whoever sent it one last, and may address a client that waits at a
        port which it bound itself."""
        if host == "client":
            return self.ends["server"]
        mine, waiting = self.sockets.get(host), self.sockets.get("client") if "client" in self._bound else None
        if mine is not None and mine.inbox:
            return mine.inbox[-1][1]
        return Endpoint(self.ends["client"].address, waiting.port) if waiting is not None and waiting.port else None

    # -- policy ------------------------------------------------------------------------------------------------------

    def _change(self, act: Act) -> None:
        policy, node = self.policies[act.host], self.nodes[act.host]
        gone = [f for f in policy.filters if act.name and f.name == act.name]
        added = [f for f in act.filters if (f.layer.short[-2:] == "V6") is (self.stage.ip == 6) or "_V" not in f.layer]
        left = tuple(f for f in policy.filters if f not in gone)
        self.policies[act.host] = changed = complete(replace(policy, filters=(*left, *added)))
        layers = frozenset(f.layer for f in (*gone, *added))
        node.change_policy(Engine(changed, self.stage.reading, self.sides[act.host].callouts), layers)
        if not gone and not added:
            what = f"no filter is named {act.name!r}" if act.name else f"the filter has no layer of IPv{self.stage.ip}"
            self.recorder.notes.append(f"{act.host}: {act.verb} changes nothing, {what}")
        for filter in (*gone, *added):
            what = "removed from" if filter in gone else "added at"
            self.recorder.say(act.host, "policy-change", f"filter {filter.name!r} is {what} {filter.layer.short}")

    # -- time and the wire -------------------------------------------------------------------------------------------

    def _launch(self, host: str) -> None:
        """What the host sent is on its way."""
        other = "server" if host == "client" else "client"
        for transmit in self.nodes[host].sent():
            heapq.heappush(self._flying, (self.now + LATENCY, next(self._order), other, transmit.packet))

    def _settle(self) -> None:
        """Until nothing more happens by itself."""
        limit = self.now + HORIZON
        while len(self.recorder.steps) < MAX_STEPS:
            due = self._next(idle=False)
            if due is None or due > limit:
                return
            self._until(due)

    def _pass(self, moment: int) -> None:
        """Let time pass up to `moment`, with what happens on the way."""
        while (due := self._next()) is not None and due <= moment:
            self._until(due)
        self.now = max(self.now, moment)

    def _next(self, idle: bool = True) -> int | None:
        """When something happens next; `idle` False does not count the end of a TIME-WAIT."""
        timers = [t for node in self.nodes.values() if (t := node.host.next_timer(idle)) is not None]
        return min([*timers, *(self._flying[0][:1] if self._flying else ())], default=None)

    def _until(self, due: int) -> None:
        """The next thing that happens: a packet arrives, else a timer is due."""
        self.now = max(self.now, due)
        if self._flying and self._flying[0][0] <= self.now:
            _, _, host, packet = heapq.heappop(self._flying)
            self.nodes[host].run(self.nodes[host].host.packet_in(packet, self.now))
            self._launch(host)
            return
        for host, node in self.nodes.items():
            timer = node.next_timer()
            if timer is not None and timer <= self.now:
                node.run(node.host.tick(self.now))
                self._launch(host)


_UNKNOWN: Final = Process()


def _is_connected(socket: Socket) -> bool:
    if socket.protocol == TCP:
        return socket.state is SocketState.CONNECTED
    return socket.remote is not None


def _in_use(engine: Callable[[], Engine]) -> Callable[[LayerKey], bool]:
    return lambda layer: layer in engine().policy.by_layer


def _interface(address: str, told: Mapping[FieldKey, Fact]) -> Interface:
    """The host's interface: Ethernet, or what was told of it."""

    def number(field: FieldKey, default: int) -> int:
        fact = told.get(field)
        return int(fact.data) if isinstance(fact, Value) and isinstance(fact.data, int) else default

    type_ = number(FIELD.INTERFACE_TYPE, ETHERNET)
    return Interface(
        number(FIELD.IP_LOCAL_INTERFACE, luid(type_, 1)), number(FIELD.INTERFACE_INDEX, 2), (address,), type_,
        number(FIELD.TUNNEL_TYPE, 0),
    )  # fmt: skip


def _shown(end: Endpoint) -> str:
    address = ipaddress.ip_address(end.address)
    if not end.port:
        return str(address)
    return f"{address}:{end.port}" if address.version == 4 else f"[{address}]:{end.port}"
