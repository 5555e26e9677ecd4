"""ALE flows: when authorization is asked, asked again, and forgotten (spec ale.md 1 to 3, 6; its vectors by number)."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tamiz.model._tables import ConditionFlags, Profile, ReauthorizeReason
from tamiz.model.values import EMPTY
from tamiz.model.windows import WindowsVersion
from tamiz.stack.config import HostConfig
from tamiz.stack.flows import TRANSITIONS, Event, FlowKey, FlowTable, State, group_key
from tamiz.stack.interfaces import Interfaces, Route
from tamiz.stack.requests import ABORTED, ACCESS, Classify
from tamiz.stack.rows import layer_key
from tamiz.stack.sockets import Endpoint, Socket, SocketState
from tamiz.wire.packet import between, build
from tamiz.wire.udp import Datagram
from tests.stack.playbook import (
    CLIENT,
    SECOND,
    SERVER,
    Stage,
    established,
    field_of,
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

CONNECT, ACCEPT = layer_key("ALE_AUTH_CONNECT", 4), layer_key("ALE_AUTH_RECV_ACCEPT", 4)
REAUTHORIZE = ConditionFlags.IS_REAUTHORIZE


def number(classify: Classify, name: str) -> int:
    fact = field_of(classify, name)
    assert fact is not None and isinstance(fact.data, int)  # type: ignore[union-attr]
    return fact.data  # type: ignore[union-attr]


def is_again(classify: Classify) -> bool:
    return bool(number(classify, "FLAGS") & REAUTHORIZE)


def reply(stage: Stage, socket: Socket, data: bytes = b"answer", sender: str | None = None, port: int = 53) -> None:
    """A datagram to the client's socket, from the server or anybody."""
    source, target = ip(sender or SERVER[4]), ip(CLIENT[4])
    packet = build(between(source, target, Datagram(port, socket.port, data)))
    stage.do("client", stage.hosts["client"].packet_in(packet, stage.now))


# -- vectors 1 to 5 ------------------------------------------------------------------------------------------------


def test_1_two_datagrams_to_one_peer_are_one_flow() -> None:
    stage = two()
    udp_server(stage)
    client = udp_client(stage)
    send_udp(stage, client)
    send_udp(stage, client)
    counts = [
        len(stage.at(f"{name}_V4", "client")) for name in ("ALE_AUTH_CONNECT", "ALE_FLOW_ESTABLISHED", "DATAGRAM_DATA")
    ]
    assert counts == [1, 1, 2]


def test_2_two_peers_are_two_flows() -> None:
    stage = two()
    udp_server(stage)
    udp_server(stage, port=54)
    client = udp_client(stage)
    send_udp(stage, client)
    send_udp(stage, client, port=54)
    assert len(stage.at("ALE_AUTH_CONNECT_V4", "client")) == 2


def test_3_a_reply_belongs_to_the_flow() -> None:
    stage = two()
    server = udp_server(stage)
    client = udp_client(stage)
    send_udp(stage, client)
    _, sender = server.inbox[0]
    mark = stage.here
    stage.do("server", stage.hosts["server"].sendto(server, b"answer", sender, 0))
    assert stage.layers("server", mark) == [
        "DATAGRAM_DATA_V4",
        "OUTBOUND_TRANSPORT_V4",
        "OUTBOUND_IPPACKET_V4",
    ]
    assert stage.layers("client", mark) == ["INBOUND_IPPACKET_V4", "INBOUND_TRANSPORT_V4", "DATAGRAM_DATA_V4"]


@pytest.mark.parametrize(
    ("idle", "asked"),
    [
        pytest.param(59 * SECOND, 1, id="after 59 s the flow lives"),
        pytest.param(61 * SECOND, 2, id="4: after 61 s it is authorized anew"),
    ],
)
def test_4_an_idle_flow_is_forgotten(idle: int, asked: int) -> None:
    stage = two()
    udp_server(stage)
    client = udp_client(stage)
    send_udp(stage, client)
    stage.now += idle
    send_udp(stage, client)
    connects = stage.at("ALE_AUTH_CONNECT_V4", "client")
    assert len(connects) == asked
    assert not any(is_again(c) for c in connects)


