"""What follows a block at every layer of the flows: the table of packet-flows.md 5, one policy with one filter a row.

Each row says what the host that blocks meets next at that moment, what each host puts on the wire, how it ends for
each, and what the application at each is told. A block at one layer must not make any later layer of the event be met.
"""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from tamiz.model.trace import OUTCOMES, Step, Trace
from tamiz.model.windows import WindowsVersion
from tamiz.stack.blocks import BLOCKS
from tests.drive.plays import met, perform, script, sees, sent, shown

FAMILIES = pytest.mark.parametrize("ip", [pytest.param(4, id="IPv4"), pytest.param(6, id="IPv6")])

ACCESS = "fails: WSAEACCES 10013"
ABORTED = "fails: WSAECONNABORTED 10053"
RESET = "fails: WSAECONNRESET 10054"
TIMED_OUT = "fails: WSAETIMEDOUT 10060"
REFUSED = "fails: WSAECONNREFUSED 10061"


@dataclass(frozen=True)
class Row:
    """A block at `layer` of `host`. `then`: what that host meets after it at the same moment."""

    layer: str
    host: str
    scenario: str
    then: tuple[str, ...]
    client_sends: str
    server_sends: str
    outcome: tuple[str, str]
    client_sees: tuple[str, ...] = ()
    server_sees: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.host}, {self.scenario}, {self.layer}"


def next_is_its_discard_layer(layer: str, word: str = "") -> tuple[str, ...]:
    return (f"{layer}_DISCARD {word}".strip(),)


D = next_is_its_discard_layer
LISTENS = "listen the listen completes; accept() returns and meets no layer"
GOT = "receive 33 bytes are readable"
THREE_SYNS = "SYN SYN SYN"  # the first, and two that are sent again

CALLS = [
    Row("ALE_BIND_REDIRECT", "server", "tcp-establish", (), "SYN", "RST", ("refused", "blocked"),
        (f"connect {REFUSED}",), (f"bind {ACCESS}",)),
    Row("ALE_BIND_REDIRECT", "client", "tcp-establish", (), "", "", ("blocked", "silent"), (f"connect {ACCESS}",)),
    Row("ALE_BIND_REDIRECT", "server", "udp-exchange", (), "UDP", "ICMP-ERROR", ("refused", "blocked"),
        (f"receive {RESET}",), (f"bind {ACCESS}",)),
    Row("ALE_BIND_REDIRECT", "client", "udp-exchange", (), "", "", ("blocked", "silent"), (f"sendto {ACCESS}",)),
    Row("ALE_RESOURCE_ASSIGNMENT", "server", "tcp-establish", D("ALE_RESOURCE_ASSIGNMENT"), "SYN", "RST",
        ("refused", "blocked"), (f"connect {REFUSED}",), (f"bind {ACCESS}",)),
    Row("ALE_RESOURCE_ASSIGNMENT", "client", "tcp-establish", D("ALE_RESOURCE_ASSIGNMENT"), "", "",
        ("blocked", "silent"), (f"connect {ACCESS}",)),
    Row("ALE_RESOURCE_ASSIGNMENT", "client", "udp-exchange", D("ALE_RESOURCE_ASSIGNMENT"), "", "",
        ("blocked", "silent"), (f"sendto {ACCESS}",)),
    Row("ALE_RESOURCE_ASSIGNMENT", "client", "icmp-echo", D("ALE_RESOURCE_ASSIGNMENT"), "", "",
        ("blocked", "silent"), (f"bind {ACCESS}",)),
    Row("ALE_AUTH_LISTEN", "server", "tcp-establish", D("ALE_AUTH_LISTEN"), "SYN", "RST", ("refused", "blocked"),
        (f"connect {REFUSED}",), (f"listen {ACCESS}",)),
    Row("ALE_CONNECT_REDIRECT", "client", "tcp-establish", (), "", "", ("blocked", "silent"), (f"connect {ACCESS}",)),
    Row("ALE_CONNECT_REDIRECT", "client", "udp-exchange", (), "", "", ("blocked", "silent"), (f"sendto {ACCESS}",)),
    Row("ALE_AUTH_CONNECT", "client", "tcp-establish", D("ALE_AUTH_CONNECT"), "", "", ("blocked", "silent"),
        (f"connect {ACCESS}",)),
    Row("ALE_AUTH_CONNECT", "client", "udp-exchange", D("ALE_AUTH_CONNECT", "UDP"), "", "", ("blocked", "silent"),
        (f"sendto {ACCESS}",)),
    Row("ALE_AUTH_CONNECT", "client", "icmp-echo", D("ALE_AUTH_CONNECT", "ICMP"), "", "", ("blocked", "silent"),
        (f"sendto {ACCESS}",)),
]  # fmt: skip

