"""Drives hosts in tests, so that a test reads as a dialogue.

A `Stage` holds hosts joined in memory. Every classify call is answered by the stage's script: permit, unless `block`
named the layer; what happened is a list of `Step`, in global order. `stage.layers("client")` is the list of layers
that a host met, without FWPM_LAYER_, which is what the flow pages list.
"""

from __future__ import annotations

import ipaddress
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import TypeVar

from tamiz.model.decisions import Action, Decision, Possible, Right, default_permit
from tamiz.model.facts import Fact
from tamiz.model.keys import FieldKey, LayerKey
from tamiz.stack.config import HostConfig
from tamiz.stack.host import Host
from tamiz.stack.interfaces import Interface, luid
from tamiz.stack.requests import (
    Answer,
    Classify,
    Completed,
    Deliver,
    Dropped,
    Failed,
    Note,
    Operation,
    Pended,
    Request,
    Transmit,
)
from tamiz.stack.sockets import Endpoint, Socket

T = TypeVar("T")
Rule = Callable[[Classify], bool]

CLIENT = {4: "192.0.2.10", 6: "2001:db8::10"}
SERVER = {4: "198.51.100.20", 6: "2001:db8:1::20"}
MILLISECOND, SECOND = 10**6, 10**9


def ip(text: str) -> bytes:
    return ipaddress.ip_address(text).packed


def field_of(classify: Classify, name: str) -> Fact | None:
    """The fact of a field by its short name, None where it was left out."""
    return classify.facts.get(FieldKey(f"FWPM_CONDITION_{name}"))


def block(layer: LayerKey, absorbed: bool = False) -> Decision:
    return Decision(layer, Action.BLOCK, (Possible(Action.BLOCK, Right.SOFT, None),), absorbed=absorbed)


@dataclass(frozen=True)
class Step:
    """One request of one host."""

    host: str
    request: Request


@dataclass
class Stage:
    """Hosts by name, a clock, and the script of answers."""

    hosts: dict[str, Host] = field(default_factory=dict)
    now: int = 0
    steps: list[Step] = field(default_factory=list)
    blocks: list[tuple[str | None, Rule, str]] = field(default_factory=list)
    wire: deque[tuple[str, bytes]] = field(default_factory=deque)
    lose: Callable[[str, Transmit], bool] = lambda host, packet: False

    # -- the script ----------------------------------------------------------------------------------

    def block(self, layer: str, host: str | None = None, how: str = "block", when: Rule | None = None) -> None:
        """Block at a layer, by its short name; `how`: block, absorb or pend."""
        self.blocks.append((host, lambda c: c.layer.short == layer and (when is None or when(c)), how))

    def permit_all(self) -> None:
        self.blocks.clear()

    def _answer(self, host: str, request: Request) -> Answer:
        if not isinstance(request, Classify):
            return None
        for where, rule, how in self.blocks:
            if where in (None, host) and rule(request):
                decision = block(request.layer, absorbed=how != "block")
                return Pended(decision) if how == "pend" else decision
        return default_permit(request.layer)

    # -- running -------------------------------------------------------------------------------------

    def run(self, name: str, operation: Operation[T]) -> T:
        """Carry out an operation of host `name`; packets it sends wait on the wire."""
        answer: Answer = None
        while True:
            try:
                request = operation.send(answer)
            except StopIteration as end:
                return end.value
            self.steps.append(Step(name, request))
            answer = self._answer(name, request)
            if isinstance(request, Transmit) and not request.loopback and not self.lose(name, request):
                self.wire.append((name, request.packet))

    def pump(self) -> None:
        """Hand packets over until the wire is empty: to every host but the sender."""
        while self.wire:
            sender, packet = self.wire.popleft()
            for name, host in self.hosts.items():
                if name != sender:
                    self.run(name, host.packet_in(packet, self.now))

    def do(self, name: str, operation: Operation[T]) -> T:
        """Run, then pump."""
        result = self.run(name, operation)
        self.pump()
        return result

    def wait(self, ns: int) -> None:
        """Let time pass, with every timer that is due on the way."""
        end = self.now + ns
        while True:
            due = [t for h in self.hosts.values() if (t := h.next_timer()) is not None and t <= end]
            if not due:
                break
            self.now = max(self.now, min(due))
            for name, host in self.hosts.items():
                self.do(name, host.tick(self.now))
        self.now = end

    # -- what happened -------------------------------------------------------------------------------

    def classified(self, host: str | None = None, since: int = 0) -> list[Classify]:
        return [s.request for s in self.steps[since:] if host in (None, s.host) and isinstance(s.request, Classify)]

    def layers(self, host: str | None = None, since: int = 0) -> list[str]:
        return [c.layer.short for c in self.classified(host, since)]

    def met(self, host: str, since: int = 0) -> list[str]:
        """Layers with the word of their packet: "INBOUND_TRANSPORT_V4 SYN"."""
        return [f"{c.layer.short} {c.packet}" if c.packet else c.layer.short for c in self.classified(host, since)]

    def at(self, layer: str, host: str | None = None, since: int = 0) -> list[Classify]:
        return [c for c in self.classified(host, since) if c.layer.short == layer]

    def sent(self, host: str, since: int = 0) -> list[str]:
        """The words of what a host put on the wire."""
        return [s.request.word for s in self.steps[since:] if s.host == host and isinstance(s.request, Transmit)]

    def errors(self, host: str, since: int = 0) -> list[tuple[str, str]]:
        return [
            (s.request.operation, s.request.error)
            for s in self.steps[since:]
            if s.host == host and isinstance(s.request, Failed)
        ]

    def delivered(self, host: str, since: int = 0) -> list[bytes]:
        return [s.request.data for s in self.steps[since:] if s.host == host and isinstance(s.request, Deliver)]

    def dropped(self, host: str, since: int = 0) -> list[Dropped]:
        return [s.request for s in self.steps[since:] if s.host == host and isinstance(s.request, Dropped)]

    def completed(self, host: str, since: int = 0) -> list[str]:
        return [s.request.event for s in self.steps[since:] if s.host == host and isinstance(s.request, Completed)]

    def notes(self, host: str, since: int = 0) -> list[str]:
        return [s.request.text for s in self.steps[since:] if s.host == host and isinstance(s.request, Note)]

    @property
    def here(self) -> int:
        """A mark for `since`."""
        return len(self.steps)