def test_5_traffic_of_either_direction_keeps_it() -> None:
    stage = two()
    udp_server(stage)
    client = udp_client(stage)
    send_udp(stage, client)
    stage.now = 50 * SECOND
    reply(stage, client)
    stage.now = 100 * SECOND
    send_udp(stage, client)
    assert len(stage.at("ALE_AUTH_CONNECT_V4", "client")) == 1
    assert "ALE_AUTH_RECV_ACCEPT_V4" not in stage.layers("client")


# -- vectors 6 to 9: reauthorization -------------------------------------------------------------------------------


def push(stage: Stage, listener: Socket) -> None:
    """The server sends: an inbound segment at the client."""
    server = stage.do("server", stage.hosts["server"].accept(listener, 0))
    assert server is not None
    stage.do("server", stage.hosts["server"].send(server, b"news", 0))


def outbound_flow() -> tuple[Stage, Socket, Socket]:
    stage = two()
    listener = tcp_server(stage)
    return stage, tcp_connect(stage), listener


def test_6_an_inbound_segment_reauthorizes_an_outbound_flow_at_connect() -> None:
    stage, _, listener = outbound_flow()
    stage.hosts["client"].policy_changed({CONNECT})
    mark = stage.here
    push(stage, listener)
    assert stage.layers("client", mark)[:4] == [
        "INBOUND_IPPACKET_V4", "INBOUND_TRANSPORT_V4", "ALE_AUTH_CONNECT_V4", "STREAM_V4",
    ]  # fmt: skip
    again = stage.at("ALE_AUTH_CONNECT_V4", "client", mark)[0]
    assert is_again(again)
    assert again.direction == "in"
    assert number(again, "REAUTHORIZE_REASON") == ReauthorizeReason.POLICY_CHANGE
    assert field_of(again, "IP_ARRIVAL_INTERFACE") != EMPTY
    assert field_of(again, "IP_NEXTHOP_INTERFACE") == EMPTY
    mark = stage.here
    push_again = stage.hosts["server"].sockets
    server = next(s for s in push_again if s.parent is listener)
    stage.do("server", stage.hosts["server"].send(server, b"more", 0))
    assert "ALE_AUTH_CONNECT_V4" not in stage.layers("client", mark)


@pytest.mark.parametrize("layer", ["ALE_AUTH_RECV_ACCEPT", "INBOUND_TRANSPORT", "ALE_AUTH_LISTEN"])
def test_7_a_change_at_another_layer_reauthorizes_nothing(layer: str) -> None:
    stage, _, listener = outbound_flow()
    stage.hosts["client"].policy_changed({layer_key(layer, 4)})
    mark = stage.here
    push(stage, listener)
    assert "ALE_AUTH_CONNECT_V4" not in stage.layers("client", mark)


def test_7b_the_other_family_reauthorizes_nothing() -> None:
    stage, _, listener = outbound_flow()
    stage.hosts["client"].policy_changed({layer_key("ALE_AUTH_CONNECT", 6)})
    mark = stage.here
    push(stage, listener)
    assert "ALE_AUTH_CONNECT_V4" not in stage.layers("client", mark)


def test_8_a_block_at_reauthorization_ends_the_flow() -> None:
    stage, client, listener = outbound_flow()
    stage.hosts["client"].policy_changed({CONNECT})
    stage.block("ALE_AUTH_CONNECT_V4", "client")
    mark = stage.here
    push(stage, listener)
    assert stage.layers("client", mark) == [
        "INBOUND_IPPACKET_V4", "INBOUND_TRANSPORT_V4", "ALE_AUTH_CONNECT_V4", "ALE_AUTH_CONNECT_V4_DISCARD",
    ]  # fmt: skip
    assert len(stage.hosts["client"].flows) == 0
    assert stage.delivered("client", mark) == []
    assert client.connection is None


