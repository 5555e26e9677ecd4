"""The flow pages: whole conversations of two hosts, strung together from `sequences.SEQUENCES`.

One table for the documentation, `tamiz trace` and the tests. A `Leg` is one sequence at one host; `parts` limits it to
rows of those units. What follows on the wire after the last documented step (such as the acknowledgement of data) is
not listed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal

from .rows import CREATING, Row, Unit
from .sequences import SEQUENCES

Role = Literal["client", "server"]


@dataclass(frozen=True, slots=True)
class Leg:
    """`sequence` at `role`; `blocked_at`: the layer there that blocks, after which `discard` is indicated."""

    role: Role
    sequence: str
    parts: tuple[Unit, ...] = ()
    blocked_at: str | None = None

    @property
    def rows(self) -> tuple[Row, ...]:
        """The rows of the leg, up to the one that blocks."""
        found = SEQUENCES[self.sequence]
        rows = found.part(*self.parts) if self.parts else found.rows
        names = [row.layer for row in rows]
        return rows[: names.index(self.blocked_at) + 1] if self.blocked_at in names else rows


def _legs(*pairs: tuple[Role, str]) -> tuple[Leg, ...]:
    return tuple(Leg(role, name) for role, name in pairs)


PASSIVE_OPEN: Final = _legs(("server", "bind"), ("server", "tcp-listen"))
ACTIVE_OPEN: Final = _legs(("client", "bind"), ("client", "tcp-connect"), ("client", "tcp-syn-out"))
HANDSHAKE: Final = _legs(
    ("server", "tcp-syn-in"),
    ("server", "tcp-syn-ack-out"),
    ("client", "tcp-syn-ack-in"),
    ("client", "tcp-established-client"),
    ("client", "tcp-ack-out"),
    ("server", "tcp-ack-in"),
    ("server", "tcp-established-server"),
    ("server", "tcp-listen-completes"),
)
ESTABLISH: Final = PASSIVE_OPEN + ACTIVE_OPEN + HANDSHAKE
_UDP_FIRST: Final = _legs(
    ("server", "bind"), ("client", "bind"), ("client", "udp-first-out"), ("server", "udp-first-in")
)
_UDP_REPLY: Final = _legs(("server", "udp-out"), ("client", "udp-in"))
_UDP_CLOSE: Final = _legs(("client", "close"), ("server", "close"))

FLOW_PAGES: Final[Mapping[str, tuple[Leg, ...]]] = MappingProxyType(
    {
        "tcp-establish": ESTABLISH,
        "tcp-no-listener": ACTIVE_OPEN
        + _legs(("server", "tcp-no-endpoint-in"), ("server", "tcp-rst-out"), ("client", "tcp-abort-in")),
        "tcp-data": ESTABLISH + _legs(("client", "tcp-data-out"), ("server", "tcp-data-in")),
        "tcp-reauthorize": ESTABLISH + _legs(("client", "tcp-data-out"), ("server", "tcp-reauthorize-in")),
        "tcp-reauthorize-fail": ESTABLISH
        + _legs(("client", "tcp-data-out"))
        + (Leg("server", "tcp-reauthorize-in", blocked_at=CREATING),),
        "tcp-terminate": ESTABLISH
        + _legs(
            ("client", "tcp-fin-out"),
            ("server", "tcp-fin-in"),
            ("server", "tcp-ack-out"),
            ("client", "tcp-ack-in"),
            ("server", "tcp-fin-out"),
            ("client", "tcp-fin-in"),
            ("client", "tcp-ack-out"),
        )
        + _legs(("client", "close"))
        + _legs(("server", "tcp-ack-in"))
        + (Leg("server", "close", (Unit.ENDPOINT,)),)  # the connection
        + _legs(("server", "close")),  # the listener
        "udp-exchange": _UDP_FIRST + _UDP_REPLY,
        "udp-no-listener": _legs(
            ("client", "bind"),
            ("client", "udp-first-out"),
            ("server", "no-endpoint-in"),
            ("server", "icmp-error-out"),
            ("client", "icmp-error-in"),
        ),
        "udp-reauthorize": _UDP_FIRST + _legs(("client", "udp-out"), ("server", "udp-reauthorize-in")),
        "udp-reauthorize-fail": _UDP_FIRST
        + _legs(("client", "udp-out"))
        + (Leg("server", "udp-reauthorize-in", blocked_at=CREATING),),
        "udp-terminate": _UDP_FIRST + _UDP_CLOSE,
        "icmp-echo": _legs(
            ("client", "icmp-bind"),
            ("client", "icmp-first-out"),
            ("server", "icmp-first-in"),
            ("server", "icmp-out"),
            ("client", "icmp-in"),
        ),
    }
)