# -- the two hosts of most tests -----------------------------------------------------------------------------------


def interface(number: int, *addresses: str, **rest: object) -> Interface:
    return Interface(luid(6, number), 10 + number, addresses, **rest)  # type: ignore[arg-type]


def two(client: HostConfig | None = None, server: HostConfig | None = None) -> Stage:
    """A client and a server, each with one interface and both families."""
    return Stage(
        {
            "client": Host("client", [interface(1, f"{CLIENT[4]}/24", f"{CLIENT[6]}/64")], client),
            "server": Host("server", [interface(1, f"{SERVER[4]}/24", f"{SERVER[6]}/64")], server),
        }
    )


def one(config: HostConfig | None = None, interfaces: Iterable[Interface] = ()) -> Stage:
    given = tuple(interfaces) or (interface(1, f"{CLIENT[4]}/24", f"{CLIENT[6]}/64"),)
    return Stage({"host": Host("host", given, config)})


def tcp_server(stage: Stage, version: int = 4, port: int = 80, backlog: int = 128) -> Socket:
    """Bind and listen on the server."""
    host = stage.hosts["server"]
    socket = host.socket("tcp", version)
    stage.do("server", host.bind(socket, None, port, stage.now))
    stage.do("server", host.listen(socket, stage.now, backlog))
    return socket


def tcp_connect(stage: Stage, version: int = 4, port: int = 80) -> Socket:
    """Connect from the client, and let the handshake go on."""
    host = stage.hosts["client"]
    socket = host.socket("tcp", version)
    stage.do("client", host.connect(socket, Endpoint(ip(SERVER[version]), port), stage.now))
    return socket


def established(stage: Stage, version: int = 4) -> tuple[Socket, Socket]:
    """(client's socket, server's accepted socket)."""
    listener = tcp_server(stage, version)
    client = tcp_connect(stage, version)
    server = stage.do("server", stage.hosts["server"].accept(listener, stage.now))
    assert server is not None
    return client, server


def udp_server(stage: Stage, version: int = 4, port: int = 53) -> Socket:
    host = stage.hosts["server"]
    socket = host.socket("udp", version)
    stage.do("server", host.bind(socket, None, port, stage.now))
    return socket


def udp_client(stage: Stage, version: int = 4) -> Socket:
    return stage.hosts["client"].socket("udp", version)


def send_udp(stage: Stage, socket: Socket, data: bytes = b"question", port: int = 53) -> bool:
    """One datagram from the client to the server."""
    target = Endpoint(ip(SERVER[socket.version]), port)
    return stage.do("client", stage.hosts["client"].sendto(socket, data, target, stage.now))


def suffixed(names: Iterable[str], version: int) -> Iterator[str]:
    """ "INBOUND_TRANSPORT SYN" -> "INBOUND_TRANSPORT_V4 SYN"; _DISCARD stays last."""
    for name in names:
        base, _, word = name.partition(" ")
        stem = base.removesuffix("_DISCARD")
        yield f"{stem}_V{version}{'_DISCARD' if stem != base else ''}{' ' + word if word else ''}"