def test_8b_a_connection_that_was_being_closed_is_released_at_once() -> None:
    stage, client, _ = outbound_flow()
    stage.hosts["client"].policy_changed({CONNECT})
    stage.block("ALE_AUTH_CONNECT_V4", "client")
    mark = stage.here
    stage.do("client", stage.hosts["client"].close(client, 0))
    assert stage.met("client", mark) == [
        "ALE_AUTH_CONNECT_V4 FIN", "ALE_AUTH_CONNECT_V4_DISCARD FIN", "ALE_ENDPOINT_CLOSURE_V4",
        "ALE_RESOURCE_RELEASE_V4",
    ]  # fmt: skip
    assert (client.state, stage.errors("client", mark)) == (SocketState.CLOSED, [])


def test_8c_a_half_open_connection_ends_unseen_by_its_listener() -> None:
    stage = two()
    tcp_server(stage)
    host = stage.hosts["client"]
    stage.run("client", host.connect(host.socket("tcp", 4), Endpoint(ip(SERVER[4]), 80), 0))
    stage.run("server", stage.hosts["server"].packet_in(stage.wire.popleft()[1], 0))
    stage.hosts["server"].policy_changed({ACCEPT})
    stage.block("ALE_AUTH_RECV_ACCEPT_V4", "server")
    mark = stage.here
    stage.pump()
    assert stage.met("server", mark)[2:] == [
        "ALE_AUTH_RECV_ACCEPT_V4 ACK", "ALE_AUTH_RECV_ACCEPT_V4_DISCARD ACK", "ALE_ENDPOINT_CLOSURE_V4",
    ]  # fmt: skip
    assert stage.errors("server") == []


def test_8d_a_connect_under_way_fails_as_a_connect() -> None:
    stage = two()
    tcp_server(stage)
    host = stage.hosts["client"]
    stage.run("client", host.connect(host.socket("tcp", 4), Endpoint(ip(SERVER[4]), 80), 0))
    host.policy_changed({CONNECT})
    stage.block("ALE_AUTH_CONNECT_V4", "client")
    stage.pump()
    assert stage.errors("client") == [("connect", ABORTED)]


def test_9_a_filter_on_is_reauthorize_lets_new_connections_pass_and_ends_old_ones() -> None:
    stage, client, _ = outbound_flow()
    stage.block("ALE_AUTH_CONNECT_V4", "client", when=is_again)
    stage.hosts["client"].policy_changed({CONNECT})
    fresh = tcp_connect(stage)
    assert fresh.state is SocketState.CONNECTED
    stage.do("client", stage.hosts["client"].send(client, b"x", 0))
    assert client.connection is None


def test_an_outbound_segment_is_reauthorized_between_stream_and_transport() -> None:
    stage = two()
    client, _ = established(stage)
    stage.hosts["client"].policy_changed({CONNECT})
    mark = stage.here
    stage.do("client", stage.hosts["client"].send(client, b"x", 0))
    assert stage.layers("client", mark)[:4] == [
        "STREAM_V4", "ALE_AUTH_CONNECT_V4", "OUTBOUND_TRANSPORT_V4", "OUTBOUND_IPPACKET_V4",
    ]  # fmt: skip
    again = stage.at("ALE_AUTH_CONNECT_V4", "client", mark)[0]
    assert again.direction == "out"
    assert field_of(again, "IP_ARRIVAL_INTERFACE") == EMPTY
    assert field_of(again, "IP_NEXTHOP_INTERFACE") != EMPTY


def test_several_changes_are_one_reauthorization() -> None:
    stage, _, listener = outbound_flow()
    for _ in range(3):
        stage.hosts["client"].policy_changed({CONNECT, ACCEPT})
    mark = stage.here
    push(stage, listener)
    assert len(stage.at("ALE_AUTH_CONNECT_V4", "client", mark)) == 1


