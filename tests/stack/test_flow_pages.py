"""The documented packet flows, as the pages list them: exact layers, both hosts, both families, by version."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tamiz.model.reading import Reading
from tamiz.model.windows import WindowsVersion
from tamiz.stack.config import HostConfig
from tamiz.stack.flow_pages import FLOW_PAGES, Role
from tamiz.stack.rows import CREATING, Condition, layer_key
from tests.stack.playbook import (
    SERVER,
    Stage,
    established,
    ip,
    send_udp,
    suffixed,
    tcp_connect,
    tcp_server,
    two,
    udp_client,
    udp_server,
)

BIND = ["ALE_BIND_REDIRECT", "ALE_RESOURCE_ASSIGNMENT"]
WIRE_OUT = ["OUTBOUND_TRANSPORT {0}", "OUTBOUND_IPPACKET {0}"]
WIRE_IN = ["INBOUND_IPPACKET {0}", "INBOUND_TRANSPORT {0}"]
NEW_IN_WINDOWS_7 = ("REDIRECT", "ENDPOINT_CLOSURE", "RESOURCE_RELEASE")


def out(word: str) -> list[str]:
    return [name.format(word) for name in WIRE_OUT]


def into(word: str) -> list[str]:
    return [name.format(word) for name in WIRE_IN]


CLIENT_OPEN = [
    *BIND, "ALE_CONNECT_REDIRECT", "ALE_AUTH_CONNECT", *out("SYN"), *into("SYN-ACK"),
    "ALE_FLOW_ESTABLISHED ACK", *out("ACK"),
]  # fmt: skip
SERVER_OPEN = [
    *BIND, "ALE_AUTH_LISTEN", *into("SYN"), "ALE_AUTH_RECV_ACCEPT SYN", *out("SYN-ACK"), *into("ACK"),
    "ALE_FLOW_ESTABLISHED ACK",
]  # fmt: skip
UDP_CLIENT = [
    *BIND, "ALE_CONNECT_REDIRECT", "ALE_AUTH_CONNECT UDP", "ALE_FLOW_ESTABLISHED UDP", "DATAGRAM_DATA UDP", *out("UDP"),
]  # fmt: skip
UDP_SERVER = [*into("UDP"), "ALE_AUTH_RECV_ACCEPT UDP", "ALE_FLOW_ESTABLISHED UDP", "DATAGRAM_DATA UDP"]
UDP_LATER_OUT = ["DATAGRAM_DATA UDP", *out("UDP")]
CLOSE = ["ALE_ENDPOINT_CLOSURE", "ALE_RESOURCE_RELEASE"]


def establish(stage: Stage, version: int) -> None:
    established(stage, version)


def no_listener(stage: Stage, version: int) -> None:
    tcp_connect(stage, version)


def data(stage: Stage, version: int) -> None:
    client, _ = established(stage, version)
    stage.do("client", stage.hosts["client"].send(client, b"hello", stage.now))


def reauthorize(stage: Stage, version: int) -> None:
    client, _ = established(stage, version)
    stage.hosts["server"].policy_changed({layer_key("ALE_AUTH_RECV_ACCEPT", version)})
    stage.do("client", stage.hosts["client"].send(client, b"hello", stage.now))


def reauthorize_fail(stage: Stage, version: int) -> None:
    client, _ = established(stage, version)
    stage.hosts["server"].policy_changed({layer_key("ALE_AUTH_RECV_ACCEPT", version)})
    stage.block(f"ALE_AUTH_RECV_ACCEPT_V{version}", "server")
    stage.do("client", stage.hosts["client"].send(client, b"hello", stage.now))


def terminate(stage: Stage, version: int) -> None:
    client, server = established(stage, version)
    stage.run("client", stage.hosts["client"].close(client, stage.now))
    _hand_over(stage)
    stage.run("server", stage.hosts["server"].close(server, stage.now))
    stage.pump()
    assert server.parent is not None
    stage.do("server", stage.hosts["server"].close(server.parent, stage.now))


def _hand_over(stage: Stage) -> None:
    """The client's FIN reaches the server, whose ACK reaches the client, before the server closes."""
    stage.pump()


def udp_exchange(stage: Stage, version: int) -> None:
    server = udp_server(stage, version)
    send_udp(stage, udp_client(stage, version))
    stage.do("server", stage.hosts["server"].sendto(server, b"answer", server.inbox[0][1], stage.now))


def udp_no_listener(stage: Stage, version: int) -> None:
    send_udp(stage, udp_client(stage, version))


def udp_reauthorize(stage: Stage, version: int) -> None:
    udp_server(stage, version)
    client = udp_client(stage, version)
    send_udp(stage, client)
    stage.hosts["server"].policy_changed({layer_key("ALE_AUTH_RECV_ACCEPT", version)})
    send_udp(stage, client)


