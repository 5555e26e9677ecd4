"""The built-in scenarios without a policy: what each host meets, listed as the flow pages and packet-flows.md list it.

The lists are written out by hand, so that they test the tables of the stack and not the other way round.
"""

from __future__ import annotations

import pytest

from tamiz.model.reading import Reading
from tamiz.model.trace import OUTCOMES, Trace
from tamiz.model.windows import WindowsVersion
from tamiz.sources.scenario import NAMES
from tamiz.stack.flow_pages import FLOW_PAGES, Leg
from tamiz.stack.rows import CREATING, Condition
from tests.drive.plays import met, perform, sees, sent, shown

FAMILIES = pytest.mark.parametrize("ip", [pytest.param(4, id="IPv4"), pytest.param(6, id="IPv6")])
VERSIONS = pytest.mark.parametrize(
    "windows",
    [
        pytest.param(WindowsVersion.VISTA, id="Vista"),
        pytest.param(WindowsVersion.SEVEN, id="Windows 7"),
        pytest.param(WindowsVersion.ELEVEN, id="Windows 11"),
    ],
)
SINCE_SEVEN = {"ALE_BIND_REDIRECT", "ALE_CONNECT_REDIRECT", "ALE_ENDPOINT_CLOSURE", "ALE_RESOURCE_RELEASE"}

# packet-flows.md 1.1 to 1.3, "full expected traces"
TCP_SERVER = [
    "ALE_BIND_REDIRECT", "ALE_RESOURCE_ASSIGNMENT", "ALE_AUTH_LISTEN",
    "INBOUND_IPPACKET SYN", "INBOUND_TRANSPORT SYN", "ALE_AUTH_RECV_ACCEPT SYN",
    "OUTBOUND_TRANSPORT SYN-ACK", "OUTBOUND_IPPACKET SYN-ACK",
    "INBOUND_IPPACKET ACK", "INBOUND_TRANSPORT ACK", "ALE_FLOW_ESTABLISHED ACK",
]  # fmt: skip
TCP_CLIENT = [
    "ALE_BIND_REDIRECT", "ALE_RESOURCE_ASSIGNMENT", "ALE_CONNECT_REDIRECT", "ALE_AUTH_CONNECT",
    "OUTBOUND_TRANSPORT SYN", "OUTBOUND_IPPACKET SYN",
    "INBOUND_IPPACKET SYN-ACK", "INBOUND_TRANSPORT SYN-ACK", "ALE_FLOW_ESTABLISHED ACK",
    "OUTBOUND_TRANSPORT ACK", "OUTBOUND_IPPACKET ACK",
]  # fmt: skip
# 1.5
DATA_OUT = ["STREAM DATA", "OUTBOUND_TRANSPORT DATA", "OUTBOUND_IPPACKET DATA"]
DATA_IN = ["INBOUND_IPPACKET DATA", "INBOUND_TRANSPORT DATA", "STREAM DATA"]
ACK_OUT = ["OUTBOUND_TRANSPORT ACK", "OUTBOUND_IPPACKET ACK"]
ACK_IN = ["INBOUND_IPPACKET ACK", "INBOUND_TRANSPORT ACK"]
# 1.7
FIN_OUT = ["OUTBOUND_TRANSPORT FIN", "OUTBOUND_IPPACKET FIN"]
FIN_IN = ["INBOUND_IPPACKET FIN", "INBOUND_TRANSPORT FIN"]
CLOSE = ["ALE_ENDPOINT_CLOSURE", "ALE_RESOURCE_RELEASE"]
TCP_CLIENT_ENDS = [*FIN_OUT, *ACK_IN, *FIN_IN, *ACK_OUT, *CLOSE]
TCP_SERVER_ENDS = [*FIN_IN, *ACK_OUT, *FIN_OUT, *ACK_IN, "ALE_ENDPOINT_CLOSURE", *CLOSE]  # connection, then listener
# 2.1, 2.2
UDP_SERVER = [
    "ALE_BIND_REDIRECT", "ALE_RESOURCE_ASSIGNMENT",
    "INBOUND_IPPACKET UDP", "INBOUND_TRANSPORT UDP", "ALE_AUTH_RECV_ACCEPT UDP", "ALE_FLOW_ESTABLISHED UDP",
    "DATAGRAM_DATA UDP",
]  # fmt: skip
UDP_CLIENT = [
    "ALE_BIND_REDIRECT", "ALE_RESOURCE_ASSIGNMENT", "ALE_CONNECT_REDIRECT", "ALE_AUTH_CONNECT UDP",
    "ALE_FLOW_ESTABLISHED UDP", "DATAGRAM_DATA UDP", "OUTBOUND_TRANSPORT UDP", "OUTBOUND_IPPACKET UDP",
]  # fmt: skip
UDP_OUT = ["DATAGRAM_DATA UDP", "OUTBOUND_TRANSPORT UDP", "OUTBOUND_IPPACKET UDP"]
UDP_IN = ["INBOUND_IPPACKET UDP", "INBOUND_TRANSPORT UDP", "DATAGRAM_DATA UDP"]

