"""TCP as a bystander sees it: which sequences a segment proves (spec packet-flows.md 1).

A connection's SYN proves the calls before it. An inbound segment to a port of which nothing is known waits for the
answer: a SYN-ACK says that somebody listened, a RST that nobody did. Sequence numbers tell new bytes from those sent
again; gaps are not waited for, because a capture may lack segments. Data on a SYN is not counted as stream data.
"""

from __future__ import annotations

from typing import Final

from tamiz.wire.tcp import TcpFlags

from .flows import (
    CLOSES_ENDPOINT,
    CLOSES_SOCKET,
    CLOSING,
    ENDED,
    NOBODY,
    OPEN,
    SYN_ACK_SEEN,
    SYN_ACK_SENT,
    SYN_SENT,
    WAITING,
    Flow,
    Key,
    Pending,
    Plan,
    closing,
    inferred,
    plan,
    reassembled,
    segment_plan,
)
from .table import Table

_FIN, _SYN, _RST, _ACK = (int(f) for f in (TcpFlags.FIN, TcpFlags.SYN, TcpFlags.RST, TcpFlags.ACK))
_SPECIAL: Final = _FIN | _SYN | _RST
_MASK, _HALF = 0xFFFF_FFFF, 1 << 31
_FIN_OUT, _FIN_IN, _CLOSED = 1, 2, 4  # bits of Flow.fins

_CONNECT: Final = plan(*inferred("bind", "tcp-connect"), "tcp-syn-out", opens=True)
_SYN_OUT: Final = plan("tcp-syn-out", opens=True)
_LISTEN: Final = plan(*inferred("bind", "tcp-listen"), "tcp-syn-in", opens=True)
_SYN_IN: Final = plan("tcp-syn-in", opens=True)
_SYN_AGAIN: Final = plan("tcp-syn-again-in", opens=True)
_SYN_ACK_OUT: Final = plan("tcp-syn-ack-out", opens=True)
_SYN_ACK_IN: Final = plan("tcp-syn-ack-in", opens=True)
_NOBODY: Final = plan("tcp-no-endpoint-in", opens=True)
_RST_OUT: Final = plan("tcp-rst-out")
_TEXT: Final = {  # (out, fresh) -> a data segment
    (out, fresh): segment_plan(out, fin=False, text=True, fresh=fresh)
    for out in (True, False)
    for fresh in (True, False)
}
_TEXT_OUT, _TEXT_OUT_AGAIN, _TEXT_IN, _TEXT_IN_AGAIN = (
    _TEXT[True, True], _TEXT[True, False], _TEXT[False, True], _TEXT[False, False],
)  # fmt: skip
_ACK_OUT: Final = segment_plan(True, fin=False, text=False, fresh=False)
_ACK_IN: Final = segment_plan(False, fin=False, text=False, fresh=False)


