"""What follows a block at each layer: the next indication, the wire, and what the application sees.

The table is that of spec packet-flows.md 5. `After` is what the host does; `wire` and `application` say it in words,
for the documentation and for notes in a trace. General rules: after a block no later layer of that event is met
(rule 7); a block with ABSORB is indicated at no discard layer (rule 3); ABSORB has no effect at the layers where
ale.md 5.1 does not allow it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final

from .rows import Mark, Source


class Situation(Enum):
    """What distinguishes two blocks at the same layer."""

    ANY = "any"
    TCP = "first, TCP"
    DATAGRAM = "first, other protocols"
    REAUTHORIZE = "reauthorization"
    NO_ENDPOINT_TCP = "no endpoint, TCP"
    NO_ENDPOINT = "no endpoint, other protocols"


class After(Enum):
    """What the host does after the block."""

    FAIL = "the call fails with WSAEACCES"
    DROP = "the packet is dropped"
    TEAR_DOWN = "the packet is dropped and the flow torn down"
    CLOSE = "the connection is closed"
    TAKE_OUT = "the bytes are taken out of the stream"
    SUPPRESS = "no reply is generated"
    NOTHING = "nothing changes"


@dataclass(frozen=True, slots=True)
class Block:
    """One row: `discard` is whether the layer's discard layer is indicated next."""

    layer: str
    situation: Situation
    discard: bool
    after: After
    wire: str
    application: str
    source: Source


def _row(
    layer: str, situation: Situation, discard: bool, after: After, wire: str, application: str,
    page: str = "packet-flows", mark: Mark = "I",
) -> Block:  # fmt: skip
    return Block(layer, situation, discard, after, wire, application, Source(page, "5", mark))


_ANY, _TCP, _OTHER, _AGAIN = Situation.ANY, Situation.TCP, Situation.DATAGRAM, Situation.REAUTHORIZE
_LOST: Final = "TCP: sent again, then timed out; UDP: silent loss"
_IDS: Final = "management-filtering-layer-identifiers-"