FLOWS = [
    Row("ALE_AUTH_RECV_ACCEPT", "server", "tcp-establish", D("ALE_AUTH_RECV_ACCEPT", "SYN"), THREE_SYNS, "",
        ("timed-out", "blocked"), (f"connect {TIMED_OUT}",)),
    Row("ALE_AUTH_RECV_ACCEPT", "server", "udp-exchange", D("ALE_AUTH_RECV_ACCEPT", "UDP"), "UDP", "",
        ("silent", "blocked")),
    Row("ALE_AUTH_RECV_ACCEPT", "server", "icmp-echo", D("ALE_AUTH_RECV_ACCEPT", "ICMP"), "ICMP", "",
        ("silent", "blocked")),
    Row("ALE_FLOW_ESTABLISHED", "client", "tcp-establish",
        (*D("ALE_FLOW_ESTABLISHED", "ACK"), "OUTBOUND_TRANSPORT RST", "OUTBOUND_IPPACKET RST"), "SYN RST", "SYN-ACK",
        ("blocked", "silent"), (f"connect {ABORTED}",)),
    Row("ALE_FLOW_ESTABLISHED", "server", "tcp-establish",
        (*D("ALE_FLOW_ESTABLISHED", "ACK"), "OUTBOUND_TRANSPORT RST", "OUTBOUND_IPPACKET RST", "ALE_ENDPOINT_CLOSURE"),
        "SYN ACK", "SYN-ACK RST", ("reset", "blocked"), (f"receive {RESET}",)),
    Row("ALE_FLOW_ESTABLISHED", "client", "udp-exchange", D("ALE_FLOW_ESTABLISHED", "UDP"), "", "",
        ("blocked", "silent"), (f"sendto {ACCESS}",)),
    Row("ALE_FLOW_ESTABLISHED", "server", "udp-exchange", D("ALE_FLOW_ESTABLISHED", "UDP"), "UDP", "",
        ("silent", "blocked")),
]  # fmt: skip

ENDS = [
    Row("ALE_ENDPOINT_CLOSURE", "client", "udp-terminate", ("ALE_RESOURCE_RELEASE",), "UDP", "", ("closed", "closed"),
        (), (GOT,)),
    Row("ALE_RESOURCE_RELEASE", "client", "udp-terminate", (), "UDP", "", ("closed", "closed"), (), (GOT,)),
    Row("ALE_ENDPOINT_CLOSURE", "server", "udp-terminate", ("ALE_RESOURCE_RELEASE",), "UDP", "", ("closed", "closed"),
        (), (GOT,)),
]  # fmt: skip

PACKETS = [
    *(
        row
        for layer in ("OUTBOUND_TRANSPORT", "OUTBOUND_IPPACKET")
        for row in (
            Row(layer, "client", "tcp-establish", D(layer, "SYN"), "", "", ("timed-out", "silent"),
                (f"connect {TIMED_OUT}",)),
            Row(layer, "server", "tcp-establish", D(layer, "SYN-ACK"), THREE_SYNS, "", ("timed-out", "blocked"),
                (f"connect {TIMED_OUT}",)),
            Row(layer, "server", "tcp-no-listener", D(layer, "RST"), THREE_SYNS, "", ("timed-out", "blocked"),
                (f"connect {TIMED_OUT}",)),
            Row(layer, "client", "udp-exchange", D(layer, "UDP"), "", "", ("blocked", "silent")),
            Row(layer, "server", "udp-exchange", D(layer, "UDP"), "UDP", "", ("delivered", "blocked"), (), (GOT,)),
            Row(layer, "server", "udp-no-listener", D(layer, "ICMP-ERROR"), "UDP", "", ("silent", "blocked")),
            Row(layer, "server", "icmp-echo", D(layer, "ICMP"), "ICMP", "", ("silent", "blocked")),
        )
    ),
    *(
        row
        for layer in ("INBOUND_IPPACKET", "INBOUND_TRANSPORT")
        for row in (
            Row(layer, "server", "tcp-establish", D(layer, "SYN"), THREE_SYNS, "", ("timed-out", "blocked"),
                (f"connect {TIMED_OUT}",)),
            Row(layer, "client", "tcp-establish", D(layer, "SYN-ACK"), THREE_SYNS, "SYN-ACK " * 4 + "SYN-ACK",
                ("timed-out", "silent"), (f"connect {TIMED_OUT}",)),
            Row(layer, "server", "udp-exchange", D(layer, "UDP"), "UDP", "", ("silent", "blocked")),
            Row(layer, "client", "udp-exchange", D(layer, "UDP"), "UDP", "UDP", ("blocked", "delivered"), (), (GOT,)),
            Row(layer, "client", "udp-no-listener", D(layer, "ICMP-ERROR"), "UDP", "ICMP-ERROR",
                ("blocked", "refused")),
            Row(layer, "client", "icmp-echo", D(layer, "ICMP"), "ICMP", "ICMP", ("blocked", "silent")),
        )
    ),
    Row("INBOUND_IPPACKET", "server", "tcp-no-listener", D("INBOUND_IPPACKET", "SYN"), THREE_SYNS, "",
        ("timed-out", "blocked"), (f"connect {TIMED_OUT}",)),
    Row("INBOUND_IPPACKET", "server", "udp-no-listener", D("INBOUND_IPPACKET", "UDP"), "UDP", "",
        ("silent", "blocked")),
    Row("STREAM_PACKET", "client", "tcp-establish", (), "", "", ("timed-out", "silent"), (f"connect {TIMED_OUT}",)),
    Row("STREAM_PACKET", "server", "tcp-establish", (), THREE_SYNS, "", ("timed-out", "blocked"),
        (f"connect {TIMED_OUT}",)),
]  # fmt: skip

