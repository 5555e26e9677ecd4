"""UDP, ICMP and other protocols as a bystander sees them (spec packet-flows.md 2 and 3, ale.md 1 to 3).

An inbound packet of a new flow waits: an ICMP error that quotes it says that nobody wanted it; an answer, or a second
without one, that somebody did. Inbound multicast and broadcast is one flow for each protocol, and an outbound one may
be answered by anybody for four seconds. Who listens to a group is not inferred: no bind is met for it.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from tamiz.stack.flows import GROUP_NS, IDLE_NS
from tamiz.stack.requests import Way
from tamiz.stack.witness import TCP
from tamiz.wire import icmp, udp

from .flows import NOBODY, OPEN, WAITING, Ends, Flow, Key, Pending, Plan, inferred, plan, reassembled
from .table import Table

_ICMPS: Final = frozenset(icmp.PROTOCOLS.values())
_REQUESTS: Final = frozenset({(icmp.PROTOCOL_V4, 8), (icmp.PROTOCOL_V6, 128)})
# (ICMP protocol, type, code) of the errors which say that nobody waits for the packet: no port, no protocol
_NOBODY_SAYS: Final = frozenset(
    {(icmp.PROTOCOL_V4, 3, 2), (icmp.PROTOCOL_V4, 3, 3), (icmp.PROTOCOL_V6, 1, 4), (icmp.PROTOCOL_V6, 4, 1)}
)


class _Plans(NamedTuple):
    """The plans of the packets of one protocol's flows."""

    first_out: Plan
    first_out_bound: Plan
    out: Plan
    first_in: Plan
    first_in_bound: Plan
    arrives: Plan
    again_in: Plan


def _plans(name: str, bind: str) -> _Plans:
    return _Plans(
        plan(*inferred(bind), f"{name}-first-out", opens=True),
        plan(f"{name}-first-out", opens=True),
        plan(f"{name}-out"),
        plan(*inferred(bind), f"{name}-first-in", opens=True),
        plan(f"{name}-first-in", opens=True),
        plan(f"{name}-in"),
        plan(f"{name}-reauthorize-in"),
    )


_UDP, _ICMP, _RAW = _plans("udp", "bind"), _plans("icmp", "icmp-bind"), _plans("raw", "raw-bind")
_NOBODY: Final = plan("no-endpoint-in", opens=True)
_ERROR_IN: Final = plan("icmp-error-in")
_ERROR_OUT: Final = plan("icmp-error-out")
_MAX_GROUPS: Final = 4096