def udp_reauthorize_fail(stage: Stage, version: int) -> None:
    udp_server(stage, version)
    client = udp_client(stage, version)
    send_udp(stage, client)
    stage.hosts["server"].policy_changed({layer_key("ALE_AUTH_RECV_ACCEPT", version)})
    stage.block(f"ALE_AUTH_RECV_ACCEPT_V{version}", "server")
    send_udp(stage, client)


def udp_terminate(stage: Stage, version: int) -> None:
    server, client = udp_server(stage, version), udp_client(stage, version)
    send_udp(stage, client)
    stage.do("client", stage.hosts["client"].close(client, stage.now))
    stage.do("server", stage.hosts["server"].close(server, stage.now))


def icmp_echo(stage: Stage, version: int) -> None:
    stage.do("client", stage.hosts["client"].ping(ip(SERVER[version]), stage.now))


# scenario -> (what is done, what the client meets, what the server meets), as the pages and spec packet-flows.md list it
PAGES: dict[str, tuple[Callable[[Stage, int], None], list[str], list[str]]] = {
    "tcp-establish": (establish, CLIENT_OPEN, SERVER_OPEN),
    "tcp-no-listener": (
        no_listener,
        [*BIND, "ALE_CONNECT_REDIRECT", "ALE_AUTH_CONNECT", *out("SYN"), *into("RST")],
        ["INBOUND_IPPACKET SYN", "INBOUND_TRANSPORT_DISCARD SYN", *out("RST")],
    ),
    "tcp-data": (
        data,
        [*CLIENT_OPEN, "STREAM DATA", *out("DATA")],
        [*SERVER_OPEN, *into("DATA"), "STREAM DATA"],
    ),
    "tcp-reauthorize": (
        reauthorize,
        [*CLIENT_OPEN, "STREAM DATA", *out("DATA")],
        [*SERVER_OPEN, *into("DATA"), "ALE_AUTH_RECV_ACCEPT DATA", "STREAM DATA"],
    ),
    "tcp-reauthorize-fail": (
        reauthorize_fail,
        [*CLIENT_OPEN, "STREAM DATA", *out("DATA")],
        [*SERVER_OPEN, *into("DATA"), "ALE_AUTH_RECV_ACCEPT DATA", "ALE_AUTH_RECV_ACCEPT_DISCARD DATA"],
    ),
    "tcp-terminate": (
        terminate,
        [*CLIENT_OPEN, *out("FIN"), *into("ACK"), *into("FIN"), *out("ACK"), *CLOSE],
        [*SERVER_OPEN, *into("FIN"), *out("ACK"), *out("FIN"), *into("ACK"), "ALE_ENDPOINT_CLOSURE", *CLOSE],
    ),
    "udp-exchange": (
        udp_exchange, [*UDP_CLIENT, *into("UDP"), "DATAGRAM_DATA UDP"], [*BIND, *UDP_SERVER, *UDP_LATER_OUT],
    ),
    "udp-no-listener": (
        udp_no_listener,
        [*UDP_CLIENT, *into("ICMP-ERROR"), "INBOUND_ICMP_ERROR ICMP-ERROR"],
        ["INBOUND_IPPACKET UDP", "INBOUND_IPPACKET_DISCARD UDP", "OUTBOUND_ICMP_ERROR ICMP-ERROR", *out("ICMP-ERROR")],
    ),
    "udp-reauthorize": (
        udp_reauthorize,
        [*UDP_CLIENT, *UDP_LATER_OUT],
        [*BIND, *UDP_SERVER, *into("UDP"), "ALE_AUTH_RECV_ACCEPT UDP", "DATAGRAM_DATA UDP"],
    ),
    "udp-reauthorize-fail": (
        udp_reauthorize_fail,
        [*UDP_CLIENT, *UDP_LATER_OUT],
        [*BIND, *UDP_SERVER, *into("UDP"), "ALE_AUTH_RECV_ACCEPT UDP", "ALE_AUTH_RECV_ACCEPT_DISCARD UDP"],
    ),
    "udp-terminate": (udp_terminate, [*UDP_CLIENT, *CLOSE], [*BIND, *UDP_SERVER, *CLOSE]),
    "icmp-echo": (
        icmp_echo,
        [
            "ALE_RESOURCE_ASSIGNMENT", "ALE_AUTH_CONNECT ICMP", "ALE_FLOW_ESTABLISHED ICMP", "DATAGRAM_DATA ICMP",
            *out("ICMP"), *into("ICMP"), "DATAGRAM_DATA ICMP",
        ],
        [
            *into("ICMP"), "ALE_AUTH_RECV_ACCEPT ICMP", "ALE_FLOW_ESTABLISHED ICMP", "DATAGRAM_DATA ICMP",
            "DATAGRAM_DATA ICMP", *out("ICMP"),
        ],
    ),
}  # fmt: skip