DATA = [
    Row("STREAM", "client", "tcp-data", (), "SYN ACK", "SYN-ACK", ("blocked", "established"),
        ("send 13 bytes are taken out of the stream",), (LISTENS,)),
    Row("STREAM", "server", "tcp-data", ("OUTBOUND_TRANSPORT ACK", "OUTBOUND_IPPACKET ACK"), "SYN ACK DATA",
        "SYN-ACK ACK", ("established", "blocked"), (), (LISTENS, "receive 13 bytes are taken out of the stream")),
    Row("DATAGRAM_DATA", "client", "udp-exchange", D("DATAGRAM_DATA", "UDP"), "", "", ("blocked", "silent")),
    Row("DATAGRAM_DATA", "server", "udp-exchange", D("DATAGRAM_DATA", "UDP"), "UDP", "", ("silent", "blocked")),
    Row("DATAGRAM_DATA", "client", "icmp-echo", D("DATAGRAM_DATA", "ICMP"), "", "", ("blocked", "silent")),
]  # fmt: skip

ERRORS = [
    Row("INBOUND_ICMP_ERROR", "client", "udp-no-listener", D("INBOUND_ICMP_ERROR", "ICMP-ERROR"), "UDP", "ICMP-ERROR",
        ("blocked", "refused")),
    Row("OUTBOUND_ICMP_ERROR", "server", "udp-no-listener", D("OUTBOUND_ICMP_ERROR", "ICMP-ERROR"), "UDP", "",
        ("silent", "blocked")),
    Row("INBOUND_TRANSPORT_DISCARD", "server", "tcp-no-listener", (), THREE_SYNS, "", ("timed-out", "silent"),
        (f"connect {TIMED_OUT}",)),
    Row("INBOUND_IPPACKET_DISCARD", "server", "udp-no-listener", (), "UDP", "", ("silent", "silent")),
]  # fmt: skip

ROWS = (*CALLS, *FLOWS, *ENDS, *PACKETS, *DATA, *ERRORS)


def blocking(layer: str) -> str:
    """A policy with one filter."""
    return f'[[filter]]\nname = "the block"\nlayer = "{layer.lower().replace("_", "-")}"\naction = "block"\n'


def at_the_block(trace: Trace, host: str) -> tuple[Step, tuple[str, ...]]:
    """The first step that blocks at `host`, and what it meets after it at the same moment."""
    steps = [s for s in trace.steps if s.host == host and s.layer is not None]
    first = next(n for n, s in enumerate(steps) if s.decision is not None and s.decision.blocks)
    return steps[first], tuple(shown(s) for s in steps[first + 1 :] if s.time == steps[first].time)


@FAMILIES
@pytest.mark.parametrize("row", ROWS, ids=str)
def test_what_follows_a_block(row: Row, ip: int) -> None:
    trace = perform(row.scenario, ip, **{row.host: blocking(row.layer)})
    block, then = at_the_block(trace, row.host)
    assert shown(block).split()[0] == row.layer
    assert block.decision is not None
    assert block.decision.filter is not None
    assert block.decision.filter.name == "the block"
    assert then == row.then
    assert (sent(trace, "client"), sent(trace, "server")) == (row.client_sends, row.server_sends)
    assert (trace.outcome["client"], trace.outcome["server"]) == row.outcome
    assert set(trace.outcome.values()) <= set(OUTCOMES)
    assert tuple(sees(trace, "client")) == row.client_sees
    assert tuple(sees(trace, "server")) == row.server_sees


def test_every_layer_of_the_table_has_a_row_here_or_below() -> None:
    elsewhere = {"IPFORWARD"}  # between two hosts nobody forwards; the stack's own tests have routers
    told = {b.layer for b in BLOCKS if b.layer.endswith("_DISCARD")} - {r.layer for r in ROWS}
    assert {block.layer for block in BLOCKS} - told - elsewhere == {row.layer for row in ROWS}