def test_a_change_during_the_handshake_asks_again_and_the_handshake_goes_on() -> None:
    stage = two()
    tcp_server(stage)
    host = stage.hosts["client"]
    socket = host.socket("tcp", 4)
    stage.run("client", host.connect(socket, Endpoint(ip(SERVER[4]), 80), 0))
    host.policy_changed({CONNECT})
    stage.pump()
    assert len(stage.at("ALE_AUTH_CONNECT_V4", "client")) == 2
    assert socket.state is SocketState.CONNECTED
    assert socket.flow is not None and socket.flow.state is State.ESTABLISHED


def test_flow_established_is_not_repeated() -> None:
    stage, client, _ = outbound_flow()
    stage.hosts["client"].policy_changed({CONNECT})
    stage.do("client", stage.hosts["client"].send(client, b"x", 0))
    assert len(stage.at("ALE_FLOW_ESTABLISHED_V4", "client")) == 1


# -- vectors 10 and 11: pending ------------------------------------------------------------------------------------


def test_10_a_pended_connect_is_authorized_again_when_it_completes() -> None:
    stage = two()
    tcp_server(stage)
    stage.block("ALE_AUTH_CONNECT_V4", "client", how="pend")
    socket = tcp_connect(stage)
    assert stage.layers("client")[-1] == "ALE_AUTH_CONNECT_V4"
    assert stage.sent("client") == []
    assert socket.pending == "connect"
    assert socket.flow is not None and socket.flow.state is State.PENDED

    stage.permit_all()
    stage.do("client", stage.hosts["client"].complete(socket, 0))

    again = stage.at("ALE_AUTH_CONNECT_V4", "client")[1]
    assert is_again(again)
    assert number(again, "REAUTHORIZE_REASON") == ReauthorizeReason.CLASSIFY_COMPLETION
    assert stage.sent("client")[0] == "SYN"
    assert socket.state is SocketState.CONNECTED


def test_10b_a_block_at_the_completion_refuses_the_connect() -> None:
    stage = two()
    stage.block("ALE_AUTH_CONNECT_V4", "client", how="pend")
    socket = tcp_connect(stage)
    stage.permit_all()
    stage.block("ALE_AUTH_CONNECT_V4", "client")
    stage.do("client", stage.hosts["client"].complete(socket, 0))
    assert stage.layers("client")[-1] == "ALE_AUTH_CONNECT_V4_DISCARD"
    assert (stage.sent("client"), stage.errors("client")) == ([], [("connect", ACCESS)])


def test_11_nothing_can_be_pended_in_a_reauthorization() -> None:
    stage, client, _ = outbound_flow()
    stage.hosts["client"].policy_changed({CONNECT})
    stage.block("ALE_AUTH_CONNECT_V4", "client", how="pend")
    stage.do("client", stage.hosts["client"].send(client, b"x", 0))
    assert client.pending is None
    assert client.connection is None


def test_a_pended_first_datagram_is_gone_and_only_its_flow_is_made() -> None:
    stage = two()
    udp_server(stage)
    stage.block("ALE_AUTH_CONNECT_V4", "client", how="pend")
    socket = udp_client(stage)
    assert not send_udp(stage, socket)
    stage.permit_all()
    mark = stage.here
    assert stage.do("client", stage.hosts["client"].complete(socket, 0))
    assert stage.layers("client", mark) == ["ALE_AUTH_CONNECT_V4", "ALE_FLOW_ESTABLISHED_V4"]
    assert stage.delivered("server") == []
    mark = stage.here
    send_udp(stage, socket)
    assert stage.layers("client", mark)[0] == "DATAGRAM_DATA_V4"