# scenario -> (what the client meets, what the server meets, how it ends for each)
EXPECTED: dict[str, tuple[list[str], list[str], tuple[str, str]]] = {
    "tcp-establish": (TCP_CLIENT, TCP_SERVER, ("established", "established")),
    "tcp-no-listener": (  # 1.4
        [*TCP_CLIENT[:6], "INBOUND_IPPACKET RST", "INBOUND_TRANSPORT RST"],
        ["INBOUND_IPPACKET SYN", "INBOUND_TRANSPORT_DISCARD SYN", "OUTBOUND_TRANSPORT RST", "OUTBOUND_IPPACKET RST"],
        ("refused", "refused"),
    ),
    "tcp-data": ([*TCP_CLIENT, *DATA_OUT], [*TCP_SERVER, *DATA_IN], ("delivered", "delivered")),
    "tcp-reauthorize": (  # 1.6
        [*TCP_CLIENT, *DATA_OUT],
        [
            *TCP_SERVER, "INBOUND_IPPACKET DATA", "INBOUND_TRANSPORT DATA", "ALE_AUTH_RECV_ACCEPT DATA", "STREAM DATA",
        ],
        ("delivered", "delivered"),
    ),
    "tcp-reauthorize-fail": (
        [*TCP_CLIENT, *DATA_OUT],
        [
            *TCP_SERVER, "INBOUND_IPPACKET DATA", "INBOUND_TRANSPORT DATA", "ALE_AUTH_RECV_ACCEPT DATA",
            "ALE_AUTH_RECV_ACCEPT_DISCARD DATA",
        ],
        ("reset", "blocked"),
    ),
    "tcp-terminate": (
        [*TCP_CLIENT, *TCP_CLIENT_ENDS], [*TCP_SERVER, *TCP_SERVER_ENDS], ("closed", "closed"),
    ),
    "tcp-session": (
        [*TCP_CLIENT, *DATA_OUT, *ACK_IN, *DATA_IN, *ACK_OUT, *TCP_CLIENT_ENDS],
        [*TCP_SERVER, *DATA_IN, *ACK_OUT, *DATA_OUT, *ACK_IN, *TCP_SERVER_ENDS],
        ("closed", "closed"),
    ),
    "udp-exchange": ([*UDP_CLIENT, *UDP_IN], [*UDP_SERVER, *UDP_OUT], ("delivered", "delivered")),
    "udp-no-listener": (  # 2.3
        [
            *UDP_CLIENT, "INBOUND_IPPACKET ICMP-ERROR", "INBOUND_TRANSPORT ICMP-ERROR", "INBOUND_ICMP_ERROR ICMP-ERROR",
        ],
        [
            "INBOUND_IPPACKET UDP", "INBOUND_IPPACKET_DISCARD UDP", "OUTBOUND_ICMP_ERROR ICMP-ERROR",
            "OUTBOUND_TRANSPORT ICMP-ERROR", "OUTBOUND_IPPACKET ICMP-ERROR",
        ],
        ("refused", "refused"),
    ),
    "udp-reauthorize": (  # 2.4
        [*UDP_CLIENT, *UDP_OUT],
        [
            *UDP_SERVER, "INBOUND_IPPACKET UDP", "INBOUND_TRANSPORT UDP", "ALE_AUTH_RECV_ACCEPT UDP",
            "DATAGRAM_DATA UDP",
        ],
        ("delivered", "delivered"),
    ),
    "udp-reauthorize-fail": (
        [*UDP_CLIENT, *UDP_OUT],
        [
            *UDP_SERVER, "INBOUND_IPPACKET UDP", "INBOUND_TRANSPORT UDP", "ALE_AUTH_RECV_ACCEPT UDP",
            "ALE_AUTH_RECV_ACCEPT_DISCARD UDP",
        ],
        ("delivered", "blocked"),  # the client's first datagram was; of the second it hears nothing
    ),
    "udp-terminate": ([*UDP_CLIENT, *CLOSE], [*UDP_SERVER, *CLOSE], ("closed", "closed")),  # 2.5
    "icmp-echo": (  # 3
        [
            "ALE_RESOURCE_ASSIGNMENT", "ALE_AUTH_CONNECT ICMP", "ALE_FLOW_ESTABLISHED ICMP", "DATAGRAM_DATA ICMP",
            "OUTBOUND_TRANSPORT ICMP", "OUTBOUND_IPPACKET ICMP",
            "INBOUND_IPPACKET ICMP", "INBOUND_TRANSPORT ICMP", "DATAGRAM_DATA ICMP",
        ],
        [
            "INBOUND_IPPACKET ICMP", "INBOUND_TRANSPORT ICMP", "ALE_AUTH_RECV_ACCEPT ICMP",
            "ALE_FLOW_ESTABLISHED ICMP", "DATAGRAM_DATA ICMP",
            "DATAGRAM_DATA ICMP", "OUTBOUND_TRANSPORT ICMP", "OUTBOUND_IPPACKET ICMP",
        ],
        ("delivered", "delivered"),
    ),
}  # fmt: skip