# -- blocks of discard layers: the drop has happened -----------------------------------------------------------------

TOLD = [row for row in ROWS if row.then and row.then[0].split()[0] == f"{row.layer}_DISCARD"]


@pytest.mark.parametrize("row", TOLD, ids=str)
def test_a_block_at_the_discard_layer_of_a_drop_changes_nothing(row: Row) -> None:
    one = perform(row.scenario, **{row.host: blocking(row.layer)})
    both = perform(row.scenario, **{row.host: blocking(row.layer) + blocking(f"{row.layer}_DISCARD")})
    assert met(both, row.host) == met(one, row.host)
    assert (sent(both, "client"), sent(both, "server"), both.outcome) == (
        sent(one, "client"), sent(one, "server"), one.outcome,
    )  # fmt: skip


# -- the end of a TCP session cannot be prevented --------------------------------------------------------------------


@FAMILIES
@pytest.mark.parametrize("layer", ["ALE_ENDPOINT_CLOSURE", "ALE_RESOURCE_RELEASE"])
@pytest.mark.parametrize("host", ["client", "server"])
def test_a_block_of_a_notification_is_ignored(layer: str, host: str, ip: int) -> None:
    free, blocked = perform("tcp-terminate", ip), perform("tcp-terminate", ip, **{host: blocking(layer)})
    for name in ("client", "server"):
        assert met(blocked, name) == met(free, name)
        assert sent(blocked, name) == sent(free, name)
    assert blocked.outcome == free.outcome == {"client": "closed", "server": "closed"}


# -- reauthorization: the layer that created the flow, whatever the packet's direction -------------------------------

LATE = 'client = "add-filter"; filter = { name = "late", layer = "ale-auth-connect", action = "block" }'
OPEN = ('server = "listen"', 'client = "connect"')
HELLO = 'client = "sendto"; data = "hello"'


@FAMILIES
def test_a_failed_reauthorization_ends_a_client_s_connection(ip: int) -> None:
    trace = perform(script("tcp", *OPEN, LATE, 'client = "send"; data = "hello"'), ip)
    block, then = at_the_block(trace, "client")
    assert met(trace, "client")[-3:] == ["STREAM DATA", "ALE_AUTH_CONNECT DATA", "ALE_AUTH_CONNECT_DISCARD DATA"]
    assert (shown(block), then) == ("ALE_AUTH_CONNECT DATA", ("ALE_AUTH_CONNECT_DISCARD DATA",))
    assert sees(trace, "client")[-1] == f"receive {ABORTED}"
    assert sent(trace, "client") == "SYN ACK"
    assert trace.outcome == {"client": "blocked", "server": "established"}


@FAMILIES
def test_the_answer_of_a_server_reauthorizes_the_client_s_flow_at_auth_connect(ip: int) -> None:
    trace = perform(script("tcp", *OPEN, LATE, 'server = "send"; data = "hello"'), ip)
    assert at_the_block(trace, "client")[1] == ("ALE_AUTH_CONNECT_DISCARD DATA",)
    first = met(trace, "client").index("ALE_AUTH_CONNECT DATA")
    assert met(trace, "client")[first - 2 : first] == ["INBOUND_IPPACKET DATA", "INBOUND_TRANSPORT DATA"]
    assert trace.outcome["client"] == "blocked"


@FAMILIES
def test_a_udp_flow_that_was_torn_down_is_authorized_anew(ip: int) -> None:
    freed = 'client = "remove-filter"; name = "late"'
    trace = perform(script("udp", 'server = "bind"', HELLO, LATE, HELLO, freed, HELLO), ip)
    assert met(trace, "client")[8:] == [
        "ALE_AUTH_CONNECT UDP", "ALE_AUTH_CONNECT_DISCARD UDP",
        "ALE_CONNECT_REDIRECT", "ALE_AUTH_CONNECT UDP", "ALE_FLOW_ESTABLISHED UDP", "DATAGRAM_DATA UDP",
        "OUTBOUND_TRANSPORT UDP", "OUTBOUND_IPPACKET UDP",
    ]  # fmt: skip
    assert sees(trace, "client")[1] == f"sendto {ACCESS}"
    assert sent(trace, "client") == "UDP UDP"


def test_on_vista_no_filter_blocks_where_there_is_no_layer() -> None:
    for layer in ("ALE_BIND_REDIRECT", "ALE_CONNECT_REDIRECT", "STREAM_PACKET"):
        trace = perform("tcp-establish", client=blocking(layer), windows=WindowsVersion.VISTA)
        assert trace.outcome == {"client": "established", "server": "established"}