SHOWN = ("IP_LOCAL_ADDRESS", "IP_LOCAL_PORT", "IP_REMOTE_ADDRESS", "IP_REMOTE_PORT", "IP_LOCAL_INTERFACE",
         "IP_NEXTHOP_INTERFACE", "IP_ARRIVAL_INTERFACE", "IP_DESTINATION_ADDRESS_TYPE")  # fmt: skip


@pytest.mark.parametrize("protocol", ["tcp", "udp", "udp, connected", "icmp"])
def test_a_completed_operation_shows_what_the_pended_one_showed(protocol: str) -> None:
    stage = two()
    tcp_server(stage)
    stage.block("ALE_AUTH_CONNECT_V4", "client", how="pend")
    host, target = stage.hosts["client"], Endpoint(ip(SERVER[4]), 80)
    socket = host.socket("tcp" if protocol == "tcp" else "udp", 4)
    if protocol == "icmp":
        stage.do("client", host.ping(target.address, 0))
        socket = next(s for s in host.sockets if s.pending)
    elif protocol == "udp":
        stage.do("client", host.sendto(socket, b"?", target, 0))
    else:
        stage.do("client", host.connect(socket, target, 0))
    stage.permit_all()
    assert stage.do("client", host.complete(socket, 0))
    first, again = stage.at("ALE_AUTH_CONNECT_V4", "client")
    assert [field_of(again, name) for name in SHOWN] == [field_of(first, name) for name in SHOWN]
    assert field_of(again, "IP_NEXTHOP_INTERFACE") not in (None, EMPTY)
    assert (number(again, "REAUTHORIZE_REASON"), is_again(again)) == (0x10, True)


@pytest.mark.parametrize("layer", ["ALE_RESOURCE_ASSIGNMENT", "ALE_AUTH_LISTEN"])
def test_a_pended_bind_or_listen_is_classified_again(layer: str) -> None:
    stage = two()
    stage.block(f"{layer}_V4", "server", how="pend")
    host = stage.hosts["server"]
    socket = host.socket("tcp", 4)
    bound = stage.do("server", host.bind(socket, None, 80, 0))
    if bound:
        assert not stage.do("server", host.listen(socket, 0))
    assert f"{layer}_V4_DISCARD" not in stage.layers("server")
    stage.permit_all()
    assert stage.do("server", host.complete(socket, 0))
    assert len(stage.at(f"{layer}_V4", "server")) == 2
    assert socket.state is (SocketState.LISTENING if bound else SocketState.BOUND)


def test_a_pended_syn_waits_in_silence_and_its_clone_is_a_new_one() -> None:
    stage = two()
    tcp_server(stage)
    stage.block("ALE_AUTH_RECV_ACCEPT_V4", "server", how="pend")
    socket = tcp_connect(stage)
    assert stage.sent("server") == []
    assert "ALE_AUTH_RECV_ACCEPT_V4_DISCARD" not in stage.layers("server")
    stage.permit_all()
    stage.wait(5 * SECOND)
    assert socket.state is SocketState.CONNECTED
    assert not any(is_again(c) for c in stage.at("ALE_AUTH_RECV_ACCEPT_V4", "server"))


# -- vectors 13 and 14: multicast ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("delay", "config", "asked"),
    [
        pytest.param(2 * SECOND, HostConfig(), 0, id="13: an unknown host answers a multicast within 4 s"),
        pytest.param(5 * SECOND, HostConfig(), 1, id="14: after 5 s it must be authorized"),
        pytest.param(2 * SECOND, HostConfig(multicast_responses=False), 1, id="15: responses are turned off"),
    ],
)
def test_13_to_15_answers_to_a_multicast(delay: int, config: HostConfig, asked: int) -> None:
    stage = two(config)
    client = udp_client(stage)
    group = Endpoint(ip("239.255.255.250"), 1900)
    stage.run("client", stage.hosts["client"].sendto(client, b"who?", group, 0))
    assert len(stage.at("ALE_AUTH_CONNECT_V4", "client")) == 1
    stage.now = delay
    reply(stage, client, sender="203.0.113.9", port=1900)
    assert len(stage.at("ALE_AUTH_RECV_ACCEPT_V4", "client")) == asked
    assert stage.delivered("client") == [b"answer"]


