"""IP in the host: fragments, forwarding, the weak host, and what cannot be read (packet-flows.md 4.2, 4.5, 5 rule 2)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tamiz.model._tables import ConditionFlags
from tamiz.model.values import EMPTY, u16, u64
from tamiz.stack.config import HostConfig
from tamiz.stack.interfaces import Interface, Interfaces, Route, luid
from tamiz.stack.requests import NOT_AVAILABLE, TOO_BIG, UNREACHABLE, Transmit
from tamiz.stack.sockets import Endpoint
from tamiz.wire import ipv4, ipv6
from tamiz.wire.fragments import fragment
from tamiz.wire.icmp import IcmpMessage
from tamiz.wire.packet import Packet, Raw, between, build, dissect
from tamiz.wire.tcp import Segment, TcpFlags
from tamiz.wire.udp import Datagram
from tests.stack.playbook import (
    CLIENT,
    SECOND,
    SERVER,
    Stage,
    field_of,
    interface,
    ip,
    one,
    send_udp,
    suffixed,
    tcp_connect,
    tcp_server,
    two,
    udp_client,
    udp_server,
)

FLAG = {"": 0, "IS_FRAGMENT": ConditionFlags.IS_FRAGMENT, "IS_REASSEMBLED": ConditionFlags.IS_REASSEMBLED}


def flag_names(stage: Stage, layer: str, host: str) -> list[str]:
    names = {value: name for name, value in FLAG.items()}
    return [names[field_of(c, "FLAGS").data] for c in stage.at(layer, host)]  # type: ignore[union-attr,index]


def udp_packet(
    source: str, target: str, size: int = 8, port: int = 53, hops: int = 64, dont_fragment: bool = False
) -> bytes:
    made = between(ip(source), ip(target), Datagram(9, port, bytes(size)), hops=hops, identification=7)
    if dont_fragment and isinstance(made.ip, ipv4.Header):
        made = replace(made, ip=replace(made.ip, dont_fragment=True))
    return build(made)


# -- fragments -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", [4, 6], ids=["IPv4", "IPv6"])
def test_a_packet_in_four_fragments_makes_nine_classifies(version: int) -> None:
    stage = two()
    udp_server(stage, version)
    client = udp_client(stage, version)
    assert send_udp(stage, client, bytes(5000))
    assert stage.layers("client").count(f"OUTBOUND_IPPACKET_V{version}") == 1
    assert stage.sent("client") == ["FRAGMENT"] * 4
    inbound = f"INBOUND_IPPACKET_V{version}"
    assert flag_names(stage, inbound, "server") == ["", "IS_FRAGMENT"] * 4 + ["IS_REASSEMBLED"]
    rest = ["INBOUND_TRANSPORT", "ALE_AUTH_RECV_ACCEPT", "ALE_FLOW_ESTABLISHED", "DATAGRAM_DATA"]
    assert stage.layers("server")[-4:] == list(suffixed(rest, version))
    assert stage.delivered("server") == [bytes(5000)]
    assert [c.packet for c in stage.at(inbound, "server")] == ["FRAGMENT"] * 8 + ["UDP"]


def test_one_blocked_fragment_keeps_the_packet_from_being_whole() -> None:
    stage = two()
    udp_server(stage)
    seen = iter(range(100))
    stage.block("INBOUND_IPPACKET_V4", "server", when=lambda c: next(seen) == 2)
    send_udp(stage, udp_client(stage), bytes(5000))
    assert "INBOUND_TRANSPORT_V4" not in stage.layers("server")
    assert stage.layers("server").count("INBOUND_IPPACKET_V4_DISCARD") == 1
    mark = stage.here
    stage.wait(61 * SECOND)
    stage.do("server", stage.hosts["server"].tick(stage.now))
    assert stage.sent("server", mark) == ["ICMP-ERROR"]


def test_a_block_of_the_reassembled_packet_ends_it() -> None:
    stage = two()
    udp_server(stage)
    wanted = ConditionFlags.IS_REASSEMBLED
    stage.block("INBOUND_IPPACKET_V4", "server", when=lambda c: field_of(c, "FLAGS").data == wanted)  # type: ignore[union-attr]
    send_udp(stage, udp_client(stage), bytes(3000))
    assert stage.layers("server")[-1] == "INBOUND_IPPACKET_V4_DISCARD"
    assert stage.delivered("server") == []


def test_a_fragmented_datagram_for_nobody_gets_its_icmp_error() -> None:
    stage = two()
    send_udp(stage, udp_client(stage), bytes(3000))
    assert stage.layers("server")[-4:] == [
        "INBOUND_IPPACKET_V4_DISCARD", "OUTBOUND_ICMP_ERROR_V4", "OUTBOUND_TRANSPORT_V4", "OUTBOUND_IPPACKET_V4",
    ]  # fmt: skip
    assert stage.errors("client") == [("receive", "WSAECONNRESET 10054")]


def test_a_datagram_longer_than_udp_can_be_is_refused() -> None:
    stage = two()
    assert not send_udp(stage, udp_client(stage), bytes(65_508))
    assert stage.errors("client") == [("sendto", TOO_BIG)]


# -- forwarding ----------------------------------------------------------------------------------------------------

NEAR, FAR = (
    interface(1, "192.0.2.1/24", "2001:db8::1/64"),
    interface(2, "198.51.100.1/24", "2001:db8:1::1/64"),
)


def router(config: HostConfig | None = None, far: Interface = FAR) -> Stage:
    return one(config or HostConfig(forwarding=True), (NEAR, far))


def arrives(stage: Stage, packet: bytes, by: Interface = NEAR) -> None:
    stage.run("host", stage.hosts["host"].packet_in(packet, stage.now, by))


def left(stage: Stage) -> list[Transmit]:
    return [s.request for s in stage.steps if isinstance(s.request, Transmit)]


@pytest.mark.parametrize("version", [4, 6], ids=["IPv4", "IPv6"])
def test_a_packet_in_transit_meets_ipforward_only(version: int) -> None:
    stage = router()
    arrives(stage, udp_packet(CLIENT[version], SERVER[version]))
    assert stage.met("host") == [f"IPFORWARD_V{version} UDP"]
    asked = stage.classified()[0]
    assert field_of(asked, "IP_FORWARD_INTERFACE") == u64(luid(6, 2))
    assert field_of(asked, "IP_LOCAL_INTERFACE") == u64(luid(6, 1))
    (sent,) = left(stage)
    assert sent.interface == luid(6, 2)
    assert dissect(sent.packet).ip.hops == 63


@pytest.mark.parametrize("grouping", [False, True], ids=["one by one", "grouped"])
def test_fragments_in_transit(grouping: bool) -> None:
    stage = router(HostConfig(forwarding=True, fragment_grouping=grouping))
    pieces = fragment(udp_packet(CLIENT[4], SERVER[4], 4000), 1500)
    for piece in pieces:
        arrives(stage, piece)
    flags = [field_of(c, "FLAGS").data for c in stage.at("IPFORWARD_V4")]  # type: ignore[union-attr]
    assert flags == [0, 0, 0] + ([ConditionFlags.IS_FRAGMENT_GROUP] if grouping else [])
    assert stage.sent("host") == ["FRAGMENT"] * 3


def test_a_blocked_group_is_not_forwarded_at_all() -> None:
    stage = router(HostConfig(forwarding=True, fragment_grouping=True))
    stage.block("IPFORWARD_V4", when=lambda c: field_of(c, "FLAGS").data != 0)  # type: ignore[union-attr]
    for piece in fragment(udp_packet(CLIENT[4], SERVER[4], 4000), 1500):
        arrives(stage, piece)
    assert stage.sent("host") == []


def test_without_forwarding_a_transit_packet_is_not_for_this_host() -> None:
    stage = router(HostConfig())
    arrives(stage, udp_packet(CLIENT[4], SERVER[4]))
    assert stage.layers() == ["INBOUND_IPPACKET_V4_DISCARD"]
    assert [d.reason for d in stage.dropped("host")] == ["IpDiscardNotLocallyDestined"]


@pytest.mark.parametrize(
    ("packet", "routes", "far", "reason", "error"),
    [
        pytest.param(udp_packet(CLIENT[4], "203.0.113.1"), (), FAR, "IpDiscardNoRoute", (3, 0), id="no route"),
        pytest.param(udp_packet(CLIENT[4], SERVER[4], hops=1), None, FAR, "IpDiscardHopLimitExceeded", (11, 0), id="the last hop"),
        pytest.param(
            udp_packet(CLIENT[4], SERVER[4], 1400, dont_fragment=True), None, replace(FAR, mtu=1000),
            "IpDiscardDontFragmentMtuExceeded", (3, 4), id="too long, and not to be cut",
        ),
        pytest.param(udp_packet(CLIENT[6], SERVER[6], hops=1), None, FAR, "IpDiscardHopLimitExceeded", (3, 0), id="the last hop, IPv6"),
        pytest.param(
            udp_packet(CLIENT[6], SERVER[6], 1400), None, replace(FAR, mtu=1280),
            "IpDiscardDontFragmentMtuExceeded", (2, 0), id="too long, IPv6",
        ),
    ],
)  # fmt: skip
def test_a_transit_packet_that_cannot_go_on(
    packet: bytes, routes: tuple[Route, ...] | None, far: Interface, reason: str, error: tuple[int, int]
) -> None:
    stage = router(far=far)
    if routes is not None:
        from tamiz.stack.host import Host

        stage.hosts["host"] = Host("host", (NEAR, FAR), HostConfig(forwarding=True), routes)
    arrives(stage, packet)
    assert [d.reason for d in stage.dropped("host")] == [reason]
    assert any(layer.startswith("IPFORWARD") and layer.endswith("_DISCARD") for layer in stage.layers())
    (sent,) = left(stage)
    message = dissect(sent.packet).transport
    assert isinstance(message, IcmpMessage)
    assert (message.type, message.code) == error
    if error in ((3, 4), (2, 0)):
        assert message.mtu == far.mtu


def test_a_router_cuts_what_may_be_cut() -> None:
    stage = router(far=replace(FAR, mtu=1000))
    arrives(stage, udp_packet(CLIENT[4], SERVER[4], 1400))
    assert stage.sent("host") == ["FRAGMENT", "FRAGMENT"]
    assert stage.layers() == ["IPFORWARD_V4"]


# -- host models ---------------------------------------------------------------------------------------------------


def test_the_strong_host_refuses_a_packet_for_its_other_interface() -> None:
    stage = router(HostConfig())
    arrives(stage, udp_packet(CLIENT[4], "198.51.100.1"))
    assert stage.layers() == ["INBOUND_IPPACKET_V4_DISCARD"]


@pytest.mark.parametrize("forwarding", [False, True], ids=["no forwarding", "forwarding"])
def test_weak_host_receive(forwarding: bool) -> None:
    stage = router(HostConfig(strong_receive=False, forwarding=forwarding))
    host = stage.hosts["host"]
    socket = host.socket("udp", 4)
    stage.run("host", host.bind(socket, None, 53, 0))
    mark = stage.here
    arrives(stage, udp_packet(CLIENT[4], "198.51.100.1"))
    passes = ["IPFORWARD_V4"] if forwarding else []
    assert stage.layers("host", mark)[: len(passes) + 1] == [*passes, "INBOUND_IPPACKET_V4"]
    assert stage.delivered("host") == [bytes(8)]
    if forwarding:
        assert field_of(stage.at("IPFORWARD_V4")[0], "FLAGS").data == ConditionFlags.IS_INBOUND_PASS_THRU  # type: ignore[union-attr]


@pytest.mark.parametrize("forwarding", [False, True], ids=["no forwarding", "forwarding"])
def test_weak_host_send(forwarding: bool) -> None:
    stage = router(HostConfig(strong_send=False, forwarding=forwarding))
    host = stage.hosts["host"]
    socket = host.socket("udp", 4)
    stage.run("host", host.bind(socket, ip("192.0.2.1"), 53, 0))
    stage.run("host", host.sendto(socket, b"x", Endpoint(ip(SERVER[4]), 9), 0))
    assert stage.layers()[-1] == ("IPFORWARD_V4" if forwarding else "OUTBOUND_IPPACKET_V4")
    assert left(stage)[0].interface == luid(6, 2)
    if forwarding:
        assert field_of(stage.classified()[-1], "FLAGS").data == ConditionFlags.IS_OUTBOUND_PASS_THRU  # type: ignore[union-attr]


def test_the_strong_host_sends_by_the_interface_of_its_address() -> None:
    stage = router(HostConfig())
    host = stage.hosts["host"]
    socket = host.socket("udp", 4)
    stage.run("host", host.bind(socket, ip("192.0.2.1"), 53, 0))
    stage.run("host", host.sendto(socket, b"x", Endpoint(ip(SERVER[4]), 9), 0))
    assert left(stage)[0].interface == luid(6, 1)


# -- what cannot be read -------------------------------------------------------------------------------------------


def damaged(data: bytes, at: int, value: int) -> bytes:
    return data[:at] + bytes((value,)) + data[at + 1 :]


SYN = build(between(ip(CLIENT[4]), ip(SERVER[4]), Segment(1, 80, 1, 0, TcpFlags.SYN, 1000)))
UDP_DATA = udp_packet(CLIENT[4], SERVER[4])


@pytest.mark.parametrize(
    ("packet", "layers", "reason", "offset"),
    [
        pytest.param(b"", [], "IpDiscardMalformedHeader", 0, id="nothing"),
        pytest.param(b"\x00" * 40, [], "IpDiscardMalformedHeader", 0, id="no version"),
        pytest.param(SYN[:12], [], "IpDiscardMalformedHeader", 0, id="half a header"),
        pytest.param(damaged(SYN, 10, SYN[10] ^ 1), ["INBOUND_IPPACKET_V4_DISCARD"], "IpDiscardBadChecksum", 10, id="IPv4 checksum"),
        pytest.param(SYN[:30], ["INBOUND_IPPACKET_V4_DISCARD"], "IpDiscardBadLength", 2, id="shorter than its length"),
        pytest.param(
            damaged(SYN, 36, SYN[36] ^ 1), ["INBOUND_IPPACKET_V4", "INBOUND_TRANSPORT_V4_DISCARD"],
            "InetDiscardChecksumInvalid", 36, id="TCP checksum",
        ),
        pytest.param(
            damaged(SYN, 32, 0x10), ["INBOUND_IPPACKET_V4", "INBOUND_TRANSPORT_V4_DISCARD"],
            "InetDiscardHeaderInvalid", 32, id="TCP header length",
        ),
        pytest.param(
            damaged(UDP_DATA, 27, UDP_DATA[27] ^ 1), ["INBOUND_IPPACKET_V4", "INBOUND_TRANSPORT_V4_DISCARD"],
            "InetDiscardChecksumInvalid", 26, id="UDP checksum",
        ),
    ],
)  # fmt: skip
def test_malformed_packets_are_dropped_with_reason_and_offset(
    packet: bytes, layers: list[str], reason: str, offset: int
) -> None:
    stage = two()
    stage.do("server", stage.hosts["server"].packet_in(packet, 0))
    assert stage.layers("server") == layers
    (drop,) = stage.dropped("server")
    assert (drop.reason, drop.offset) == (reason, offset)
    assert stage.sent("server") == []


def test_a_malformed_transport_header_has_no_ports() -> None:
    stage = two()
    stage.do("server", stage.hosts["server"].packet_in(damaged(SYN, 36, SYN[36] ^ 1), 0))
    asked = stage.at("INBOUND_TRANSPORT_V4_DISCARD", "server")[0]
    assert field_of(asked, "IP_LOCAL_PORT") is None
    assert field_of(asked, "IP_PROTOCOL").data == 6  # type: ignore[union-attr]


# -- other protocols, raw sockets ----------------------------------------------------------------------------------


def other(source: str, target: str, protocol: int = 47) -> bytes:
    return build(between(ip(source), ip(target), Raw(b"inside"), protocol=protocol))


@pytest.mark.parametrize(("version", "kind", "code"), [(4, 3, 2), (6, 4, 1)], ids=["IPv4", "IPv6"])
def test_a_protocol_that_nobody_handles_gets_an_icmp_error(version: int, kind: int, code: int) -> None:
    stage = two()
    stage.do("server", stage.hosts["server"].packet_in(other(CLIENT[version], SERVER[version]), 0))
    names = [
        "INBOUND_IPPACKET",
        "INBOUND_IPPACKET_DISCARD",
        "OUTBOUND_ICMP_ERROR",
        "OUTBOUND_TRANSPORT",
        "OUTBOUND_IPPACKET",
    ]
    assert stage.layers("server") == list(suffixed(names, version))
    assert [d.reason for d in stage.dropped("server")] == ["IpDiscardProtocolUnreachable"]
    error = stage.at(f"OUTBOUND_ICMP_ERROR_V{version}", "server")[0]
    assert (field_of(error, "IP_LOCAL_PORT"), field_of(error, "IP_REMOTE_PORT")) == (u16(kind), u16(code))


def test_raw_sockets_follow_the_pattern_of_udp() -> None:
    stage = two()
    client = stage.do("client", stage.hosts["client"].raw(47, 4, 0))
    server = stage.do("server", stage.hosts["server"].raw(47, 4, 0))
    assert client is not None and server is not None
    for _ in range(2):
        stage.do("client", stage.hosts["client"].sendto(client, b"inside", Endpoint(ip(SERVER[4]), 0), 0))
    out = ["DATAGRAM_DATA_V4", "OUTBOUND_TRANSPORT_V4", "OUTBOUND_IPPACKET_V4"]
    assert stage.layers("client") == [
        "ALE_RESOURCE_ASSIGNMENT_V4", "ALE_AUTH_CONNECT_V4", "ALE_FLOW_ESTABLISHED_V4", *out, *out,
    ]  # fmt: skip
    into = ["INBOUND_IPPACKET_V4", "INBOUND_TRANSPORT_V4"]
    assert stage.layers("server") == [
        "ALE_RESOURCE_ASSIGNMENT_V4", *into, "ALE_AUTH_RECV_ACCEPT_V4", "ALE_FLOW_ESTABLISHED_V4",
        "DATAGRAM_DATA_V4", *into, "DATAGRAM_DATA_V4",
    ]  # fmt: skip
    raw = ConditionFlags.IS_RAW_ENDPOINT
    assert all(
        field_of(c, "FLAGS").data & raw
        for c in stage.classified("client")
        if "IPPACKET" not in c.layer and "ESTABLISHED" not in c.layer  # type: ignore[union-attr]
    )
    assert stage.delivered("server") == [b"inside", b"inside"]
    mark = stage.here
    stage.do("client", stage.hosts["client"].close(client, 0))
    assert stage.layers("client", mark) == ["ALE_ENDPOINT_CLOSURE_V4", "ALE_RESOURCE_RELEASE_V4"]


def test_tcp_over_a_raw_socket_is_authorized_for_its_first_segment_only() -> None:
    stage = two()
    stage.do("server", stage.hosts["server"].raw(6, 4, 0))
    segment = build(between(ip(CLIENT[4]), ip(SERVER[4]), Segment(1, 80, 1, 0, TcpFlags.SYN, 1000)))
    for _ in range(2):
        stage.do("server", stage.hosts["server"].packet_in(segment, 0))
    assert len(stage.at("ALE_AUTH_RECV_ACCEPT_V4", "server")) == 1
    assert len(stage.at("DATAGRAM_DATA_V4", "server")) == 2
    assert stage.sent("server") == []


def test_multicast_for_nobody_gets_no_icmp_error() -> None:
    stage = two()
    stage.do("server", stage.hosts["server"].packet_in(udp_packet(CLIENT[4], "239.1.1.1"), 0))
    assert stage.layers("server") == ["INBOUND_IPPACKET_V4", "INBOUND_IPPACKET_V4_DISCARD"]
    assert stage.sent("server") == []


@pytest.mark.parametrize("listens", [True, False], ids=["with a listener", "without one"])
@pytest.mark.parametrize(
    ("source", "target"),
    [
        pytest.param(CLIENT[4], "224.0.0.1", id="to a multicast address"),
        pytest.param(CLIENT[4], "198.51.100.255", id="to the subnet's broadcast address"),
        pytest.param(CLIENT[4], "255.255.255.255", id="to the limited broadcast address"),
        pytest.param("224.0.0.1", SERVER[4], id="from a multicast address"),
        pytest.param("0.0.0.0", SERVER[4], id="from nowhere"),
        pytest.param(CLIENT[6], "ff02::1", id="to a multicast address of IPv6"),
        pytest.param("::", SERVER[6], id="from nowhere in IPv6"),
    ],
)
def test_tcp_answers_no_syn_to_or_from_many(source: str, target: str, listens: bool) -> None:
    """RFC 9293 3.9.2.3: such a segment is dropped in silence."""
    version = 6 if ":" in source else 4
    stage = two()
    if listens:
        tcp_server(stage, version)
    mark = stage.here
    syn = between(ip(source), ip(target), Segment(5555, 80, 1, 0, TcpFlags.SYN, 64_000))
    stage.do("server", stage.hosts["server"].packet_in(build(syn), 0))
    assert stage.layers("server", mark) == [f"INBOUND_IPPACKET_V{version}", f"INBOUND_TRANSPORT_V{version}_DISCARD"]
    assert stage.sent("server") == []


@pytest.mark.parametrize("target", ["0.0.0.0", "239.1.1.1", "255.255.255.255"])
def test_tcp_connects_to_no_address_of_many(target: str) -> None:
    stage = two()
    host = stage.hosts["client"]
    assert not stage.do("client", host.connect(host.socket("tcp", 4), Endpoint(ip(target), 80), 0))
    assert (stage.errors("client"), stage.sent("client")) == ([("connect", NOT_AVAILABLE)], [])


def test_icmp_errors_about_icmp_errors_are_never_sent() -> None:
    stage = two()
    message = IcmpMessage(4, 3, 3, payload=UDP_DATA)
    packet = build(between(ip(CLIENT[4]), ip(SERVER[4]), message))
    stage.do("server", stage.hosts["server"].packet_in(packet, 0))
    assert stage.layers("server") == ["INBOUND_IPPACKET_V4", "INBOUND_TRANSPORT_V4", "INBOUND_ICMP_ERROR_V4"]
    assert stage.sent("server") == []


# -- the network ---------------------------------------------------------------------------------------------------


def test_routes_choose_the_longest_prefix_and_name_the_next_hop() -> None:
    routes = (
        Route("0.0.0.0/0", luid(6, 1), ip("192.0.2.254")),
        Route("203.0.113.0/24", luid(6, 2), ip("198.51.100.9")),
    )
    network = Interfaces((NEAR, FAR), routes)
    by_default, chosen = network.path(ip("8.8.8.8")), network.path(ip("203.0.113.7"))
    assert by_default is not None and chosen is not None
    assert (by_default.interface, by_default.nexthop) == (NEAR, ip("192.0.2.254"))
    assert (chosen.interface, chosen.nexthop) == (FAR, ip("198.51.100.9"))
    assert network.source_for(chosen) == ip("198.51.100.1")
    assert network.path(ip("2001:db8:9::1")) is None


def test_every_host_has_a_loopback_interface() -> None:
    network = Interfaces((NEAR,))
    owner = network.owner(ip("127.1.2.3"))
    assert owner is not None and owner.loopback
    assert network.is_loopback(ip("192.0.2.1"))
    assert not network.is_loopback(ip("192.0.2.2"))


def test_no_route_fails_the_call() -> None:
    from tamiz.stack.host import Host

    stage = two()
    stage.hosts["client"] = Host("client", (NEAR,), routes=())
    assert not send_udp(stage, udp_client(stage))
    assert stage.errors("client") == [("sendto", UNREACHABLE)]
    tcp_connect(stage)
    assert stage.errors("client")[-1] == ("connect", UNREACHABLE)


def test_an_address_of_another_host_cannot_be_bound() -> None:
    stage = two()
    host = stage.hosts["client"]
    socket = host.socket("tcp", 4)
    assert not stage.do("client", host.bind(socket, ip(SERVER[4]), 80, 0))
    assert stage.errors("client") == [("bind", NOT_AVAILABLE)]
    assert stage.layers("client") == []


@pytest.mark.parametrize("mtu", [67, 65_536])
def test_an_mtu_has_its_limits(mtu: int) -> None:
    with pytest.raises(ValueError, match="MTU"):
        replace(NEAR, mtu=mtu)


def test_segments_fit_the_mtu() -> None:
    stage = two()
    from tamiz.stack.host import Host

    stage.hosts["client"] = Host("client", (interface(1, f"{CLIENT[4]}/24", mtu=576),))
    tcp_server(stage)
    client = tcp_connect(stage)
    stage.do("client", stage.hosts["client"].send(client, bytes(3000), 0))
    sent = [s.request.packet for s in stage.steps if isinstance(s.request, Transmit) and s.host == "client"]
    assert max(map(len, sent)) == 576
    assert isinstance(dissect(sent[-1]), Packet)


# -- ICMP errors that come in --------------------------------------------------------------------------------------


def test_an_icmp_error_is_a_hint_for_tcp_and_no_more() -> None:
    stage = two()
    tcp_server(stage)
    client = tcp_connect(stage)
    syn = next(s.request.packet for s in stage.steps if isinstance(s.request, Transmit))
    error = build(between(ip("203.0.113.1"), ip(CLIENT[4]), IcmpMessage(4, 3, 1, payload=syn[:28])))
    mark = stage.here
    stage.do("client", stage.hosts["client"].packet_in(error, 0))
    assert stage.layers("client", mark)[-1] == "INBOUND_ICMP_ERROR_V4"
    assert stage.notes("client", mark) == ["ICMP error of type 3, code 1"]
    assert client.error is None


@pytest.mark.parametrize(
    "quotation",
    [b"", b"\x45", b"\x45" * 19, build(between(ip(CLIENT[4]), ip(SERVER[4]), Raw(b"x"), protocol=47))],
)
def test_an_icmp_error_whose_quotation_tells_nothing_is_indicated_all_the_same(quotation: bytes) -> None:
    stage = two()
    error = build(between(ip(SERVER[4]), ip(CLIENT[4]), IcmpMessage(4, 3, 3, payload=quotation)))
    stage.do("client", stage.hosts["client"].packet_in(error, 0))
    assert stage.layers("client") == ["INBOUND_IPPACKET_V4", "INBOUND_TRANSPORT_V4", "INBOUND_ICMP_ERROR_V4"]
    assert stage.errors("client") == []


def test_the_pointer_names_the_byte_of_the_unknown_protocol() -> None:
    stage = two()
    extension = ipv6.Extension(ipv6.Kind.DESTINATION, bytes((1, 4, 0, 0, 0, 0)))
    header = ipv6.Header(ip(CLIENT[6]), ip(SERVER[6]), 47, extensions=(extension,))
    stage.do("server", stage.hosts["server"].packet_in(build(Packet(header, Raw(b"x"))), 0))
    message = dissect(left(stage)[0].packet).transport
    assert isinstance(message, IcmpMessage)
    assert int.from_bytes(message.rest, "big") == 40


@pytest.mark.parametrize("target", [SERVER[4], SERVER[6]])
def test_a_ping_has_its_limits(target: str) -> None:
    stage = two()
    assert stage.do("client", stage.hosts["client"].ping(ip(target), 0, data=bytes(65_528))) is None
    assert stage.errors("client") == [("sendto", TOO_BIG)]
    assert stage.do("client", stage.hosts["client"].ping(ip(target), 0, data=bytes(65_507))) is not None
    assert stage.delivered("client") == [bytes(65_507)]


def test_a_blocked_raw_socket_is_not_made() -> None:
    stage = two()
    stage.block("ALE_RESOURCE_ASSIGNMENT_V4", "client")
    assert stage.do("client", stage.hosts["client"].raw(47, 4, 0)) is None
    assert stage.do("client", stage.hosts["client"].ping(ip(SERVER[4]), 0)) is None
    assert stage.layers("client") == ["ALE_RESOURCE_ASSIGNMENT_V4", "ALE_RESOURCE_ASSIGNMENT_V4_DISCARD"] * 2


def test_a_raw_socket_that_was_refused_takes_no_packets() -> None:
    stage = two()
    stage.block("ALE_RESOURCE_ASSIGNMENT_V4", "server")
    assert stage.do("server", stage.hosts["server"].raw(17, 4, 0)) is None
    stage.permit_all()
    send_udp(stage, udp_client(stage))
    assert "INBOUND_IPPACKET_V4_DISCARD" in stage.layers("server")
    assert stage.delivered("server") == []


def test_a_raw_packet_of_udp_has_its_ports() -> None:
    stage = two()
    client = stage.do("client", stage.hosts["client"].raw(17, 4, 0))
    assert client is not None
    inner = udp_packet(CLIENT[4], SERVER[4])[20:]
    for data in (inner, b"\x00"):
        mark = stage.here
        stage.run("client", stage.hosts["client"].sendto(client, data, Endpoint(ip(SERVER[4]), 0), 0))
        asked = stage.at("OUTBOUND_TRANSPORT_V4", "client", mark)[0]
        assert field_of(asked, "IP_REMOTE_PORT") == (u16(53) if data == inner else EMPTY)


@pytest.mark.parametrize(("by", "blocks"), [(NEAR.luid, "IPFORWARD_V4"), (FAR.luid, "nothing")])
def test_an_interface_may_be_named_by_its_luid(by: int, blocks: str) -> None:
    stage = router(HostConfig(strong_receive=False, forwarding=True))
    stage.block("IPFORWARD_V4")
    stage.run("host", stage.hosts["host"].packet_in(udp_packet(CLIENT[4], "198.51.100.1"), 0, by))
    assert ("IPFORWARD_V4_DISCARD" in stage.layers()) is (blocks == "IPFORWARD_V4")


def test_a_blocked_pass_through_is_not_sent() -> None:
    stage = router(HostConfig(strong_send=False, forwarding=True))
    stage.block("IPFORWARD_V4")
    host = stage.hosts["host"]
    socket = host.socket("udp", 4)
    stage.run("host", host.bind(socket, ip("192.0.2.1"), 53, 0))
    stage.run("host", host.sendto(socket, b"x", Endpoint(ip(SERVER[4]), 9), 0))
    assert stage.layers()[-1] == "IPFORWARD_V4_DISCARD"
    assert left(stage) == []