BLOCKS: Final = (
    _row("ALE_BIND_REDIRECT", _ANY, False, After.FAIL, "nothing", "bind fails with WSAEACCES"),
    _row("ALE_RESOURCE_ASSIGNMENT", _ANY, True, After.FAIL,
        "nothing", "bind, implicit bind, raw socket or SIO_RCVALL fails with WSAEACCES", "ale-layers"),
    _row("ALE_AUTH_LISTEN", _ANY, True, After.FAIL,
        "nothing", "listen fails with WSAEACCES; later SYNs find no listener", "ale-layers"),
    _row("ALE_CONNECT_REDIRECT", _ANY, False, After.FAIL,
        "nothing", "connect or sendto fails with WSAEACCES"),
    _row("ALE_AUTH_CONNECT", _TCP, True, After.FAIL,
        "no SYN", "connect fails with WSAEACCES", "ale-layers"),
    _row("ALE_AUTH_CONNECT", _OTHER, True, After.FAIL,
        "the datagram is not sent, no flow is made", "sendto fails with WSAEACCES"),
    _row("ALE_AUTH_CONNECT", _AGAIN, True, After.TEAR_DOWN,
        "the packet is dropped", "TCP: connection aborted; UDP: a later send is authorized anew",
        "ale-re-authorization", "D"),
    _row("ALE_AUTH_RECV_ACCEPT", _TCP, True, After.DROP,
        "the SYN is dropped: no SYN-ACK, no RST", "nothing; the client tries again, then times out",
        "ale-layers"),
    _row("ALE_AUTH_RECV_ACCEPT", _OTHER, True, After.DROP,
        "dropped, no ICMP error, no flow is made", "nothing", "ale-layers"),
    _row("ALE_AUTH_RECV_ACCEPT", _AGAIN, True, After.TEAR_DOWN,
        "the packet is dropped", "TCP: connection reset", "tcp-packet-flows", "D"),
    _row("ALE_FLOW_ESTABLISHED", _ANY, True, After.CLOSE,
        "the connection is closed", "connect or accept fails", "ale-layers", "D"),
    _row("ALE_ENDPOINT_CLOSURE", _ANY, False, After.NOTHING, "nothing", "nothing: the result is ignored"),
    _row("ALE_RESOURCE_RELEASE", _ANY, False, After.NOTHING, "nothing", "nothing: the result is ignored"),
    _row("OUTBOUND_TRANSPORT", _ANY, True, After.DROP, "not sent", _LOST, _IDS),
    _row("OUTBOUND_IPPACKET", _ANY, True, After.DROP, "not sent", _LOST, _IDS),
    _row("INBOUND_IPPACKET", _ANY, True, After.DROP, "dropped, no reply", "nothing", _IDS),
    _row("INBOUND_TRANSPORT", _ANY, True, After.DROP, "dropped, no RST", "nothing", _IDS),
    _row("STREAM", _ANY, False, After.TAKE_OUT,
        "the connection stays", "the bytes are missing", "stream-inspection", "D"),
    _row("STREAM_PACKET", _ANY, False, After.DROP, "the segment is dropped", _LOST, _IDS),
    _row("DATAGRAM_DATA", _ANY, True, After.DROP,
        "the datagram is dropped", "outbound: the send succeeds; inbound: nothing", _IDS),
    _row("INBOUND_ICMP_ERROR", _ANY, True, After.DROP,
        "nothing", "the error is not delivered to the transport", _IDS, "D"),
    _row("OUTBOUND_ICMP_ERROR", _ANY, True, After.DROP,
        "the error is not sent", "the remote side sees silence", "preventing-port-scanning", "D"),
    _row("IPFORWARD", _ANY, True, After.DROP, "not forwarded, no ICMP error", "nothing", _IDS),
    _row("INBOUND_TRANSPORT_DISCARD", Situation.NO_ENDPOINT_TCP, False, After.SUPPRESS,
        "no RST", "the remote side times out", "tcp-packet-flows", "D"),
    # only in the observed reading: 55 of 60 drops here were followed by one of the ICMP error that was on its way
    _row("INBOUND_TRANSPORT_DISCARD", Situation.NO_ENDPOINT, False, After.NOTHING,
        "the ICMP error leaves all the same", "the remote side is told", "field-evidence R1", "O"),
    _row("INBOUND_IPPACKET_DISCARD", Situation.NO_ENDPOINT, False, After.SUPPRESS,
        "no ICMP error", "the remote side times out", "udp-packet-flows", "D"),
    *(
        _row(f"{base}_DISCARD", _ANY, False, After.NOTHING, "already dropped", "nothing", "ale-layers", "D")
        for base in (
            "ALE_RESOURCE_ASSIGNMENT", "ALE_AUTH_LISTEN", "ALE_AUTH_CONNECT", "ALE_AUTH_RECV_ACCEPT",
            "ALE_FLOW_ESTABLISHED", "OUTBOUND_TRANSPORT", "OUTBOUND_IPPACKET", "INBOUND_IPPACKET",
            "INBOUND_TRANSPORT", "DATAGRAM_DATA", "INBOUND_ICMP_ERROR", "OUTBOUND_ICMP_ERROR", "IPFORWARD",
        )
    ),
)  # fmt: skip
_CELLS: Final = {(block.layer, block.situation): block for block in BLOCKS}

# Where ABSORB works [D: ns-fwpstypes-fwps_classify_out0]; elsewhere it is ignored [I].
ABSORB: Final = frozenset(
    (
        "INBOUND_IPPACKET", "OUTBOUND_IPPACKET", "INBOUND_TRANSPORT", "OUTBOUND_TRANSPORT", "INBOUND_ICMP_ERROR",
        "OUTBOUND_ICMP_ERROR", "DATAGRAM_DATA", "STREAM_PACKET", "ALE_AUTH_RECV_ACCEPT", "ALE_AUTH_CONNECT",
        "ALE_FLOW_ESTABLISHED",
    )
)  # fmt: skip


def block_of(layer: str, situation: Situation) -> Block:
    """The row for a block at the base layer `layer`; one that holds in any situation where none is narrower."""
    return _CELLS.get((layer, situation)) or _CELLS[(layer, Situation.ANY)]


def discard_layer(layer: str, situation: Situation) -> str | None:
    """The base name of the next indication after a block, None where there is none (rules 1, 5, 6)."""
    return f"{layer}_DISCARD" if block_of(layer, situation).discard else None