def in_version(layers: list[str], windows: WindowsVersion) -> list[str]:
    """Without what Vista does not have."""
    return [x for x in layers if windows > WindowsVersion.VISTA or x.split()[0] not in SINCE_SEVEN]


@FAMILIES
@VERSIONS
@pytest.mark.parametrize("name", EXPECTED)
def test_each_host_meets_the_documented_layers(name: str, windows: WindowsVersion, ip: int) -> None:
    trace = perform(name, ip, windows=windows)
    client, server, outcome = EXPECTED[name]
    assert met(trace, "client") == in_version(client, windows)
    assert met(trace, "server") == in_version(server, windows)
    assert (trace.outcome["client"], trace.outcome["server"]) == outcome
    assert {step.layer.short.count(f"_V{ip}") for step in trace.steps if step.layer is not None} == {1}


def test_every_built_in_scenario_is_listed_here() -> None:
    assert set(EXPECTED) == set(NAMES)
    assert {word for *_, outcome in EXPECTED.values() for word in outcome} <= set(OUTCOMES)


def listed(name: str, windows: WindowsVersion) -> list[tuple[str, str]]:
    """(host, layer) in global order, as the table of the flow pages strings them together."""
    return [(leg.role, layer) for leg in FLOW_PAGES[name] for layer in _layers(leg, windows)]


def _layers(leg: Leg, windows: WindowsVersion) -> list[str]:
    rows = [r for r in leg.rows if r.layer and r.when is Condition.ALWAYS and r.applies(windows, Reading.DOCUMENTED)]
    names = ["ALE_AUTH_RECV_ACCEPT" if row.layer == CREATING else str(row.layer) for row in rows]
    return [*names, "ALE_AUTH_RECV_ACCEPT_DISCARD"] if leg.blocked_at else names


def in_order(trace: Trace) -> list[tuple[str, str]]:
    return [(step.host, shown(step).split()[0]) for step in trace.steps if step.layer is not None]


@FAMILIES
@VERSIONS
@pytest.mark.parametrize("name", FLOW_PAGES)
def test_the_flow_pages_list_what_happens_in_its_global_order(name: str, windows: WindowsVersion, ip: int) -> None:
    assert in_order(perform(name, ip, windows=windows)) == listed(name, windows)


def test_a_page_for_each_scenario_but_the_one_that_is_all_of_them() -> None:
    assert set(NAMES) - set(FLOW_PAGES) == {"tcp-session"}


# -- what is no layer ------------------------------------------------------------------------------------------------

WIRE = {
    "tcp-establish": ["SYN", "SYN-ACK", "ACK"],
    "tcp-no-listener": ["SYN", "RST"],
    "tcp-data": ["SYN", "SYN-ACK", "ACK", "DATA"],
    "tcp-terminate": ["SYN", "SYN-ACK", "ACK", "FIN", "ACK", "FIN", "ACK"],
    "udp-exchange": ["UDP", "UDP"],
    "udp-no-listener": ["UDP", "ICMP-ERROR"],
    "icmp-echo": ["ICMP", "ICMP"],
}


@FAMILIES
@pytest.mark.parametrize("name", WIRE)
def test_what_is_on_the_wire(name: str, ip: int) -> None:
    assert [packet.word for packet in perform(name, ip).wire] == WIRE[name]


def test_the_listen_completes_when_the_handshake_does_and_meets_no_layer() -> None:
    last = perform("tcp-establish").steps[-1]
    assert (last.host, last.event, last.layer, last.decision) == ("server", "listen", None, None)


@pytest.mark.parametrize(
    ("name", "word"),
    [
        pytest.param("tcp-no-listener", "connect fails: WSAECONNREFUSED 10061", id="a RST refuses a connection"),
        pytest.param("udp-no-listener", "receive fails: WSAECONNRESET 10054", id="an ICMP error reaches a UDP socket"),
    ],
)
def test_what_the_client_is_told(name: str, word: str) -> None:
    assert sees(perform(name), "client") == [word]