def test_a_udp_socket_connected_to_a_group_has_a_flow_of_four_seconds_too() -> None:
    stage = two()
    host = stage.hosts["client"]
    socket = host.socket("udp", 4)
    stage.do("client", host.connect(socket, Endpoint(ip("239.1.1.1"), 53), 0))
    for seconds, again in ((3, False), (8, True)):
        mark = stage.here
        stage.do("client", host.send(socket, b"?", seconds * SECOND))
        assert ("ALE_AUTH_CONNECT_V4" in stage.layers("client", mark)) is again


def test_only_outbound_traffic_keeps_a_multicast_flow() -> None:
    stage = two()
    client = udp_client(stage)
    group = Endpoint(ip("239.255.255.250"), 1900)
    for stage.now in (0, 3 * SECOND):
        stage.run("client", stage.hosts["client"].sendto(client, b"who?", group, stage.now))
    stage.now = 6 * SECOND
    reply(stage, client, sender="203.0.113.9", port=1900)
    assert "ALE_AUTH_RECV_ACCEPT_V4" not in stage.layers("client")
    stage.now = 8 * SECOND
    reply(stage, client, sender="203.0.113.10", port=1900)
    assert len(stage.at("ALE_AUTH_RECV_ACCEPT_V4", "client")) == 1


def test_inbound_multicast_is_one_flow_which_every_packet_asks_again() -> None:
    stage = two()
    server = udp_server(stage, port=5353)
    for sender in ("192.0.2.10", "192.0.2.11", "192.0.2.12"):
        packet = build(between(ip(sender), ip("224.0.0.251"), Datagram(5353, 5353, b"mdns")))
        stage.do("server", stage.hosts["server"].packet_in(packet, 0))
    asked = stage.at("ALE_AUTH_RECV_ACCEPT_V4", "server")
    reasons = [number(c, "REAUTHORIZE_REASON") for c in asked]
    assert reasons == [0, *([int(ReauthorizeReason.NEW_INBOUND_MCAST_BCAST_PACKET)] * 2)]
    assert [number(c, "IP_LOCAL_ADDRESS_TYPE") for c in asked] == [3, 3, 3]
    assert len(stage.hosts["server"].flows) == 1
    assert len(server.inbox) == 3


# -- vectors 24 and 25: closing ------------------------------------------------------------------------------------


def test_24_a_udp_socket_of_three_peers_is_closed_once() -> None:
    stage = two()
    client = udp_client(stage)
    for port in (53, 54, 55):
        udp_server(stage, port=port)
        send_udp(stage, client, port=port)
    assert len(stage.hosts["client"].flows) == 3
    mark = stage.here
    stage.do("client", stage.hosts["client"].close(client, 0))
    stage.do("client", stage.hosts["client"].close(client, 0))
    assert stage.layers("client", mark) == ["ALE_ENDPOINT_CLOSURE_V4", "ALE_RESOURCE_RELEASE_V4"]
    assert len(stage.hosts["client"].flows) == 0


def test_25_a_listening_socket_is_closed() -> None:
    stage = two()
    listener = tcp_server(stage)
    mark = stage.here
    stage.do("server", stage.hosts["server"].close(listener, 0))
    assert stage.layers("server", mark) == ["ALE_ENDPOINT_CLOSURE_V4", "ALE_RESOURCE_RELEASE_V4"]


def test_connections_that_nobody_accepted_end_with_their_listener() -> None:
    stage = two()
    listener = tcp_server(stage)
    client = tcp_connect(stage)
    stage.do("server", stage.hosts["server"].close(listener, 0))
    assert "RST" in stage.sent("server")
    assert stage.layers("server").count("ALE_ENDPOINT_CLOSURE_V4") == 2
    assert stage.layers("server").count("ALE_RESOURCE_RELEASE_V4") == 1
    assert client.error == "WSAECONNRESET 10054"


