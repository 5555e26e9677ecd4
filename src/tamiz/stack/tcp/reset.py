"""The RST for a segment that belongs to no connection and no listener (RFC 9293 3.10.7.1)."""

from __future__ import annotations

from tamiz.wire.tcp import Segment, TcpFlags


def reset_for(segment: Segment) -> Segment | None:
    """The answer of a closed port; None to a RST, which is never answered."""
    if segment.rst:
        return None
    if segment.has_ack:
        return _reset(segment, seq=segment.ack, ack=0, flags=TcpFlags.RST)
    return _reset(segment, seq=0, ack=segment.end, flags=TcpFlags.RST | TcpFlags.ACK)


def _reset(segment: Segment, *, seq: int, ack: int, flags: TcpFlags) -> Segment:
    return Segment(segment.dst_port, segment.src_port, seq, ack, flags, window=0)