# How many steps may follow the last documented one: the acknowledgement of data that the pages leave out.
ACKNOWLEDGED = {"tcp-data", "tcp-reauthorize"}


def expected(names: list[str], version: int, windows: WindowsVersion) -> list[str]:
    kept = [n for n in names if windows > WindowsVersion.VISTA or not any(w in n for w in NEW_IN_WINDOWS_7)]
    return list(suffixed(kept, version))


@pytest.mark.parametrize("windows", [WindowsVersion.VISTA, WindowsVersion.SEVEN, WindowsVersion.ELEVEN], ids=str)
@pytest.mark.parametrize("version", [4, 6], ids=["IPv4", "IPv6"])
@pytest.mark.parametrize("name", PAGES)
def test_each_host_meets_exactly_the_documented_layers(name: str, version: int, windows: WindowsVersion) -> None:
    act, client, server = PAGES[name]
    stage = two(HostConfig(windows=windows), HostConfig(windows=windows))

    act(stage, version)

    more_client = expected(into("ACK"), version, windows) if name in ACKNOWLEDGED else []
    more_server = expected(out("ACK"), version, windows) if name in ACKNOWLEDGED else []
    assert stage.met("client") == expected(client, version, windows) + more_client
    assert stage.met("server") == expected(server, version, windows) + more_server


@pytest.mark.parametrize("windows", [WindowsVersion.VISTA, WindowsVersion.SEVEN, WindowsVersion.ELEVEN], ids=str)
@pytest.mark.parametrize("name", PAGES)
def test_the_flow_page_table_lists_what_the_hosts_do(name: str, windows: WindowsVersion) -> None:
    stage = two(HostConfig(windows=windows), HostConfig(windows=windows))
    PAGES[name][0](stage, 4)

    listed = [(leg, layer) for leg in FLOW_PAGES[name] for layer in _layers(leg, windows)]
    for role in ("client", "server"):
        mine = [layer for (leg_role, layer) in ((leg.role, layer) for leg, layer in listed) if leg_role == role]
        assert stage.layers(role)[: len(mine)] == mine
    assert {role for role in ("client", "server") if stage.layers(role)} == {leg.role for leg, _ in listed}


def _layers(leg: object, windows: WindowsVersion) -> list[str]:
    from tamiz.stack.flow_pages import Leg

    assert isinstance(leg, Leg)
    names = [
        "ALE_AUTH_RECV_ACCEPT" if row.layer == CREATING else row.layer
        for row in leg.rows
        if row.layer and row.when is Condition.ALWAYS and row.applies(windows, Reading.DOCUMENTED)
    ]
    if leg.blocked_at:
        names.append("ALE_AUTH_RECV_ACCEPT_DISCARD")
    return [layer_key(name, 4).short for name in names]


def test_the_global_order_of_the_handshake_is_that_of_the_page() -> None:
    stage = two()
    establish(stage, 4)
    order = [(s.host, s.request.layer.short) for s in stage.steps if hasattr(s.request, "layer")]
    legs = FLOW_PAGES["tcp-establish"]
    listed: list[tuple[Role, str]] = [
        (leg.role, layer) for leg in legs for layer in _layers(leg, WindowsVersion.ELEVEN)
    ]
    assert order == listed


def test_no_page_is_left_untested() -> None:
    assert set(PAGES) == set(FLOW_PAGES)


def test_the_listen_completes_without_a_layer_and_so_does_accept() -> None:
    stage = two()
    listener = tcp_server(stage)
    tcp_connect(stage)
    before = len(stage.layers("server"))
    assert stage.completed("server") == ["listen"]

    stage.do("server", stage.hosts["server"].accept(listener, stage.now))

    assert stage.completed("server") == ["listen", "accept"]
    assert len(stage.layers("server")) == before


@pytest.mark.parametrize("version", [4, 6], ids=["IPv4", "IPv6"])
def test_in_the_observed_reading_a_datagram_for_nobody_is_discarded_at_the_transport(version: int) -> None:
    stage = two(server=HostConfig(reading=Reading.OBSERVED))
    udp_no_listener(stage, version)
    assert stage.layers("server") == list(
        suffixed(
            [
                "INBOUND_IPPACKET",
                "INBOUND_TRANSPORT_DISCARD",
                "OUTBOUND_ICMP_ERROR",
                "OUTBOUND_TRANSPORT",
                "OUTBOUND_IPPACKET",
            ],
            version,
        )
    )