def test_a_reset_connection_is_closed_at_once_and_released_at_close() -> None:
    stage = two()
    client, server = established(stage)
    stage.do("server", stage.hosts["server"].abort(server, 0))
    assert stage.layers("client")[-1] == "ALE_ENDPOINT_CLOSURE_V4"
    mark = stage.here
    stage.do("client", stage.hosts["client"].close(client, 0))
    assert stage.layers("client", mark) == ["ALE_RESOURCE_RELEASE_V4"]


# -- weak host -----------------------------------------------------------------------------------------------------


def weak() -> Stage:
    config = HostConfig(strong_receive=False)
    return one(config, (interface(1, "192.0.2.10/24"), interface(2, "198.51.100.10/24")))


def test_a_packet_by_another_interface_reauthorizes_with_the_weak_host_model() -> None:
    stage = weak()
    host = stage.hosts["host"]
    socket = host.socket("udp", 4)
    stage.do("host", host.bind(socket, None, 53, 0))
    first, second, *_ = host.interfaces
    packet = build(between(ip("203.0.113.1"), ip("192.0.2.10"), Datagram(9, 53, b"x")))
    for by in (first, second, second, first):
        stage.do("host", host.packet_in(packet, 0, by))
    asked = stage.at("ALE_AUTH_RECV_ACCEPT_V4")
    assert [is_again(c) for c in asked] == [False, True]
    assert number(asked[1], "REAUTHORIZE_REASON") == ReauthorizeReason.NEW_ARRIVAL_INTERFACE
    assert number(asked[1], "ARRIVAL_INTERFACE_INDEX") == second.index
    assert number(asked[1], "INTERFACE_INDEX") == first.index


# -- the table -----------------------------------------------------------------------------------------------------

KEY = FlowKey(4, 17, ip("192.0.2.1"), ip("192.0.2.2"), 1, 2)


@pytest.mark.parametrize(("state", "event"), list(product(State, Event)), ids=lambda x: x.value)
def test_every_cell_of_the_state_machine(state: State, event: Event) -> None:
    flow = FlowTable().open(KEY, "out", 1, None, 0)
    flow.state = state
    if (state, event) in TRANSITIONS:
        flow.on(event)
        assert flow.state is TRANSITIONS[state, event]
    else:
        with pytest.raises(KeyError):
            flow.on(event)
        assert flow.state is state


def test_every_state_can_be_reached_and_left() -> None:
    assert set(TRANSITIONS.values()) | {State.PENDING_AUTH} == set(State)
    assert {state for state, _ in TRANSITIONS} == set(State)


@given(st.lists(st.tuples(st.integers(0, 130), st.sampled_from(["in", "out"])), max_size=12))
def test_a_flow_lives_exactly_as_long_as_no_pause_is_a_minute(pauses: list[tuple[int, str]]) -> None:
    table, now = FlowTable(), 0
    flow = table.open(KEY, "out", 1, 60 * SECOND, 0)
    flow.on(Event.PERMIT)
    table.keep(flow)
    for pause, way in pauses:
        now += pause * SECOND
        alive = table.find(KEY, now) is not None
        assert alive == (pause < 60)
        if not alive:
            assert len(table) == 0
            return
        table.refresh(flow, "in" if way == "in" else "out", now)


def test_expired_flows_are_returned_once() -> None:
    table = FlowTable()
    for key, lifetime in ((KEY, 60 * SECOND), (group_key(4, 17), None)):
        flow = table.open(key, "in", None, lifetime, 0)
        flow.on(Event.PERMIT)
        table.keep(flow)
    assert [f.key for f in table.expire(60 * SECOND)] == [KEY]
    assert table.expire(60 * SECOND) == []
    assert [f.key for f in table] == [group_key(4, 17)]


