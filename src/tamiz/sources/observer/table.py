"""The flows that an observer knows, in bounded memory: who waits for an answer, who is idle, who must go."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final

from tamiz.stack.flows import IDLE_NS, SECOND
from tamiz.stack.requests import Way
from tamiz.wire import icmp, tcp, udp

from .flows import ENDED, NOBODY, SYN_SENT, Ends, Flow, Key, Pending, Sink

MAX_FLOWS: Final = 200_000
ANSWER_NS: Final = SECOND  # an ICMP error about a datagram that nobody wants comes sooner
_MAX_PENDING: Final = 64  # packets of one flow that wait for an answer
_SWEEP: Final = 4096  # new flows between two looks for those that are over


class Table:
    """Flows by key. `answered` is called with a flow whose pending packets count as wanted by somebody; it is told
    whether silence said so."""

    def __init__(self, sink: Sink, local: frozenset[bytes], limit: int = MAX_FLOWS) -> None:
        self.sink, self.local, self.limit = sink, local, max(limit, 1)
        self.flows: dict[Key, Flow] = {}
        self.answered: Callable[[Flow, bool], None] = lambda flow, by_silence: None
        self.waiting: deque[tuple[int, Flow]] = deque()
        self.now = 0
        self.opened = self.open_at_start = self.unanswered = self.evicted = 0
        self._look_at = _SWEEP

    def open(
        self, key: Key, way: Way, state: int, now: int, *, lifetime: int | None = None, seen_open: bool = False,
        ends: Ends | None = None,
    ) -> Flow:  # fmt: skip
        """A new flow; one of the same key ends. `seen_open`: it was open before its first packet here."""
        self.now = now
        old = self.flows.pop(key, None)
        if old is not None:
            self.end(old)
        if self.opened >= self._look_at or len(self.flows) >= self.limit:
            self._sweep(now)
        flow = Flow(ends or self.ends(key, way), state, now, lifetime)
        flow.seen_open = seen_open
        self.open_at_start += seen_open
        self.opened += 1
        self.flows[key] = flow
        return flow

    def ends(self, key: Key, way: Way) -> Ends:
        """The ends of the packets of `key`; of ICMP, of those that go the way of the first."""
        protocol, local, remote, local_port, remote_port, _ = key
        loopback = remote in self.local
        if protocol in _WITH_PORTS[len(local)]:
            return Ends(protocol, local, remote, local_port, remote_port, way, loopback)
        return Ends(protocol, local, remote, None, None, way, loopback)

    def end(self, flow: Flow) -> None:
        """`flow` is over; what still waits for an answer gets none."""
        if flow.pending is not None:
            self.answered(flow, True)
        self.sink.done(flow)

    def wait(self, flow: Flow, packet: Pending) -> None:
        """`packet` waits for the local side's answer."""
        if flow.pending is None:
            flow.pending = []
        flow.pending.append(packet)
        if len(flow.pending) >= _MAX_PENDING:
            self.answered(flow, True)

    def wait_briefly(self, flow: Flow, packet: Pending, now: int) -> None:
        """`packet` waits for an ICMP error, which would come at once."""
        if flow.pending is None:
            if len(self.waiting) >= self.limit:
                self._give_up(self.waiting.popleft()[1])
            self.waiting.append((now + ANSWER_NS, flow))
        self.wait(flow, packet)

    def pass_time(self, now: int) -> None:
        """The time for an answer is over for those that waited long enough."""
        waiting = self.waiting
        while waiting and waiting[0][0] <= now:
            self._give_up(waiting.popleft()[1])

    def _give_up(self, flow: Flow) -> None:
        if flow.pending is not None:
            self.answered(flow, True)

    def find(self, key: Key, now: int) -> Flow | None:
        """The flow of `key`, unless its time has passed."""
        flow = self.flows.get(key)
        if flow is not None and flow.lifetime is not None and now - flow.last >= flow.lifetime:
            self.end(self.flows.pop(key))
            return None
        return flow

    def close(self) -> None:
        """The capture is over."""
        for flow in self.flows.values():
            self.end(flow)
        self.flows.clear()
        self.waiting.clear()

    def _sweep(self, now: int) -> None:
        """Forget the flows that are over, and where there are too many still, the eighth that was quiet longest."""
        for key in [key for key, flow in self.flows.items() if _over(flow, now)]:
            self.end(self.flows.pop(key))
        if len(self.flows) >= self.limit:
            oldest = sorted(self.flows, key=lambda key: self.flows[key].last)[: self.limit // 8 + 1]
            self.evicted += len(oldest)
            for key in oldest:
                self.end(self.flows.pop(key))
        self._look_at = self.opened + max(_SWEEP, len(self.flows) // 2)


def _over(flow: Flow, now: int) -> bool:
    quiet = now - flow.last
    if flow.lifetime is not None:
        return quiet >= flow.lifetime
    return quiet >= IDLE_NS and (flow.state in (ENDED, NOBODY, SYN_SENT) or flow.pending is not None)


# by the size of its addresses: the protocols that have ports, or a type and a code in their place
_WITH_PORTS: Final = {
    4: frozenset((tcp.PROTOCOL, udp.PROTOCOL, icmp.PROTOCOL_V4)),
    16: frozenset((tcp.PROTOCOL, udp.PROTOCOL, icmp.PROTOCOL_V6)),
}