class Datagrams:
    """Follows the flows of `table` that are not TCP's."""

    def __init__(self, table: Table) -> None:
        self._table, self._flows, self._see = table, table.flows, table.sink.see
        self._bound: set[tuple[int, bytes, int | None]] = set()
        self._groups: dict[tuple[int, int, int, int], Flow] = {}  # outbound, by all that an answer must fit
        self._inbound_groups: dict[tuple[int, int], Flow] = {}  # IP version, protocol
        self._ends: dict[tuple[Key, Way, int | None, int | None], Ends] = {}

    # -- one packet --------------------------------------------------------------------------------------------------

    def datagram(
        self, key: Key, out: bool, group: bool, now: int, number: int, whole: bool = False, kind: int | None = None
    ) -> None:
        """A packet of UDP, of ICMP other than an error (`kind`: its type), or of another protocol.

        `group`: its destination is a multicast or broadcast address.
        """
        plans = _UDP if key[0] == udp.PROTOCOL else _RAW if kind is None else _ICMP
        flow = self._table.find(key, now)
        if flow is None:
            flow = None if out else self._groups.get((len(key[1]), key[0], key[3], key[5]))
            if flow is not None and now - flow.last < GROUP_NS:
                self._emit(flow, plans.arrives, number, self._ends_in(key, "out", kind, flow.ends.original), whole)
                return
            self._first(plans, key, out, group, now, number, whole, kind)
            return
        if flow.state == OPEN:
            flow.last = now
            self._emit(flow, plans.out if out else plans.arrives, number, _ends(flow, key, kind), whole)
        else:
            flow.last = now
            self._early(plans, flow, out, now, number, whole)

    def _first(
        self, plans: _Plans, key: Key, out: bool, group: bool, now: int, number: int, whole: bool, kind: int | None
    ) -> None:
        if out:
            self._first_out(plans, key, group, now, number, kind)
        elif group:
            self._group_in(plans, key, now, number, whole, kind)
        elif kind is not None:  # the stack itself takes ICMP
            ends = self._icmp_ends(key, "in", kind)
            flow = self._table.open(key, "in", OPEN, now, lifetime=IDLE_NS, ends=ends)
            self._emit(flow, plans.first_in_bound, number, flow.ends, whole)
        else:
            flow = self._table.open(key, "in", WAITING, now, lifetime=IDLE_NS)
            self._wait(flow, plans.first_in_bound, now, number, whole)

    def _first_out(self, plans: _Plans, key: Key, group: bool, now: int, number: int, kind: int | None) -> None:
        ends = None if kind is None else self._icmp_ends(key, "out", kind)
        flow = self._table.open(key, "out", OPEN, now, lifetime=GROUP_NS if group else IDLE_NS, ends=ends)
        if group:
            if len(self._groups) >= _MAX_GROUPS:
                self._groups.clear()
            self._groups[len(key[1]), key[0], key[3], key[5]] = flow
        if kind is not None:
            asks = (key[0], kind) in _REQUESTS
            self._see(flow, plans.first_out if asks else plans.first_out_bound, number, flow.ends)
        elif self._is_bound(flow.ends):
            self._see(flow, plans.first_out_bound, number, flow.ends)
        elif not self._see(flow, plans.first_out, number, flow.ends):
            self._bind(flow.ends)

    def _early(self, plans: _Plans, flow: Flow, out: bool, now: int, number: int, whole: bool) -> None:
        """A packet of a flow of which it is not known, or not so, that somebody listens."""
        if not out:
            flow.state = WAITING
            self._wait(flow, plans.first_in_bound if flow.pending is None else plans.arrives, now, number, whole)
        elif flow.pending is None:  # nobody listened, now somebody sends
            flow.state = OPEN
            self._see(flow, plans.first_out, number, flow.ends)
        else:
            self.answered(flow)
            self._see(flow, plans.out, number, flow.ends)

    def _wait(self, flow: Flow, somebody: Plan, now: int, number: int, whole: bool) -> None:
        nobody = _NOBODY
        if whole:
            somebody, nobody = reassembled(somebody), reassembled(nobody)
        self._table.wait_briefly(flow, Pending(number, somebody, nobody, flow.ends), now)

    def answered(self, flow: Flow, by_silence: bool = False) -> None:
        """Somebody listens, as far as can be seen: the pending packets were wanted."""
        pending, flow.pending, flow.state = flow.pending, None, OPEN
        self._table.unanswered += by_silence
        for packet in pending or ():
            if packet.somebody in _FIRST_IN and not self._is_bound(packet.ends):
                if not self._see(flow, _FIRST_IN[packet.somebody], packet.number, packet.ends):
                    self._bind(packet.ends)
            else:
                self._see(flow, packet.somebody, packet.number, packet.ends)

    def _is_bound(self, ends: Ends) -> bool:
        return (ends.protocol, ends.local, ends.local_port) in self._bound

    def _bind(self, ends: Ends) -> None:
        self._bound.add((ends.protocol, ends.local, ends.local_port))

    # -- multicast and broadcast -------------------------------------------------------------------------------------

    def _group_in(self, plans: _Plans, key: Key, now: int, number: int, whole: bool, kind: int | None) -> None:
        """All inbound multicast and broadcast of a protocol is one flow, authorized again for each packet. While the
        policy blocks it there is no flow, and each packet is the first."""
        at = (len(key[1]), key[0])
        flow = self._inbound_groups.get(at)
        ends = self._ends_in(key, "in", kind, kind)
        first = flow is None or now - flow.last >= IDLE_NS
        if flow is None or first:
            if flow is not None:
                self._table.sink.done(flow)
            flow = self._inbound_groups[at] = Flow(ends, OPEN, now)
        first, flow.blocked, flow.last = first or flow.blocked, False, now
        self._emit(flow, plans.first_in_bound if first else plans.again_in, number, ends, whole)

    def _ends_in(self, key: Key, way: Way, kind: int | None, original: int | None) -> Ends:
        """The ends of an inbound packet that is of a flow of many, which was opened by a packet that went `way`."""
        at = (key, way, kind, original)
        ends = self._ends.get(at)
        if ends is None:
            if len(self._ends) >= _MAX_GROUPS:
                self._ends.clear()
            ends = self._ends[at] = self._table.ends(key, way)
            if kind is not None:
                ends.local_port, ends.original = kind, original
        return ends

    def close(self) -> None:
        """The capture is over."""
        for flow in self._inbound_groups.values():
            self._table.sink.done(flow)
        self._inbound_groups.clear()

    # -- ICMP --------------------------------------------------------------------------------------------------------

    def _icmp_ends(self, key: Key, way: Way, kind: int) -> Ends:
        return Ends(key[0], key[1], key[2], kind, key[4], way, key[2] in self._table.local, original=kind)

    def error(self, ends: Ends, out: bool, about: Key | None, number: int, whole: bool = False) -> None:
        """An ICMP error about a packet of the flow `about`, None where it quotes none that can be read."""
        flow = self._flows.get(about) if about is not None else None
        if out and flow is not None and flow.ends.protocol != TCP and self._says_nobody(ends):
            pending, flow.pending = flow.pending, None
            flow.state = NOBODY if pending else flow.state
            for packet in pending or ():
                self._see(flow, packet.nobody, packet.number, packet.ends)
        if out:
            self._see(flow, _ERROR_OUT, number, ends)
        else:
            self._emit(flow, _ERROR_IN, number, ends, whole)

    def _says_nobody(self, ends: Ends) -> bool:
        return (ends.protocol, ends.local_port, ends.remote_port) in _NOBODY_SAYS

    def _emit(self, flow: Flow | None, made: Plan, number: int, ends: Ends, whole: bool) -> None:
        self._see(flow, reassembled(made) if whole else made, number, ends)


# the plan of a first packet -> the same with the bind before it
_FIRST_IN: Final = {
    **{plans.first_in_bound: plans.first_in for plans in (_UDP, _RAW)},
    **{reassembled(plans.first_in_bound): reassembled(plans.first_in) for plans in (_UDP, _RAW)},
}


def _ends(flow: Flow, key: Key, kind: int | None) -> Ends:
    """The ends of a packet of `flow`: an ICMP reply has another type than the message that opened the flow."""
    ends = flow.ends
    if kind is None or ends.local_port == kind:
        return ends
    return Ends(ends.protocol, ends.local, ends.remote, kind, ends.remote_port, ends.way, ends.loopback, ends.original)