class Tcp:
    """Follows the connections of `table`."""

    def __init__(self, table: Table) -> None:
        self._table, self._flows = table, table.flows
        self._see = table.sink.see
        self._listening: set[tuple[bytes, int]] = set()

    def segment(
        self, key: Key, out: bool, flags: int, length: int, seq: int, now: int, number: int, whole: bool = False
    ) -> None:
        """One segment with `length` bytes of payload. `whole`: it came in fragments, and is whole now."""
        flow = self._flows.get(key)
        if flow is None or flow.state != OPEN or flags & _SPECIAL or whole:
            self._unusual(flow, key, out, flags, length, seq, now, number, whole)
            return
        flow.last = now
        if not length:
            self._see(flow, _ACK_OUT if out else _ACK_IN, number, flow.ends)
            return
        end = (seq + length) & _MASK
        if out:
            fresh = flow.next_out < 0 or 0 < (end - flow.next_out) & _MASK < _HALF
            if fresh:
                flow.next_out = end
            self._see(flow, _TEXT_OUT if fresh else _TEXT_OUT_AGAIN, number, flow.ends)
        else:
            fresh = flow.next_in < 0 or 0 < (end - flow.next_in) & _MASK < _HALF
            if fresh:
                flow.next_in = end
            self._see(flow, _TEXT_IN if fresh else _TEXT_IN_AGAIN, number, flow.ends)

    def _unusual(
        self, flow: Flow | None, key: Key, out: bool, flags: int, length: int, seq: int, now: int, number: int,
        whole: bool,
    ) -> None:  # fmt: skip
        if flags & _SYN and not flags & _RST:
            handle = self._syn_ack if flags & _ACK else self._syn
            handle(flow, key, out, seq, now, number, whole)
            return
        if flow is None or (flow.state == NOBODY and not out):
            flow = self._unopened(flow, key, out, now)
        flow.last = now
        if flags & _RST:
            self._rst(flow, out, flags, length, seq, number, whole)
        else:
            self._text(flow, out, flags, length, seq, number, whole)

    # -- opening -----------------------------------------------------------------------------------------------------

    def _syn(self, flow: Flow | None, key: Key, out: bool, seq: int, now: int, number: int, whole: bool) -> None:
        if flow is not None and (flow.syn == seq or flow.state in (SYN_SENT, NOBODY)):
            flow.last = now
            self._syn_again(flow, out, seq, number, whole)
            return
        state = SYN_SENT if out else WAITING
        flow = self._table.open(key, "out" if out else "in", state, now)
        flow.syn = seq
        if out:
            flow.next_out = (seq + 1) & _MASK
            self._see(flow, _CONNECT, number, flow.ends)
        else:
            flow.next_in = (seq + 1) & _MASK
            self._wait(flow, number, _SYN_IN, whole)

    def _syn_again(self, flow: Flow, out: bool, seq: int, number: int, whole: bool) -> None:
        """A SYN once more: Windows tries again even after a RST."""
        if out:
            if flow.state == ENDED:
                flow.state = SYN_SENT
            self._see(flow, _SYN_OUT, number, flow.ends)
        elif flow.state in (WAITING, NOBODY):
            first = flow.state == NOBODY
            flow.state, flow.syn, flow.next_in = WAITING, seq, (seq + 1) & _MASK
            self._wait(flow, number, _SYN_IN if first else _SYN_AGAIN, whole)
        else:
            if flow.state == SYN_SENT:
                flow.next_in = (seq + 1) & _MASK
            self._emit(flow, _SYN_AGAIN, number, whole)

    def _syn_ack(self, flow: Flow | None, key: Key, out: bool, seq: int, now: int, number: int, whole: bool) -> None:
        if flow is None or flow.state in (ENDED, NOBODY):
            flow = self._table.open(key, "in" if out else "out", SYN_ACK_SENT if out else WAITING, now, seen_open=True)
        flow.last = now
        if out:
            self.answered(flow)
            if flow.state != OPEN:
                flow.state, flow.next_out = SYN_ACK_SENT, (seq + 1) & _MASK
            self._emit(flow, _SYN_ACK_OUT, number, whole)
        elif flow.state == WAITING:
            flow.next_in = (seq + 1) & _MASK
            self._wait(flow, number, _SYN_ACK_IN, whole)
        else:
            if flow.state == SYN_SENT:
                flow.state, flow.next_in = SYN_ACK_SEEN, (seq + 1) & _MASK
            self._emit(flow, _SYN_ACK_IN, number, whole)

    def _unopened(self, nobody: Flow | None, key: Key, out: bool, now: int) -> Flow:
        """The flow of a segment that opens none: it was open before the capture began, or belongs to nobody."""
        if nobody is not None:
            nobody.state = WAITING
            return nobody
        return self._table.open(key, "out" if out else "in", OPEN if out else WAITING, now, seen_open=True)

    # -- waiting for the answer --------------------------------------------------------------------------------------

    def _wait(self, flow: Flow, number: int, somebody: Plan, whole: bool) -> None:
        nobody = _NOBODY
        if whole:
            somebody, nobody = reassembled(somebody), reassembled(nobody)
        self._table.wait(flow, Pending(number, somebody, nobody, flow.ends))

    def answered(self, flow: Flow, by_silence: bool = False) -> None:
        """Somebody listens, as far as can be seen."""
        pending, flow.pending = flow.pending, None
        if pending is None:
            return
        flow.state = SYN_ACK_SENT if flow.syn >= 0 else OPEN
        self._table.unanswered += by_silence
        for packet in pending:
            if packet.somebody is _SYN_ACK_IN:
                flow.state = SYN_ACK_SEEN
            self._somebody(flow, packet)

    def _somebody(self, flow: Flow, packet: Pending) -> None:
        ends = flow.ends
        listener = (ends.local, ends.local_port or 0)
        if packet.somebody is _SYN_IN and listener not in self._listening:
            if not self._see(flow, _LISTEN, packet.number, ends):
                self._listening.add(listener)
            return
        self._see(flow, packet.somebody, packet.number, ends)

    # -- the rest ----------------------------------------------------------------------------------------------------

    def _rst(self, flow: Flow, out: bool, flags: int, length: int, seq: int, number: int, whole: bool) -> None:
        if out and flow.pending is not None and (flow.syn >= 0 or not flags & _ACK):
            pending, flow.pending, flow.state = flow.pending, None, NOBODY
            if flow.seen_open:
                flow.seen_open = False
                self._table.open_at_start -= 1
            for packet in pending:
                self._see(flow, packet.nobody, packet.number, flow.ends)
            self._see(flow, _RST_OUT, number, flow.ends)
            return
        if out and flow.state == NOBODY:
            self._see(flow, _RST_OUT, number, flow.ends)
            return
        self.answered(flow)
        fresh = self._fresh(flow, out, length, seq)
        closes, flow.state = self._closes(flow), ENDED
        self._emit(flow, _abort_plan(out, fresh, closes), number, whole)

    def _text(self, flow: Flow, out: bool, flags: int, length: int, seq: int, number: int, whole: bool) -> None:
        if flow.state == WAITING and not out and flow.syn < 0 and flow.pending is None:
            fresh = self._fresh(flow, out, length, seq)
            made = segment_plan(False, fin=bool(flags & _FIN), text=length > 0, fresh=fresh)
            flow.fins |= _FIN_IN if flags & _FIN else 0
            self._wait(flow, number, made, whole)
            return
        self.answered(flow)
        established = bool(flags & _ACK) and flow.state == (SYN_ACK_SEEN if out else SYN_ACK_SENT)
        if established:
            flow.state = OPEN
        fresh = self._fresh(flow, out, length, seq)
        closes = 0
        if flow.state == CLOSING and out is not flow.last_fin_out and flags & _ACK:
            closes, flow.state = self._closes(flow), ENDED
        if flags & _FIN:
            self._fin(flow, out)
        made = segment_plan(
            out, fin=bool(flags & _FIN), text=length > 0, fresh=fresh, established=established, closes=closes
        )
        self._emit(flow, made, number, whole)

    def _fin(self, flow: Flow, out: bool) -> None:
        before = flow.fins
        flow.fins |= _FIN_OUT if out else _FIN_IN
        if flow.fins == _FIN_OUT | _FIN_IN != before:
            flow.state, flow.last_fin_out = CLOSING, out

    def _fresh(self, flow: Flow, out: bool, length: int, seq: int) -> bool:
        """Whether the payload has bytes that were not seen before."""
        if not length:
            return False
        end, expected = (seq + length) & _MASK, flow.next_out if out else flow.next_in
        fresh = expected < 0 or 0 < (end - expected) & _MASK < _HALF
        if fresh and out:
            flow.next_out = end
        elif fresh:
            flow.next_in = end
        return fresh

    def _closes(self, flow: Flow) -> int:
        """How the endpoint ends, which it does once."""
        if flow.fins & _CLOSED:
            return 0
        flow.fins |= _CLOSED
        return CLOSES_SOCKET if flow.ends.way == "out" and not flow.seen_open else CLOSES_ENDPOINT

    def _emit(self, flow: Flow, made: Plan, number: int, whole: bool) -> None:
        self._see(flow, reassembled(made) if whole else made, number, flow.ends)


def _abort_plan(out: bool, fresh: bool, closes: int) -> Plan:
    stream = segment_plan(out, fin=True, text=True, fresh=True).steps
    carried = tuple(step for step in stream if step.sequence.startswith("tcp-data")) if fresh else ()
    rst = (f"tcp-abort-{'out' if out else 'in'}",)
    return plan(*((*carried, *rst) if out else (*rst, *carried)), *closing(closes))
