"""The one loop: a host asks, the engine answers, packets leave.

A host's operation is a generator of requests (`tamiz.stack.requests`). `Node.run` carries one through: each `Classify`
is put to the engine and its decision sent back; everything else is handed to the listener, which records it. A node is
also a host for whoever moves packets: a simulated wire, a TUN device.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, Union

from tamiz.engine.engine import Engine
from tamiz.model.decisions import Decision, default_permit
from tamiz.model.facts import Fact, Facts
from tamiz.model.keys import FieldKey, LayerKey
from tamiz.stack.host import Host
from tamiz.stack.requests import Answer, Classify, Operation, Request, T, Transmit
from tamiz.stack.witness import told_at

Listener = Callable[[Request, Union[Decision, None]], None]

_REMEMBERED: Final = 4096  # decisions kept, by layer and facts


def ignore(request: Request, decision: Decision | None) -> None:
    """The listener of a node that nobody watches."""


class Node:
    """A host under a policy.

    `told` holds facts that the host does not know (its profile, an application), at every layer that has the field.
    """

    def __init__(
        self,
        host: Host,
        engine: Engine,
        told: Mapping[FieldKey, Fact] | None = None,
        listener: Listener = ignore,
    ) -> None:
        self.host, self.listener = host, listener
        self._engine, self._told = engine, dict(told or {})
        self._outbox: list[Transmit] = []
        self._decisions: dict[tuple[object, ...], Decision] = {}

    @property
    def engine(self) -> Engine:
        return self._engine

    def change_policy(self, engine: Engine, layers: frozenset[LayerKey]) -> None:
        """From here on `engine` decides; filters changed at `layers`, whose flows need reauthorization (ale.md 2)."""
        self._engine = engine
        self._decisions.clear()
        self.host.policy_changed(layers)

    def run(self, operation: Operation[T]) -> T:
        """Carry an operation through; its result. Packets that it sends wait for `sent`."""
        answer: Answer = None
        while True:
            try:
                request = operation.send(answer)
            except StopIteration as done:
                result: T = done.value
                return result
            answer = self._answer(request)

    def _answer(self, request: Request) -> Decision | None:
        decision = self.decide(request.layer, request.facts) if isinstance(request, Classify) else None
        if isinstance(request, Transmit) and not request.loopback:
            self._outbox.append(request)
        self.listener(request, decision)
        return decision

    def decide(self, layer: LayerKey, shown: Facts) -> Decision:
        """The engine's decision on what the host shows and what was told; no callout has a context on a flow here."""
        if not self._engine.program(layer).sublayers:
            return default_permit(layer)
        key = (layer, *shown.items())
        found = self._decisions.get(key)
        if found is None:
            if len(self._decisions) >= _REMEMBERED:
                self._decisions.clear()
            facts = {**told_at(layer, self._told), **shown}
            found = self._decisions[key] = self._engine.classify(layer, facts, contexts=())
        return found

    def sent(self) -> list[Transmit]:
        """The packets that left since the last call, in order."""
        sent, self._outbox = self._outbox, []
        return sent

    # -- as a host for whoever moves packets -----------------------------------------------------------------------

    def packet_in(self, packet: bytes, now: int) -> list[bytes]:
        """One IP packet came in at `now` (ns); the packets that leave because of it."""
        self.run(self.host.packet_in(packet, now))
        return [t.packet for t in self.sent()]

    def tick(self, now: int) -> list[bytes]:
        """Do what is due at `now` (ns); the packets that leave."""
        self.run(self.host.tick(now))
        return [t.packet for t in self.sent()]

    def next_timer(self) -> int | None:
        """When `tick` is due next, in ns."""
        return self.host.next_timer()
