"""A host as applications use it: TCP's corners, connected UDP, ping, refusals; and nothing that comes in is an error."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tamiz.model.windows import WindowsVersion
from tamiz.stack.config import HostConfig, ephemeral_ports
from tamiz.stack.host import Host
from tamiz.stack.requests import IN_USE, INVALID, NOT_CONNECTED, NOT_SUPPORTED, REFUSED, TIMED_OUT, Transmit
from tamiz.stack.sockets import Endpoint, SocketState
from tamiz.stack.tcp import TcpConfig
from tamiz.wire.packet import between, build, dissect
from tamiz.wire.tcp import Segment, TcpFlags
from tamiz.wire.udp import Datagram
from tests.stack.playbook import (
    CLIENT,
    SECOND,
    SERVER,
    Stage,
    established,
    interface,
    ip,
    one,
    send_udp,
    tcp_connect,
    tcp_server,
    two,
    udp_client,
    udp_server,
)

# -- TCP -----------------------------------------------------------------------------------------------------------


def test_a_lost_syn_is_sent_again_and_asks_only_the_packet_layers() -> None:
    stage = two()
    tcp_server(stage)
    lost = iter([True])
    stage.lose = lambda host, packet: host == "server" and next(lost, False)
    client = tcp_connect(stage)
    mark = stage.here
    stage.wait(5 * SECOND)
    assert client.state is SocketState.CONNECTED
    assert stage.layers("client", mark)[:2] == ["OUTBOUND_TRANSPORT_V4", "OUTBOUND_IPPACKET_V4"]
    assert stage.layers("server", mark)[:2] == ["INBOUND_IPPACKET_V4", "INBOUND_TRANSPORT_V4"]
    assert len(stage.at("ALE_AUTH_RECV_ACCEPT_V4", "server")) == 1
    assert "sent again" in {c.note for c in stage.classified("client", mark)}


def test_nobody_answers_and_the_connect_times_out() -> None:
    stage = two()
    stage.lose = lambda host, packet: True
    client = tcp_connect(stage)
    stage.wait(120 * SECOND)
    assert stage.errors("client") == [("connect", TIMED_OUT)]
    assert (client.error, stage.hosts["client"].next_timer()) == (TIMED_OUT, None)


def test_a_full_backlog_drops_a_syn_in_silence() -> None:
    stage = two()
    listener = tcp_server(stage, backlog=1)
    tcp_connect(stage)
    mark = stage.here
    second = tcp_connect(stage)
    assert stage.layers("server", mark) == ["INBOUND_IPPACKET_V4", "INBOUND_TRANSPORT_V4"]
    assert stage.sent("server", mark) == []
    assert [d.reason for d in stage.dropped("server", mark)] == ["the listener's backlog is full"]
    stage.do("server", stage.hosts["server"].accept(listener, 0))
    stage.wait(5 * SECOND)
    assert second.state is SocketState.CONNECTED


def test_a_segment_for_no_connection_gets_a_reset_even_with_a_listener() -> None:
    stage = two()
    tcp_server(stage)
    mark = stage.here
    stray = Segment(1, 80, 5, 9, TcpFlags.ACK, 100)
    stage.do("server", stage.hosts["server"].packet_in(build(between(ip(CLIENT[4]), ip(SERVER[4]), stray)), 0))
    assert stage.met("server", mark)[1:] == [
        "INBOUND_TRANSPORT_V4_DISCARD ACK", "OUTBOUND_TRANSPORT_V4 RST", "OUTBOUND_IPPACKET_V4 RST",
    ]  # fmt: skip


def test_a_reset_for_nobody_is_not_answered() -> None:
    stage = two()
    stray = Segment(1, 80, 5, 9, TcpFlags.RST, 100)
    stage.do("server", stage.hosts["server"].packet_in(build(between(ip(CLIENT[4]), ip(SERVER[4]), stray)), 0))
    assert stage.sent("server") == []


def test_stream_packet_is_met_where_a_filter_is_there() -> None:
    stage = two(HostConfig(layer_in_use=lambda key: True), HostConfig(layer_in_use=lambda key: True))
    established(stage)
    assert stage.met("client")[4:] == [
        "STREAM_PACKET_V4 SYN", "OUTBOUND_TRANSPORT_V4 SYN", "OUTBOUND_IPPACKET_V4 SYN",
        "INBOUND_IPPACKET_V4 SYN-ACK", "INBOUND_TRANSPORT_V4 SYN-ACK", "STREAM_PACKET_V4 SYN-ACK",
        "ALE_FLOW_ESTABLISHED_V4 ACK", "STREAM_PACKET_V4 ACK", "OUTBOUND_TRANSPORT_V4 ACK", "OUTBOUND_IPPACKET_V4 ACK",
    ]  # fmt: skip
    assert stage.met("server")[5:7] == ["ALE_AUTH_RECV_ACCEPT_V4 SYN", "STREAM_PACKET_V4 SYN"]


def test_a_long_send_is_one_stream_indication_and_many_segments() -> None:
    stage = two()
    client, server = established(stage)
    mark = stage.here
    data = bytes(range(256)) * 20
    stage.do("client", stage.hosts["client"].send(client, data, 0))
    assert len(stage.at("STREAM_V4", "client", mark)) == 1
    assert stage.at("STREAM_V4", "client", mark)[0].length == len(data)
    assert stage.sent("client", mark).count("DATA") == 4
    assert stage.do("server", stage.hosts["server"].receive(server, 0)) == data
    assert stage.do("server", stage.hosts["server"].receive(server, 0)) == b""


def test_reading_opens_a_closed_window() -> None:
    small = HostConfig(transport=TcpConfig(receive_buffer=2000, window_scale=0))
    stage = two(server=small)
    client, server = established(stage)
    stage.do("client", stage.hosts["client"].send(client, bytes(5000), 0))
    got = 0
    for _ in range(20):
        got += len(stage.do("server", stage.hosts["server"].receive(server, stage.now)))
        stage.wait(SECOND)
    assert got == 5000


def test_pure_acknowledgements_meet_no_stream() -> None:
    stage = two()
    client, _ = established(stage)
    mark = stage.here
    stage.do("client", stage.hosts["client"].send(client, b"x", 0))
    assert stage.met("client", mark)[-2:] == ["INBOUND_IPPACKET_V4 ACK", "INBOUND_TRANSPORT_V4 ACK"]


def test_a_half_closed_connection_still_receives() -> None:
    stage = two()
    client, server = established(stage)
    stage.do("client", stage.hosts["client"].close(client, 0))
    assert server.peer_finished
    stage.do("server", stage.hosts["server"].send(server, b"last words", 0))
    assert stage.delivered("client") == [b"last words"]
    assert "ALE_ENDPOINT_CLOSURE_V4" not in stage.layers("client")


def test_the_port_is_free_again_when_time_wait_is_over() -> None:
    stage = two()
    client, server = established(stage)
    stage.do("client", stage.hosts["client"].close(client, 0))
    stage.do("server", stage.hosts["server"].close(server, 0))
    assert client.state is SocketState.CLOSING
    stage.wait(241 * SECOND)
    assert client.state is server.state is SocketState.CLOSED
    assert stage.layers("client").count("ALE_ENDPOINT_CLOSURE_V4") == 1
    assert len(stage.hosts["client"].flows) == len(stage.hosts["server"].flows) == 0


def test_calls_that_make_no_sense_are_refused() -> None:
    stage = two()
    host = stage.hosts["client"]
    socket = host.socket("tcp", 4)
    assert not stage.do("client", host.listen(socket, 0))
    assert not stage.do("client", host.send(socket, b"x", 0))
    stage.do("client", host.bind(socket, None, 80, 0))
    assert not stage.do("client", host.bind(socket, None, 81, 0))
    twin = host.socket("tcp", 4)
    assert not stage.do("client", host.bind(twin, None, 80, 0))
    assert not stage.do("client", host.connect(socket, Endpoint(ip(SERVER[6]), 80), 0))
    assert not stage.do("client", host.send(host.socket("udp", 4), b"x", 0))
    assert not stage.do("client", host.complete(socket, 0))
    assert [error for _, error in stage.errors("client")] == [
        INVALID, NOT_CONNECTED, INVALID, IN_USE, INVALID, NOT_CONNECTED, INVALID,
    ]  # fmt: skip
    assert stage.do("client", host.accept(socket, 0)) is None
    with pytest.raises(ValueError, match="wanted 'tcp' or 'udp'"):
        host.socket("sctp", 4)


def test_calls_of_the_other_protocol_are_refused_and_meet_no_layer() -> None:
    stage = two()
    host = stage.hosts["client"]
    tcp_socket, udp_socket, ended = host.socket("tcp", 4), host.socket("udp", 4), host.socket("udp", 4)
    stage.do("client", host.bind(udp_socket, None, 53, 0))
    stage.do("client", host.close(ended, 0))
    mark = stage.here
    assert not stage.do("client", host.listen(udp_socket, 0))
    assert not stage.do("client", host.sendto(tcp_socket, b"x", Endpoint(ip(SERVER[4]), 80), 0))
    assert not stage.do("client", host.connect(udp_socket, Endpoint(ip(SERVER[6]), 80), 0))
    assert not stage.do("client", host.connect(ended, Endpoint(ip(SERVER[4]), 80), 0))
    assert stage.layers("client", mark) == []
    assert [error for _, error in stage.errors("client", mark)] == [NOT_SUPPORTED, NOT_CONNECTED, INVALID, INVALID]


def test_sending_nothing_meets_no_layer() -> None:
    stage = two()
    client, _ = established(stage)
    mark = stage.here
    assert stage.do("client", stage.hosts["client"].send(client, b"", 0))
    assert stage.layers("client", mark) == []


def test_closing_what_was_never_used_meets_no_layer() -> None:
    stage = two()
    host = stage.hosts["client"]
    for protocol in ("tcp", "udp"):
        socket = host.socket(protocol, 4)
        stage.do("client", host.close(socket, 0))
        assert socket.state is SocketState.CLOSED
    assert stage.layers() == []


def test_a_refused_connect_is_released_when_its_socket_closes() -> None:
    stage = two()
    client = tcp_connect(stage)
    assert client.error == REFUSED
    mark = stage.here
    stage.do("client", stage.hosts["client"].close(client, 0))
    assert stage.layers("client", mark) == ["ALE_ENDPOINT_CLOSURE_V4", "ALE_RESOURCE_RELEASE_V4"]


# -- UDP and ping --------------------------------------------------------------------------------------------------


def test_connect_on_a_udp_socket_authorizes_at_the_call() -> None:
    stage = two()
    udp_server(stage)
    host = stage.hosts["client"]
    client = host.socket("udp", 4)
    assert stage.do("client", host.connect(client, Endpoint(ip(SERVER[4]), 53), 0))
    assert stage.layers("client")[2:] == [
        "ALE_CONNECT_REDIRECT_V4",
        "ALE_AUTH_CONNECT_V4",
        "ALE_FLOW_ESTABLISHED_V4",
    ]
    mark = stage.here
    assert stage.do("client", host.send(client, b"x", 0))
    assert stage.layers("client", mark) == [
        "DATAGRAM_DATA_V4",
        "OUTBOUND_TRANSPORT_V4",
        "OUTBOUND_IPPACKET_V4",
    ]


def test_a_connected_udp_socket_takes_datagrams_of_its_peer_only() -> None:
    stage = two()
    udp_server(stage)
    host = stage.hosts["client"]
    client = host.socket("udp", 4)
    stage.do("client", host.connect(client, Endpoint(ip(SERVER[4]), 53), 0))
    mark = stage.here
    for sender in ("203.0.113.1", SERVER[4]):
        packet = build(between(ip(sender), ip(CLIENT[4]), Datagram(53, client.port, b"x")))
        stage.run("client", host.packet_in(packet, 0))
    assert stage.delivered("client", mark) == [b"x"]
    assert "INBOUND_IPPACKET_V4_DISCARD" in stage.layers("client", mark)


def test_a_second_ping_of_a_handle_is_the_same_flow() -> None:
    stage = two()
    host = stage.hosts["client"]
    handle = stage.do("client", host.ping(ip(SERVER[4]), 0))
    assert handle is not None
    mark = stage.here
    stage.do("client", host.ping(ip(SERVER[4]), 0, handle, 2, b"again"))
    assert stage.layers("client", mark)[0] == "DATAGRAM_DATA_V4"
    assert "ALE_AUTH_RECV_ACCEPT_V4" not in stage.layers("server", mark)
    assert stage.delivered("client", mark) == [b"again"]
    other = stage.do("client", host.ping(ip(SERVER[4]), 0))
    assert other is not handle
    assert len(stage.at("ALE_AUTH_CONNECT_V4", "client")) == 2


def test_a_host_that_does_not_answer_echo_is_authorized_all_the_same() -> None:
    stage = two(server=HostConfig(answers_echo=False))
    stage.do("client", stage.hosts["client"].ping(ip(SERVER[4]), 0))
    assert stage.layers("server")[-1] == "DATAGRAM_DATA_V4"
    assert stage.sent("server") == []


def test_receive_gives_one_datagram_at_a_time() -> None:
    stage = two()
    server, client = udp_server(stage), udp_client(stage)
    send_udp(stage, client, b"1")
    send_udp(stage, client, b"2")
    host = stage.hosts["server"]
    assert [stage.do("server", host.receive(server, 0)) for _ in range(3)] == [b"1", b"2", b""]


@pytest.mark.parametrize("version", [4, 6], ids=["IPv4", "IPv6"])
def test_udp_and_ping_over_loopback(version: int) -> None:
    stage = one()
    host = stage.hosts["host"]
    home = ip("127.0.0.1" if version == 4 else "::1")
    server, client = host.socket("udp", version), host.socket("udp", version)
    stage.do("host", host.bind(server, home, 53, 0))
    stage.do("host", host.sendto(client, b"x", Endpoint(home, 53), 0))
    stage.do("host", host.ping(home, 0, data=b"echo"))
    assert stage.delivered("host") == [b"x", b"echo"]
    assert all(s.request.loopback for s in stage.steps if isinstance(s.request, Transmit))


def test_dynamic_ports_begin_anew() -> None:
    ports = ephemeral_ports()
    first = [next(ports) for _ in range(16_385)]
    assert (first[0], first[16_383], first[16_384]) == (49_152, 65_535, 49_152)


def test_when_every_dynamic_port_is_taken_the_bind_fails() -> None:
    stage = two(HostConfig(ports=iter([50_000] * 70_000)))
    host = stage.hosts["client"]
    for _ in range(2):
        stage.do("client", host.bind(host.socket("udp", 4), None, 0, 0))
    assert stage.errors("client") == [("bind", IN_USE)]


# -- anything may come in ------------------------------------------------------------------------------------------

PACKETS = [
    build(between(ip(CLIENT[v]), ip(SERVER[v]), transport))
    for v in (4, 6)
    for transport in (Segment(1, 80, 1, 0, TcpFlags.SYN, 1000), Datagram(5, 53, b"question"))
]


def busy() -> Stage:
    stage = two()
    established(stage)
    udp_server(stage)
    send_udp(stage, udp_client(stage))
    stage.do("client", stage.hosts["client"].ping(ip(SERVER[4]), 0))
    return stage


REAL = [s.request.packet for s in busy().steps if isinstance(s.request, Transmit)] + PACKETS


@given(st.binary(max_size=120))
@settings(max_examples=80, deadline=None)
def test_bytes_are_never_an_error(data: bytes) -> None:
    stage = two()
    stage.do("server", stage.hosts["server"].packet_in(data, 0))
    assert stage.sent("server") == []


@given(
    st.sampled_from(REAL),
    st.lists(st.tuples(st.integers(0, 200), st.integers(0, 255)), max_size=4),
    st.integers(0, 200),
)
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_damaged_packets_are_never_an_error(packet: bytes, changes: list[tuple[int, int]], cut: int) -> None:
    stage = two()
    tcp_server(stage)
    udp_server(stage)
    data = bytearray(packet)
    for at, value in changes:
        data[at % len(data)] = value
    stage.do("server", stage.hosts["server"].packet_in(bytes(data[: max(cut, 1)] if cut < 40 else data), 0))
    for step in stage.steps:
        if isinstance(step.request, Transmit):
            dissect(step.request.packet)


LAYERS = [
    "ALE_BIND_REDIRECT_V4", "ALE_RESOURCE_ASSIGNMENT_V4", "ALE_AUTH_LISTEN_V4", "ALE_CONNECT_REDIRECT_V4",
    "ALE_AUTH_CONNECT_V4", "ALE_AUTH_RECV_ACCEPT_V4", "ALE_FLOW_ESTABLISHED_V4", "STREAM_V4", "STREAM_PACKET_V4",
    "DATAGRAM_DATA_V4", "INBOUND_TRANSPORT_V4", "OUTBOUND_TRANSPORT_V4", "INBOUND_IPPACKET_V4", "OUTBOUND_IPPACKET_V4",
    "ALE_ENDPOINT_CLOSURE_V4", "ALE_RESOURCE_RELEASE_V4", "INBOUND_ICMP_ERROR_V4", "OUTBOUND_ICMP_ERROR_V4",
    "INBOUND_TRANSPORT_V4_DISCARD", "INBOUND_IPPACKET_V4_DISCARD",
]  # fmt: skip


@given(
    st.lists(st.tuples(st.sampled_from(LAYERS), st.sampled_from(["block", "absorb", "pend"])), max_size=3),
    st.lists(st.sampled_from(["send", "answer", "udp", "ping", "policy", "wait", "close", "abort", "permit"]), max_size=8),
    st.integers(0, 3),
)  # fmt: skip
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_any_policy_and_any_calls_leave_the_hosts_sound(
    blocks: list[tuple[str, str]], acts: list[str], begin: int
) -> None:
    config = HostConfig(layer_in_use=lambda key: True)
    stage = two(config, replace(config, windows=WindowsVersion.VISTA))
    for n, (layer, how) in enumerate(blocks):
        if n >= begin:
            stage.block(layer, how=how)
    listener, server_udp = tcp_server(stage), udp_server(stage)
    client, client_udp = tcp_connect(stage), udp_client(stage)
    for n, (layer, how) in enumerate(blocks):
        if n < begin:
            stage.block(layer, how=how)
    for act in acts:
        _act(stage, act, listener, client, server_udp, client_udp)
    stage.permit_all()
    for name, sockets in (("client", [client, client_udp]), ("server", [listener, server_udp])):
        for socket in sockets:
            stage.do(name, stage.hosts[name].abort(socket, stage.now))
    stage.wait(600 * SECOND)
    _sound(stage)


def _act(stage: Stage, act: str, listener: object, client: object, server_udp: object, client_udp: object) -> None:
    from tamiz.model import catalog
    from tamiz.stack.sockets import Socket

    assert isinstance(listener, Socket) and isinstance(client, Socket) and isinstance(client_udp, Socket)
    here, there = stage.hosts["client"], stage.hosts["server"]
    match act:
        case "send":
            stage.do("client", here.send(client, b"data", stage.now))
        case "answer":
            accepted = stage.do("server", there.accept(listener, stage.now))
            if accepted is not None:
                stage.do("server", there.send(accepted, b"answer", stage.now))
                stage.do("server", there.close(accepted, stage.now))
        case "udp":
            send_udp(stage, client_udp)
        case "ping":
            stage.do("client", here.ping(ip(SERVER[4]), stage.now))
        case "policy":
            for host in (here, there):
                host.policy_changed(catalog.layers())
        case "wait":
            stage.wait(3 * SECOND)
        case "close":
            stage.do("client", here.close(client, stage.now))
        case "abort":
            stage.do("client", here.abort(client, stage.now))
        case "permit":
            stage.permit_all()


def _sound(stage: Stage) -> None:
    """No more releases than assignments; every packet on the wire can be read; Vista met none of the later layers."""
    for name in ("client", "server"):
        met = stage.layers(name)
        assert met.count("ALE_RESOURCE_RELEASE_V4") <= met.count("ALE_RESOURCE_ASSIGNMENT_V4")
        authorized = (
            met.count("ALE_AUTH_CONNECT_V4") + met.count("ALE_AUTH_RECV_ACCEPT_V4") + met.count("ALE_AUTH_LISTEN_V4")
        )
        assert met.count("ALE_ENDPOINT_CLOSURE_V4") <= authorized + met.count("ALE_RESOURCE_ASSIGNMENT_V4")
    assert not any(
        word in layer for layer in stage.layers("server") for word in ("REDIRECT", "CLOSURE", "STREAM_PACKET")
    )
    for step in stage.steps:
        if isinstance(step.request, Transmit):
            dissect(step.request.packet)


def test_the_same_input_gives_the_same_trace() -> None:
    assert busy().steps == busy().steps


def test_a_host_names_itself_and_shows_its_state() -> None:
    host = Host("web", [interface(1, "192.0.2.10/24")])
    assert (host.name, len(host.flows), next(iter(host.interfaces)).index) == ("web", 0, 11)
    assert host.config.windows is WindowsVersion.ELEVEN