# -- readings and stealth --------------------------------------------------------------------------------------------


@FAMILIES
def test_in_the_observed_reading_a_datagram_for_nobody_is_discarded_at_the_transport(ip: int) -> None:
    trace = perform("udp-no-listener", ip, reading=Reading.OBSERVED)  # field-evidence R1
    assert met(trace, "server") == [
        "INBOUND_IPPACKET UDP", "INBOUND_TRANSPORT_DISCARD UDP", "OUTBOUND_ICMP_ERROR ICMP-ERROR",
        "OUTBOUND_TRANSPORT ICMP-ERROR", "OUTBOUND_IPPACKET ICMP-ERROR",
    ]  # fmt: skip
    assert trace.outcome == {"client": "refused", "server": "refused"}


@pytest.mark.parametrize("name", sorted(set(NAMES) - {"udp-no-listener"}))
def test_the_observed_reading_changes_no_other_sequence(name: str) -> None:
    documented, observed = perform(name), perform(name, reading=Reading.OBSERVED)
    assert in_order(documented) == in_order(observed)
    assert documented.outcome == observed.outcome


# packet-flows.md 6, filters A to C; type 3 for IPv6 is the sample's error and matches no unreachable port
SAMPLE = """
[[filter]]
name = "A"
layer = ["outbound-icmp-error-v4", "outbound-icmp-error-v6"]
action = "block"
conditions = { icmp-type = 3 }

[[filter]]
name = "B"
layer = "inbound-transport-v4-discard"
action = { callout = "FWPM_CALLOUT_WFP_TRANSPORT_LAYER_V4_SILENT_DROP", as = "terminating" }
conditions = { flags = { none-set = ["is-loopback"] } }

[[filter]]
name = "C"
layer = "inbound-transport-v6-discard"
action = { callout = "FWPM_CALLOUT_WFP_TRANSPORT_LAYER_V6_SILENT_DROP", as = "terminating" }
conditions = { flags = { none-set = ["is-loopback"] } }
"""


@FAMILIES
def test_under_stealth_a_closed_port_sends_no_reset(ip: int) -> None:
    trace = perform("tcp-no-listener", ip, server=SAMPLE)
    once = ["INBOUND_IPPACKET SYN", "INBOUND_TRANSPORT_DISCARD SYN"]
    assert met(trace, "server") == once * 3  # the client tries three times
    assert (sent(trace, "client"), sent(trace, "server")) == ("SYN SYN SYN", "")
    assert sees(trace, "client") == ["connect fails: WSAETIMEDOUT 10060"]
    assert trace.outcome == {"client": "timed-out", "server": "silent"}


def test_under_stealth_an_unreachable_udp_port_sends_no_icmp_error() -> None:
    trace = perform("udp-no-listener", 4, server=SAMPLE)
    assert met(trace, "server") == [
        "INBOUND_IPPACKET UDP", "INBOUND_IPPACKET_DISCARD UDP", "OUTBOUND_ICMP_ERROR ICMP-ERROR",
        "OUTBOUND_ICMP_ERROR_DISCARD ICMP-ERROR",
    ]  # fmt: skip
    assert sent(trace, "server") == ""
    assert trace.outcome["client"] == "silent"


def test_the_sample_s_type_3_does_not_stop_icmpv6_errors_of_type_1() -> None:
    trace = perform("udp-no-listener", 6, server=SAMPLE)
    assert trace.outcome == {"client": "refused", "server": "refused"}


def test_in_the_observed_reading_stealth_hides_a_udp_port_by_its_filter_of_icmp_errors() -> None:
    trace = perform("udp-no-listener", 4, server=SAMPLE, reading=Reading.OBSERVED)
    assert met(trace, "server") == [
        "INBOUND_IPPACKET UDP", "INBOUND_TRANSPORT_DISCARD UDP", "OUTBOUND_ICMP_ERROR ICMP-ERROR",
        "OUTBOUND_ICMP_ERROR_DISCARD ICMP-ERROR",
    ]  # fmt: skip
    assert (sent(trace, "server"), trace.outcome) == ("", {"client": "silent", "server": "blocked"})


def test_in_the_observed_reading_the_silent_drop_alone_does_not_hide_a_udp_port() -> None:
    trace = perform("udp-no-listener", 6, server=SAMPLE, reading=Reading.OBSERVED)  # type 3 is no unreachable port
    assert trace.steps[-1].note == "fails: WSAECONNRESET 10054"
    assert trace.outcome == {"client": "refused", "server": "refused"}


def test_stealth_leaves_an_open_port_alone() -> None:
    assert perform("tcp-session", server=SAMPLE).outcome == {"client": "closed", "server": "closed"}
