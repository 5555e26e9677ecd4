"""The documented packet flows: for each event, the layers met and their order.

Theory of operation. A `Sequence` is one event at one host: a call, or a packet that arrives or leaves. Its rows are
the layers, in order; a row names a base layer ("ALE_AUTH_CONNECT"), from which `layer_key` makes the V4 or V6 layer.
The host works out which event it has before it (is there a listener? a flow? does the flow need reauthorization?)
and then walks the rows of that sequence, and nothing else: the order of a trace, of the documentation page and of the
tests is the order of these tables. `flow_pages` strings the sequences of both hosts together, as the flow pages do.

Marks: D documented, I inferred, O observed; `page` is Microsoft's page, `section` that of spec packet-flows.md.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final

from tamiz.model._tables import ConditionFlags
from tamiz.model.reading import Reading
from tamiz.model.windows import SEVEN, VISTA, WindowsVersion

from .requests import Way
from .rows import CREATING, Condition, Row, Sequence, Source, Unit

# -- rows that many sequences share ----------------------------------------------------------------------------------

_TCP_PAGE, _UDP_PAGE = "tcp-packet-flows", "udp-packet-flows"
_STREAM_PACKET: Final = Source("management-filtering-layer-identifiers-", "1.5", "I")
_REAUTHORIZE: Final = ConditionFlags.IS_REAUTHORIZE


def _stream_packet(way: Way, packet: str | None) -> Row:
    return Row(
        "STREAM_PACKET",
        "packet",
        Unit.SEGMENT,
        _STREAM_PACKET,
        way,
        packet,
        since=SEVEN,
        when=Condition.IN_USE,
    )


def _wire_out(source: Source, packet: str | None = None) -> tuple[Row, ...]:
    return (
        Row("OUTBOUND_TRANSPORT", "packet", Unit.SEGMENT, source, "out", packet),
        Row("OUTBOUND_IPPACKET", "packet", Unit.DATAGRAM, source, "out", packet),
    )


def _wire_in(source: Source, packet: str | None = None) -> tuple[Row, ...]:
    return (
        Row("INBOUND_IPPACKET", "packet", Unit.DATAGRAM, source, "in", packet),
        Row("INBOUND_TRANSPORT", "packet", Unit.SEGMENT, source, "in", packet),
    )


def _segment_out(name: str, title: str, source: Source, packet: str) -> Sequence:
    return Sequence(name, title, (_stream_packet("out", packet), *_wire_out(source, packet)))


def _segment_in(name: str, title: str, source: Source, packet: str) -> Sequence:
    return Sequence(name, title, (*_wire_in(source, packet), _stream_packet("in", packet)))


def _call(layer: str, event: str, source: Source, way: Way | None = None, **rest: WindowsVersion) -> Row:
    return Row(layer, event, Unit.CALL, source, way, "", since=rest.get("since", VISTA))


# -- TCP -------------------------------------------------------------------------------------------------------------

_OPEN: Final = Source(_TCP_PAGE, "1.2", "D")
_HANDSHAKE: Final = Source(_TCP_PAGE, "1.3", "D")
_NO_LISTENER: Final = Source(_TCP_PAGE, "1.4", "D")
_DATA: Final = Source(_TCP_PAGE, "1.5", "D")
_REAUTH: Final = Source(_TCP_PAGE, "1.6", "D")
_END: Final = Source(_TCP_PAGE, "1.7", "I")
_COMPLETION: Final = Source("processing-classify-callouts-asynchronously", "1.6, ale.md 6", "D")
_CLOSURE: Final = Source("ale-endpoint-lifetime-management", "1.7", "D")

_TCP: Final = (
    Sequence(
        "bind",
        "a socket is bound, explicitly or by its first use",
        (
            _call("ALE_BIND_REDIRECT", "bind", Source(_TCP_PAGE, "1.1", "D"), since=SEVEN),
            _call("ALE_RESOURCE_ASSIGNMENT", "bind", Source(_TCP_PAGE, "1.1", "D")),
        ),
    ),
    Sequence("tcp-listen", "listen()", (_call("ALE_AUTH_LISTEN", "listen", Source(_TCP_PAGE, "1.1", "D")),)),
    Sequence(
        "tcp-connect",
        "connect(), before the SYN exists",
        (
            _call("ALE_CONNECT_REDIRECT", "connect", _OPEN, "out", since=SEVEN),
            _call("ALE_AUTH_CONNECT", "connect", _OPEN, "out"),
        ),
    ),
    Sequence(
        "tcp-connect-completes",
        "a pended connect() completes: authorized again at once",
        (replace(_call("ALE_AUTH_CONNECT", "connect", _COMPLETION, "out"), flags=_REAUTHORIZE),),
    ),
    _segment_out("tcp-syn-out", "a SYN leaves", _OPEN, "SYN"),
    Sequence(
        "tcp-syn-in",
        "a SYN arrives at a listener",
        (
            *_wire_in(_HANDSHAKE, "SYN"),
            Row("ALE_AUTH_RECV_ACCEPT", "packet", Unit.FLOW, _HANDSHAKE, "in", "SYN"),
            _stream_packet("in", "SYN"),
        ),
    ),
    _segment_in(
        "tcp-syn-again-in", "the same SYN arrives again: it is not authorized again",
        Source(_TCP_PAGE, "1.3", "I"), "SYN",
    ),
    _segment_in(
        "tcp-backlog-full-in", "a SYN arrives at a listener whose backlog is full: it is dropped in silence",
        Source(_TCP_PAGE, "1.3", "I"), "SYN",
    ),
    _segment_out("tcp-syn-ack-out", "a SYN-ACK leaves", _HANDSHAKE, "SYN-ACK"),
    _segment_in("tcp-syn-ack-in", "a SYN-ACK arrives", _HANDSHAKE, "SYN-ACK"),
    Sequence(
        "tcp-established-client",
        "the client's flow is established, before its ACK leaves",
        (Row("ALE_FLOW_ESTABLISHED", "packet", Unit.FLOW, _HANDSHAKE, "out", "ACK"),),
    ),
    _segment_out("tcp-ack-out", "an ACK leaves", _HANDSHAKE, "ACK"),
    _segment_in("tcp-ack-in", "an ACK arrives", _HANDSHAKE, "ACK"),
    Sequence(
        "tcp-established-server",
        "the server's flow is established",
        (Row("ALE_FLOW_ESTABLISHED", "packet", Unit.FLOW, _HANDSHAKE, "in", "ACK"),),
    ),
    Sequence(
        "tcp-listen-completes",
        "the listen completes: accept() returns and meets no layer",
        (
            Row(
                None, "listen", Unit.CALL, _HANDSHAKE, None, "",
                note="the listen completes; accept() returns and meets no layer",
            ),
        ),
    ),
    Sequence(
        "tcp-no-endpoint-in",
        "a segment arrives for which there is no connection and no listener",
        (
            Row("INBOUND_IPPACKET", "packet", Unit.DATAGRAM, _NO_LISTENER, "in"),
            Row("INBOUND_TRANSPORT_DISCARD", "packet", Unit.SEGMENT, _NO_LISTENER, "in"),
        ),
    ),
    Sequence("tcp-rst-out", "a RST leaves that belongs to no connection", _wire_out(_NO_LISTENER, "RST")),
    Sequence(
        "tcp-data-out",
        "an application sends data",
        (
            Row("STREAM", "send", Unit.DATA, _DATA, "out", "DATA"),
            _stream_packet("out", "DATA"),
            *_wire_out(_DATA, "DATA"),
        ),
    ),
    Sequence(
        "tcp-data-in",
        "data arrives",
        (
            *_wire_in(_DATA, "DATA"),
            _stream_packet("in", "DATA"),
            Row("STREAM", "receive", Unit.DATA, _DATA, "in", "DATA"),
        ),
    ),
    Sequence(
        "tcp-reauthorize-in",
        "a segment arrives on a flow that needs reauthorization",
        (
            *_wire_in(_REAUTH),
            Row(CREATING, "packet", Unit.FLOW, _REAUTH, "in", flags=_REAUTHORIZE),
            _stream_packet("in", None),
            Row("STREAM", "receive", Unit.DATA, _REAUTH, "in", "DATA"),
        ),
    ),
    Sequence(
        "tcp-reauthorize-out",
        "a segment leaves on a flow that needs reauthorization",
        (
            Row("STREAM", "send", Unit.DATA, Source(_TCP_PAGE, "1.6", "I"), "out", "DATA"),
            Row(CREATING, "packet", Unit.FLOW, Source(_TCP_PAGE, "1.6", "I"), "out", flags=_REAUTHORIZE),
            _stream_packet("out", None),
            *_wire_out(Source(_TCP_PAGE, "1.6", "I")),
        ),
    ),
    _segment_out("tcp-fin-out", "a FIN leaves", _END, "FIN"),
    _segment_in("tcp-fin-in", "a FIN arrives", _END, "FIN"),
    _segment_out("tcp-abort-out", "a RST leaves that ends a connection", _END, "RST"),
    _segment_in("tcp-abort-in", "a RST arrives that ends a connection", _END, "RST"),
    Sequence(
        "close",
        "an endpoint is closed",
        (
            Row("ALE_ENDPOINT_CLOSURE", "close", Unit.ENDPOINT, _CLOSURE, None, "", since=SEVEN),
            Row("ALE_RESOURCE_RELEASE", "close", Unit.RESOURCE, _CLOSURE, None, "", since=SEVEN),
        ),
    ),
)  # fmt: skip

# -- UDP, and what follows its pattern -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Pattern:
    """The differences between the protocols that follow the pattern of UDP."""

    name: str
    what: str
    packet: str | None
    first: Source
    later: Source
    reauthorize: Source
    redirects: bool

    @property
    def article(self) -> str:
        return "an" if self.what.startswith("ICMP") else "a"


def _datagrams(p: _Pattern) -> Iterator[Sequence]:
    """The sequences of one protocol, named after it."""
    redirect = Row("ALE_CONNECT_REDIRECT", "sendto", Unit.FLOW, p.first, "out", "", since=SEVEN)
    connect = Row("ALE_AUTH_CONNECT", "sendto", Unit.FLOW, p.first, "out", p.packet)
    established = Row("ALE_FLOW_ESTABLISHED", "sendto", Unit.FLOW, p.first, "out", p.packet)
    data = Row("DATAGRAM_DATA", "sendto", Unit.DATA, p.first, "out", p.packet)
    opening = (*((redirect,) if p.redirects else ()), connect, established)
    yield Sequence(
        f"{p.name}-first-out", f"the first {p.what} to a remote endpoint leaves",
        (*opening, data, *_wire_out(p.first, p.packet)),
    )  # fmt: skip
    yield Sequence(
        f"{p.name}-out",
        f"a later {p.what} leaves",
        (replace(data, source=p.later), *_wire_out(p.later, p.packet)),
    )
    arrives = replace(data, event="packet", direction="in")
    yield Sequence(
        f"{p.name}-first-in", f"the first {p.what} from a remote endpoint arrives",
        (
            *_wire_in(p.first, p.packet),
            Row("ALE_AUTH_RECV_ACCEPT", "packet", Unit.FLOW, p.first, "in", p.packet),
            replace(established, event="packet", direction="in"),
            arrives,
        ),
    )  # fmt: skip
    yield Sequence(
        f"{p.name}-in",
        f"a later {p.what} arrives",
        (*_wire_in(p.later, p.packet), replace(arrives, source=p.later)),
    )
    again = Row(CREATING, "packet", Unit.FLOW, p.reauthorize, "in", p.packet, flags=_REAUTHORIZE)
    yield Sequence(
        f"{p.name}-reauthorize-in", f"{p.article} {p.what} arrives on a flow that needs reauthorization",
        (*_wire_in(p.reauthorize, p.packet), again, replace(arrives, source=p.reauthorize)),
    )  # fmt: skip
    out = replace(p.reauthorize, mark="I")
    yield Sequence(
        f"{p.name}-reauthorize-out", f"{p.article} {p.what} leaves on a flow that needs reauthorization",
        (
            replace(again, source=out, event="sendto", direction="out"),
            replace(data, source=out),
            *_wire_out(out, p.packet),
        ),
    )  # fmt: skip


_ICMP_SOURCE: Final = Source("ale-stateful-filtering", "3", "I")
_RAW_SOURCE: Final = Source("ale-layers", "3", "I")
_PATTERNS: Final = (
    _Pattern(
        "udp", "UDP datagram", "UDP", Source(_UDP_PAGE, "2.1", "D"), Source("ale-stateful-filtering", "2.2", "I"),
        Source(_UDP_PAGE, "2.4", "D"), redirects=True,
    ),
    _Pattern("icmp", "ICMP message", "ICMP", _ICMP_SOURCE, _ICMP_SOURCE, _ICMP_SOURCE, redirects=False),
    _Pattern("raw", "packet of a raw socket", None, _RAW_SOURCE, _RAW_SOURCE, _RAW_SOURCE, redirects=False),
)  # fmt: skip

_NO_ENDPOINT: Final = Source(_UDP_PAGE, "2.3", "D")
_UDP: Final = (
    Sequence(
        "udp-connect",
        "connect() on a UDP socket: authorized at the call",
        (
            _call("ALE_CONNECT_REDIRECT", "connect", Source(_UDP_PAGE, "2.2", "I"), "out", since=SEVEN),
            _call("ALE_AUTH_CONNECT", "connect", Source(_UDP_PAGE, "2.2", "I"), "out"),
            _call("ALE_FLOW_ESTABLISHED", "connect", Source(_UDP_PAGE, "2.2", "I"), "out"),
        ),
    ),
    Sequence(
        "udp-connect-completes",
        "a pended first send completes: the flow is made, the pended datagram is gone",
        (
            replace(_call("ALE_AUTH_CONNECT", "connect", _COMPLETION, "out"), flags=_REAUTHORIZE),
            _call("ALE_FLOW_ESTABLISHED", "connect", _COMPLETION, "out"),
        ),
    ),
    Sequence(
        "no-endpoint-in",
        "a datagram arrives for which there is no endpoint",
        (
            Row("INBOUND_IPPACKET", "packet", Unit.DATAGRAM, _NO_ENDPOINT, "in"),
            Row(
                "INBOUND_IPPACKET_DISCARD", "packet", Unit.SEGMENT, _NO_ENDPOINT, "in", reading=Reading.DOCUMENTED
            ),
            Row(
                "INBOUND_TRANSPORT_DISCARD", "packet", Unit.SEGMENT, Source("field-evidence R1", "2.3", "O"), "in",
                reading=Reading.OBSERVED,
            ),
        ),
    ),
    Sequence(
        "icmp-error-out",
        "an ICMP error leaves",
        (
            Row("OUTBOUND_ICMP_ERROR", "packet", Unit.SEGMENT, _NO_ENDPOINT, "out", "ICMP-ERROR"),
            *_wire_out(_NO_ENDPOINT, "ICMP-ERROR"),
        ),
    ),
    Sequence(
        "icmp-error-in",
        "an ICMP error arrives",
        (
            *_wire_in(_ICMP_SOURCE, "ICMP-ERROR"),
            Row("INBOUND_ICMP_ERROR", "packet", Unit.SEGMENT, _ICMP_SOURCE, "in", "ICMP-ERROR"),
        ),
    ),
    Sequence(
        "icmp-bind",
        "an application opens an ICMP handle",
        (_call("ALE_RESOURCE_ASSIGNMENT", "bind", _ICMP_SOURCE),),
    ),
    Sequence(
        "raw-bind",
        "a raw socket is created, or set to promiscuous mode",
        (_call("ALE_RESOURCE_ASSIGNMENT", "bind", Source("ale-layers", "3", "D")),),
    ),
)  # fmt: skip

# -- IP --------------------------------------------------------------------------------------------------------------

_FRAGMENTS: Final = Source("wfp-layer-requirements-and-restrictions", "4.5", "D")
_TRANSIT: Final = Source("packet-inspection-points", "4.2", "I")
_PASS_THRU: Final = Source("filtering-condition-flags", "4.2", "D")
_DISCARDED: Final = Source("network-layer-discard-reasons", "4.2", "I")
_BROKEN: Final = Source("network-layer-discard-reasons", "5 rule 2", "D")
_BROKEN_TRANSPORT: Final = Source("transport-layer-discard-reasons", "5 rule 2", "D")


_PLAIN: Final = ConditionFlags(0)


def _ip(layer: str, source: Source, flags: ConditionFlags = _PLAIN, way: Way = "in") -> Row:
    return Row(layer, "packet", Unit.DATAGRAM, source, way, flags=flags)


_IP: Final = (
    Sequence(
        "fragment-in",
        "one fragment of a packet for this host arrives",
        (
            _ip("INBOUND_IPPACKET", _FRAGMENTS),
            _ip("INBOUND_IPPACKET", _FRAGMENTS, ConditionFlags.IS_FRAGMENT),
        ),
    ),
    Sequence(
        "reassembled-in",
        "the last missing fragment is there",
        (_ip("INBOUND_IPPACKET", _FRAGMENTS, ConditionFlags.IS_REASSEMBLED),),
    ),
    Sequence("forward", "a packet in transit", (_ip("IPFORWARD", _TRANSIT),)),
    Sequence(
        "forward-group",
        "all fragments of a packet in transit, with fragment grouping",
        (_ip("IPFORWARD", Source(_PASS_THRU.page, "4.2", "D"), ConditionFlags.IS_FRAGMENT_GROUP),),
    ),
    Sequence(
        "pass-thru-in",
        "weak-host receive: for this host, by another of its interfaces",
        (_ip("IPFORWARD", _PASS_THRU, ConditionFlags.IS_INBOUND_PASS_THRU),),
    ),
    Sequence(
        "pass-thru-out",
        "weak-host send: from this host, by another of its interfaces",
        (_ip("IPFORWARD", _PASS_THRU, ConditionFlags.IS_OUTBOUND_PASS_THRU, "out"),),
    ),
    Sequence(
        "not-local-in", "a packet for another host, not forwarded",
        (_ip("INBOUND_IPPACKET_DISCARD", _DISCARDED),),
    ),
    Sequence("forward-fails", "a packet in transit that cannot go on", (_ip("IPFORWARD_DISCARD", _DISCARDED),)),
    Sequence("malformed-ip-in", "an IP header that cannot be read", (_ip("INBOUND_IPPACKET_DISCARD", _BROKEN),)),
    Sequence(
        "malformed-transport-in",
        "a transport header that cannot be read",
        (
            _ip("INBOUND_IPPACKET", _BROKEN_TRANSPORT),
            Row("INBOUND_TRANSPORT_DISCARD", "packet", Unit.SEGMENT, _BROKEN_TRANSPORT, "in"),
        ),
    ),
)  # fmt: skip

SEQUENCES: Final[Mapping[str, Sequence]] = MappingProxyType(
    {s.name: s for s in (*_TCP, *_UDP, *(s for p in _PATTERNS for s in _datagrams(p)), *_IP)}
)
