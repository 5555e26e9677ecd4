"""What a TCP connection asks of its host: an ordered list of these, the answer to every call.

The order is meant: the host carries the effects out one after the other. A host that drops an `Emit` loses the
segment as a network would; the timers send it again.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Union

from tamiz.wire.tcp import Segment, TcpFlags


class SegmentKind(enum.Enum):
    """The word for a segment in a trace; `value` is the printed form."""

    SYN = "SYN"
    SYN_ACK = "SYN-ACK"
    ACK = "ACK"
    DATA = "DATA"
    FIN = "FIN"
    RST = "RST"


_WORDS = (  # the first row whose flags are all set
    (TcpFlags.RST, SegmentKind.RST),
    (TcpFlags.SYN | TcpFlags.ACK, SegmentKind.SYN_ACK),
    (TcpFlags.SYN, SegmentKind.SYN),
    (TcpFlags.FIN, SegmentKind.FIN),
)


def kind_of(segment: Segment) -> SegmentKind:
    """The word for any segment, sent or received. RST before SYN before FIN before data."""
    for flags, kind in _WORDS:
        if segment.flags & flags == flags:
            return kind
    return SegmentKind.DATA if segment.payload else SegmentKind.ACK


@dataclass(frozen=True, slots=True)
class Emit:
    """Send `segment`. `retransmission`: it repeats sequence numbers that were sent before."""

    segment: Segment
    kind: SegmentKind
    retransmission: bool = False


@dataclass(frozen=True, slots=True)
class Established:
    """The handshake is complete. On the active side it stands before the `Emit` of the final ACK."""


@dataclass(frozen=True, slots=True)
class Received:
    """The next bytes of the stream, in order. They count against the window until `consumed`."""

    data: bytes


@dataclass(frozen=True, slots=True)
class PeerFinished:
    """The peer's FIN is in order: no more `Received`. The peer may still read."""


@dataclass(frozen=True, slots=True)
class Reset:
    """The connection ended by a RST: the peer's, or our own `abort`. `Closed` follows."""

    by_peer: bool


@dataclass(frozen=True, slots=True)
class Refused:
    """A RST answered our SYN ("connection refused"). `Closed` follows."""


@dataclass(frozen=True, slots=True)
class TimedOut:
    """The peer did not answer in time: retries or the user timeout are used up. `Closed` follows."""


@dataclass(frozen=True, slots=True)
class EnteredTimeWait:
    """Both directions are finished; the port pair stays taken for 2 MSL, then `Closed`."""


@dataclass(frozen=True, slots=True)
class Closed:
    """The connection is gone and gives no effect any more. Always last, once."""


Effect = Union[Emit, Established, Received, PeerFinished, Reset, Refused, TimedOut, EnteredTimeWait, Closed]
Effects = list[Effect]
