"""What a host asks of whoever drives it: every operation is a generator that yields these and gets answers.

Only `Classify` is answered: with a `Decision`, or with `Pended` where a callout keeps the operation
(FwpsPendOperation0). Everything else is answered with None. A host never sees a filter and a driver never sees a
packet's meaning; they meet here. DEPENDS goes on as a permit does: the driver notes it.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import Final, Literal, TypeVar, Union

from tamiz.model.decisions import Decision
from tamiz.model.facts import Facts
from tamiz.model.keys import LayerKey

Way = Literal["in", "out"]


@dataclass(frozen=True, slots=True)
class Classify:
    """One classify call at `layer` with `facts`.

    `event`: what happened (bind, listen, connect, accept, send, sendto, receive, close, packet, timer). `packet`: the
    word of the packet that goes with the indication, None where there is none [D: wfp-layer-requirements-and-
    restrictions]. `direction`: of the packet or the call. `flow`: the flow's handle, where there is one. `inferred`:
    a capture proves it, no event said it. `length`: bytes of stream data at STREAM, else None.
    """

    layer: LayerKey
    facts: Facts
    event: str
    packet: str | None = None
    direction: Way | None = None
    note: str = ""
    flow: int | None = None
    inferred: bool = False
    length: int | None = None


@dataclass(frozen=True, slots=True)
class Transmit:
    """One IP packet leaves by the interface with LUID `interface`. `loopback`: it stays on this host, which takes it
    in by itself; the driver only records it."""

    packet: bytes
    word: str
    interface: int
    loopback: bool = False


@dataclass(frozen=True, slots=True)
class Deliver:
    """Data became readable at socket `socket`, from `remote` (packed address, port or ICMP type)."""

    socket: int
    data: bytes
    remote: tuple[bytes, int]


@dataclass(frozen=True, slots=True)
class Failed:
    """What the application sees: `operation` (bind, connect, ...) on `socket` fails with `error` (Winsock name and
    number)."""

    operation: str
    error: str
    socket: int | None = None


@dataclass(frozen=True, slots=True)
class Completed:
    """A step that meets no layer, such as the completed listen."""

    event: str
    note: str
    socket: int | None = None


@dataclass(frozen=True, slots=True)
class Dropped:
    """The stack itself drops a packet.

    `reason`: the enumerator of IP_DISCARD_REASON or INET_DISCARD_REASON; words where no page names one. `offset`: the
    byte of the packet at fault, where it is malformed.
    """

    reason: str
    word: str | None = None
    offset: int | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Note:
    """Something worth saying that is none of the above."""

    text: str
    socket: int | None = None


@dataclass(frozen=True, slots=True)
class Pended:
    """An answer to `Classify`: a callout pended the operation and blocked with ABSORB (ale.md 6)."""

    decision: Decision


Request = Union[Classify, Transmit, Deliver, Failed, Completed, Dropped, Note]
Answer = Union[Decision, Pended, None]
T = TypeVar("T")
Operation = Generator[Request, Answer, T]

# Winsock errors, as the application sees them
ACCESS: Final = "WSAEACCES 10013"
ABORTED: Final = "WSAECONNABORTED 10053"
RESET: Final = "WSAECONNRESET 10054"
TIMED_OUT: Final = "WSAETIMEDOUT 10060"
REFUSED: Final = "WSAECONNREFUSED 10061"
UNREACHABLE: Final = "WSAENETUNREACH 10051"
IN_USE: Final = "WSAEADDRINUSE 10048"
NOT_AVAILABLE: Final = "WSAEADDRNOTAVAIL 10049"
INVALID: Final = "WSAEINVAL 10022"
NOT_SUPPORTED: Final = "WSAEOPNOTSUPP 10045"
NOT_CONNECTED: Final = "WSAENOTCONN 10057"
TOO_BIG: Final = "WSAEMSGSIZE 10040"