# -- the corners of pending ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["block", "pend"])
def test_a_connect_of_a_udp_socket_can_be_blocked_or_pended(how: str) -> None:
    stage = two()
    stage.block("ALE_AUTH_CONNECT_V4", "client", how=how)
    host = stage.hosts["client"]
    socket = host.socket("udp", 4)
    assert not stage.do("client", host.connect(socket, Endpoint(ip(SERVER[4]), 53), 0))
    assert len(host.flows) == 0
    assert stage.errors("client") == ([("connect", ACCESS)] if how == "block" else [])
    assert not stage.do("client", host.send(socket, b"x", 0))
    stage.permit_all()
    if how == "pend":
        assert stage.do("client", host.complete(socket, 0))
        mark = stage.here
        assert stage.do("client", host.send(socket, b"x", 0))
        assert stage.layers("client", mark)[0] == "DATAGRAM_DATA_V4"


def test_a_block_when_a_pended_send_completes_makes_no_flow() -> None:
    stage = two()
    stage.block("ALE_AUTH_CONNECT_V4", "client", how="pend")
    socket = udp_client(stage)
    send_udp(stage, socket)
    stage.permit_all()
    stage.block("ALE_AUTH_CONNECT_V4", "client")
    assert not stage.do("client", stage.hosts["client"].complete(socket, 0))
    assert stage.errors("client") == [("sendto", ACCESS)]
    assert len(stage.hosts["client"].flows) == 0


def test_a_pended_bind_can_be_blocked_when_it_completes() -> None:
    stage = two()
    stage.block("ALE_RESOURCE_ASSIGNMENT_V4", how="pend")
    socket = udp_server(stage)
    stage.permit_all()
    stage.block("ALE_RESOURCE_ASSIGNMENT_V4")
    assert not stage.do("server", stage.hosts["server"].complete(socket, 0))
    assert stage.errors("server") == [("bind", ACCESS)]
    assert stage.layers("server")[-1] == "ALE_RESOURCE_ASSIGNMENT_V4_DISCARD"


def test_an_inbound_datagram_that_a_callout_keeps_makes_no_flow() -> None:
    stage = two()
    server = udp_server(stage)
    stage.block("ALE_AUTH_RECV_ACCEPT_V4", "server", how="pend")
    send_udp(stage, udp_client(stage))
    assert stage.notes("server") == ["the packet is kept by a callout"]
    assert (list(server.inbox), len(stage.hosts["server"].flows)) == ([], 0)


@pytest.mark.parametrize(
    ("profiles", "windows", "reason"),
    [
        pytest.param((1, 1), WindowsVersion.SEVEN, 0x4, id="another next hop"),
        pytest.param((1, 2), WindowsVersion.SEVEN, 0x4 | 0x8, id="and another network category"),
        pytest.param((1, 2), WindowsVersion.VISTA, 0, id="Vista does not ask"),
    ],
)
def test_an_outbound_packet_by_another_interface(
    profiles: tuple[int, int], windows: WindowsVersion, reason: int
) -> None:
    first, second = (interface(n + 1, f"192.0.2.{10 + n}/24", profile=Profile(profiles[n])) for n in range(2))
    stage = one(HostConfig(strong_send=False, windows=windows), (first, second))
    host = stage.hosts["host"]
    socket = host.socket("udp", 4)
    stage.run("host", host.bind(socket, ip("192.0.2.10"), 53, 0))
    peer = Endpoint(ip("203.0.113.1"), 9)
    stage.run("host", host.sendto(socket, b"x", peer, 0))
    mark = stage.here
    host._kernel.interfaces = Interfaces((first, second), [Route("0.0.0.0/0", second.luid)])
    stage.run("host", host.sendto(socket, b"x", peer, 0))
    asked = stage.at("ALE_AUTH_CONNECT_V4", since=mark)
    assert [number(c, "REAUTHORIZE_REASON") for c in asked] == ([reason] if reason else [])
