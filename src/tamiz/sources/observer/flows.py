"""What an observer sees of a conversation: its two ends, its flow, and the sequences that a packet proves.

A `Plan` is the answer to one packet: the sequences of `tamiz.stack.sequences` that it proves, in order, some of them
inferred (they were met before the packet, or after it, and no packet shows them). Plans are few and made once, so that
whoever judges them can remember by identity.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any, Final, NamedTuple, Protocol

from tamiz.stack.fields import Embedded
from tamiz.stack.requests import Way
from tamiz.stack.rows import Unit

Key = tuple[int, bytes, bytes, int, int, int]  # protocol, local, remote, ports (or ICMP type, code), ICMP identifier


class Step(NamedTuple):
    """One sequence, by name, without the rows of the units in `leave`. `inferred`: no packet shows it."""

    sequence: str
    inferred: bool = False
    leave: frozenset[Unit] = frozenset()


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """The sequences that a packet proves. `opens`: without this packet there is no flow."""

    steps: tuple[Step, ...]
    opens: bool = False


_OTHER_THAN_DATA: Final = frozenset(Unit) - {Unit.DATA}
_OTHER_THAN_ENDPOINT: Final = frozenset(Unit) - {Unit.ENDPOINT}
_DATA: Final = frozenset({Unit.DATA})
_FRAGMENTED: Final = (Step("fragment-in"), Step("reassembled-in"))


@cache
def plan(*steps: Step | str, opens: bool = False) -> Plan:
    """The one plan of these steps; a name alone is the whole sequence."""
    return Plan(tuple(Step(step) if isinstance(step, str) else step for step in steps), opens)


def inferred(*names: str) -> tuple[Step, ...]:
    """Steps that no packet shows."""
    return tuple(Step(name, inferred=True) for name in names)


@cache
def reassembled(whole: Plan) -> Plan:
    """The plan of an inbound packet whose last missing fragment came: its IP layer was met by fragments."""
    before = tuple(step for step in whole.steps if step.inferred)
    packet = (s._replace(leave=s.leave | {Unit.DATAGRAM}) for s in whole.steps[len(before) :])
    return plan(*before, *_FRAGMENTED, *packet, opens=whole.opens)


FRAGMENT_IN: Final = plan("fragment-in")
NO_LAYER: Final = plan()


@cache
def segment_plan(out: bool, *, fin: bool, text: bool, fresh: bool, established: bool = False, closes: int = 0) -> Plan:
    """The plan of a segment of an open connection.

    `text`: it has a payload; `fresh`: some of it is new to the stream. `established`: it completes the handshake.
    `closes`: it is the last of the connection, see `closing`.
    """
    way = "out" if out else "in"
    carrier = Step(f"tcp-{'fin' if fin else 'data' if text else 'ack'}-{way}", leave=_DATA)
    stream = (Step(f"tcp-data-{way}", leave=_OTHER_THAN_DATA),) if fresh else ()
    done = (Step(f"tcp-established-{'client' if out else 'server'}"),) if established else ()
    steps = (*done, *stream, carrier) if out else (carrier, *done, *stream)
    return plan(*steps, *closing(closes))


CLOSES_ENDPOINT, CLOSES_SOCKET = 1, 2


def closing(closes: int) -> tuple[Step, ...]:
    """The end of an endpoint: an accepted one holds no resource of its own, a client's socket does."""
    if not closes:
        return ()
    return (Step("close", True, frozenset() if closes == CLOSES_SOCKET else _OTHER_THAN_ENDPOINT),)


class Ends:
    """Who speaks to whom, seen from the local side. Never changes, so that what is known of it can be kept in `memo`.

    Ports are an ICMP message's type and code; None for protocols that have none. `way`: direction of the packet that
    opened the flow; `original`: the ICMP type that opened it; `embedded`: what an ICMP error quotes. `memo` is the
    judge's.
    """

    __slots__ = (
        "embedded", "local", "local_port", "loopback", "memo", "original", "protocol", "remote", "remote_port", "way",
    )  # fmt: skip

    def __init__(
        self,
        protocol: int,
        local: bytes,
        remote: bytes,
        local_port: int | None,
        remote_port: int | None,
        way: Way,
        loopback: bool = False,
        original: int | None = None,
        embedded: Embedded | None = None,
    ) -> None:
        self.protocol, self.local, self.remote = protocol, local, remote
        self.local_port, self.remote_port = local_port, remote_port
        self.way, self.loopback, self.original, self.embedded = way, loopback, original, embedded
        self.memo: Any = None


# States of a flow. WAITING: inbound, and not known yet whether anybody listens. NOBODY: nobody did.
WAITING, NOBODY, SYN_SENT, SYN_ACK_SEEN, SYN_ACK_SENT, OPEN, CLOSING, ENDED = range(8)


class Pending(NamedTuple):
    """A packet that waits for the local side's answer: what it proves if somebody listens, and if nobody does."""

    number: int
    somebody: Plan
    nobody: Plan
    ends: Ends


class Flow:
    """What the observer remembers of a flow. `blocked` and `marks` are the judge's: see `Sink`.

    `last`: when a packet was seen, in ns. `next_out`, `next_in`: TCP's next sequence numbers, -1 where not known.
    `syn`: the number of the SYN that opened it. `fins`: which sides have finished. `seen_open`: it was open before.
    """

    __slots__ = (
        "blocked", "ends", "fins", "last", "last_fin_out", "lifetime", "marks", "next_in", "next_out",
        "pending", "seen_open", "state", "syn",
    )  # fmt: skip

    def __init__(self, ends: Ends, state: int, now: int, lifetime: int | None = None) -> None:
        self.ends, self.state, self.last, self.lifetime = ends, state, now, lifetime
        self.pending: list[Pending] | None = None
        self.next_out = self.next_in = self.syn = -1
        self.fins = 0
        self.last_fin_out = self.seen_open = self.blocked = False
        self.marks: Any = None


class Sink(Protocol):
    """Whoever judges what the observer saw."""

    def see(self, flow: Flow | None, plan: Plan, number: int, ends: Ends) -> bool:
        """Packet `number` proves `plan`. Sets `flow.blocked` where the flow would not exist under the policy. True
        when already a call that was inferred fails. Of a loopback packet both halves are seen, the sender's first."""

    def again(self, number: int) -> None:
        """Packet `number` is another piece of the packet seen last."""

    def done(self, flow: Flow) -> None:
        """Nothing more will come of `flow`."""
