"""A TCP connection without I/O, RFC 9293 (see `connection`, which is the door)."""

from .config import TcpConfig, windows
from .connection import Connection
from .effects import (
    Closed,
    Effect,
    Effects,
    Emit,
    EnteredTimeWait,
    Established,
    PeerFinished,
    Received,
    Refused,
    Reset,
    SegmentKind,
    TimedOut,
    kind_of,
)
from .reset import reset_for
from .states import State

__all__ = [
    "Closed",
    "Connection",
    "Effect",
    "Effects",
    "Emit",
    "EnteredTimeWait",
    "Established",
    "PeerFinished",
    "Received",
    "Refused",
    "Reset",
    "SegmentKind",
    "State",
    "TcpConfig",
    "TimedOut",
    "kind_of",
    "reset_for",
    "windows",
]
