"""ALE flows: what an authorization leaves behind (spec ale.md 1 to 3).

A flow begins with a permitted AUTH_CONNECT or AUTH_RECV_ACCEPT, which are then not met again while it lives: packets
of both directions belong to it. What makes it ask again is a *reason*; the next packet then meets the layer that
created the flow, with IS_REAUTHORIZE. Several reasons before that packet are one reauthorization [I].

Not modelled: the shortening of the idle time when there are very many flows, whose threshold is not documented.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Final, NamedTuple

from tamiz.model._tables import ReauthorizeReason
from tamiz.model.keys import LayerKey

from .interfaces import Interface
from .requests import Way
from .rows import layer_key

SECOND: Final = 10**9
IDLE_NS: Final = 60 * SECOND  # unicast, refreshed by either direction [D: ale-stateful-filtering]
GROUP_NS: Final = 4 * SECOND  # multicast and broadcast, refreshed by outbound only [D: ale-multicast-broadcast-traffic]

_CREATING: Final[Mapping[Way, str]] = {"out": "ALE_AUTH_CONNECT", "in": "ALE_AUTH_RECV_ACCEPT"}
_NO_REASON: Final = ReauthorizeReason(0)


class State(Enum):
    """ale.md 1.1; no flow at all is the state "none"."""

    PENDING_AUTH = "pending authorization"
    PENDED = "pended by a callout"
    AUTHORIZED = "authorized, handshake under way"
    ESTABLISHED = "established"
    NEEDS_REAUTH = "needs reauthorization"


class Event(Enum):
    """What moves a flow from state to state."""

    PERMIT_TCP = "permitted, TCP"
    PERMIT = "permitted, other protocols"
    PEND = "pended"
    COMPLETE = "the pended operation completes"
    HANDSHAKE = "the handshake is done"
    TRIGGER = "a reason for reauthorization"


# State x event -> state [I, composed from the pages]. A cell that is not here cannot happen; the end of a flow (block,
# close, RST, idle time) is its removal from the table. NEEDS_REAUTH goes back to where the flow came from.
TRANSITIONS: Final[Mapping[tuple[State, Event], State]] = {
    (State.PENDING_AUTH, Event.PERMIT_TCP): State.AUTHORIZED,
    (State.PENDING_AUTH, Event.PERMIT): State.ESTABLISHED,
    (State.PENDING_AUTH, Event.PEND): State.PENDED,
    (State.PENDED, Event.COMPLETE): State.PENDING_AUTH,
    (State.AUTHORIZED, Event.HANDSHAKE): State.ESTABLISHED,
    (State.AUTHORIZED, Event.TRIGGER): State.NEEDS_REAUTH,
    (State.ESTABLISHED, Event.TRIGGER): State.NEEDS_REAUTH,
    (State.NEEDS_REAUTH, Event.TRIGGER): State.NEEDS_REAUTH,
    (State.NEEDS_REAUTH, Event.HANDSHAKE): State.NEEDS_REAUTH,
    (State.NEEDS_REAUTH, Event.PERMIT_TCP): State.AUTHORIZED,
    (State.NEEDS_REAUTH, Event.PERMIT): State.ESTABLISHED,
}


class FlowKey(NamedTuple):
    """Protocol, addresses and ports; for ICMP type (a reply counts as its request), code, and for echo the ID.

    All inbound multicast and broadcast of a protocol is one flow [D: ale-multicast-broadcast-traffic]: its key has
    empty addresses and no ports.
    """

    version: int
    protocol: int
    local: bytes
    remote: bytes
    local_port: int
    remote_port: int
    icmp_id: int = 0


def group_key(version: int, protocol: int) -> FlowKey:
    """The key of the one flow of inbound multicast and broadcast."""
    return FlowKey(version, protocol, b"", b"", 0, 0)


@dataclass(slots=True, eq=False)
class Flow:
    """One flow. `created`: direction of its first packet, which never changes. `socket`: its owner's id. `lifetime`
    in ns, None: as long as its socket. `group`: opened by an outbound multicast or broadcast."""

    id: int
    key: FlowKey
    created: Way
    socket: int | None
    lifetime: int | None
    used: int
    group: bool = False
    original: Interface | None = None
    original_icmp: int | None = None
    state: State = State.PENDING_AUTH
    reasons: ReauthorizeReason = _NO_REASON
    known: set[int] = field(default_factory=set)
    handshake_done: bool = False

    @property
    def creating(self) -> str:
        """The base name of the layer that created it, where it is reauthorized [D: ale-re-authorization]."""
        return _CREATING[self.created]

    @property
    def creating_layer(self) -> LayerKey:
        return layer_key(self.creating, self.key.version)

    @property
    def needs_reauthorization(self) -> bool:
        return self.state is State.NEEDS_REAUTH

    def on(self, event: Event) -> None:
        """Take the transition; `KeyError` for one that cannot happen."""
        self.state = TRANSITIONS[self.state, event]
        self.handshake_done |= event in (Event.HANDSHAKE, Event.PERMIT)

    def trigger(self, reason: ReauthorizeReason) -> None:
        """A reason to authorize it again at its next packet."""
        if (self.state, Event.TRIGGER) in TRANSITIONS:
            self.on(Event.TRIGGER)
            self.reasons |= reason

    def reauthorized(self) -> None:
        """It was permitted again."""
        self.on(Event.PERMIT if self.handshake_done else Event.PERMIT_TCP)
        self.reasons = _NO_REASON

    def expired(self, now: int) -> bool:
        return self.lifetime is not None and now - self.used >= self.lifetime


class FlowTable:
    """The flows of a host. `now` is in ns; expired flows vanish when they are looked for: no layer is met [I]."""

    def __init__(self) -> None:
        self._flows: dict[FlowKey, Flow] = {}
        self._last = 0

    def __iter__(self) -> Iterator[Flow]:
        return iter(tuple(self._flows.values()))

    def __len__(self) -> int:
        return len(self._flows)

    def find(self, key: FlowKey, now: int) -> Flow | None:
        flow = self._flows.get(key)
        if flow is not None and flow.expired(now):
            self.remove(flow)
            return None
        return flow

    def find_inbound(self, key: FlowKey, now: int) -> Flow | None:
        """The flow of an inbound packet: its own, else an outbound multicast or broadcast of the same local port
        whose time has not passed, which any sender may answer [D; the port I]."""
        found = self.find(key, now)
        if found is not None:
            return found
        alike = (key.version, key.protocol, key.local_port, key.icmp_id)
        for flow in self:
            k = flow.key
            if flow.group and (k.version, k.protocol, k.local_port, k.icmp_id) == alike and not flow.expired(now):
                return flow
        return None

    def open(self, key: FlowKey, created: Way, socket: int | None, lifetime: int | None, now: int) -> Flow:
        """A flow in PENDING_AUTH, not in the table until `keep`. Its id is never 0."""
        self._last += 1
        return Flow(self._last, key, created, socket, lifetime, now)

    def keep(self, flow: Flow) -> None:
        """The flow was authorized."""
        self._flows[flow.key] = flow

    def remove(self, flow: Flow) -> None:
        """The flow is gone; nothing happens if it was already."""
        if self._flows.get(flow.key) is flow:
            del self._flows[flow.key]

    def of_socket(self, socket: int) -> list[Flow]:
        return [flow for flow in self if flow.socket == socket]

    def policy_changed(self, layers: Iterable[LayerKey]) -> None:
        """Filters were added or removed at `layers`: flows created there, and only those, ask again when their next
        packet comes [D: ale-re-authorization]."""
        changed = frozenset(layers)
        for flow in self:
            if flow.creating_layer in changed:
                flow.trigger(ReauthorizeReason.POLICY_CHANGE)

    def refresh(self, flow: Flow, way: Way, now: int) -> None:
        """A packet passed: a group flow lives on by outbound packets only."""
        if way == "out" or not flow.group:
            flow.used = now

    def expire(self, now: int) -> list[Flow]:
        """Remove and return what has expired."""
        gone = [flow for flow in self if flow.expired(now)]
        for flow in gone:
            self.remove(flow)
        return gone
