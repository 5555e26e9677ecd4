"""What follows a block: one dialogue for each cell of the table of packet-flows.md 5, and the general rules."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tamiz.model import catalog
from tamiz.model.reading import Reading
from tamiz.stack.blocks import ABSORB, BLOCKS, After, Situation, block_of, discard_layer
from tamiz.stack.config import HostConfig
from tamiz.stack.requests import ABORTED, ACCESS, REFUSED, RESET, TIMED_OUT
from tamiz.stack.rows import layer_key
from tamiz.stack.sockets import Endpoint, SocketState
from tests.stack.playbook import (
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

V = 4


def blocked(layer: str, host: str, **rest: object) -> Stage:
    stage = two(HostConfig(**rest), HostConfig(**rest))  # type: ignore[arg-type]
    stage.block(f"{layer}_V4", host)
    return stage


def after(stage: Stage, host: str, layer: str) -> list[str]:
    """What the host met after the layer that blocked."""
    met = stage.layers(host)
    return met[met.index(f"{layer}_V4") + 1 :]


# -- ALE, calls ----------------------------------------------------------------------------------------------------


def bind_redirect() -> None:
    stage = blocked("ALE_BIND_REDIRECT", "server")
    socket = udp_server(stage)
    assert stage.layers("server") == ["ALE_BIND_REDIRECT_V4"]
    assert stage.errors("server") == [("bind", ACCESS)]
    assert socket.state is SocketState.CREATED


def resource_assignment() -> None:
    stage = blocked("ALE_RESOURCE_ASSIGNMENT", "client")
    assert not send_udp(stage, udp_client(stage))
    assert after(stage, "client", "ALE_RESOURCE_ASSIGNMENT") == ["ALE_RESOURCE_ASSIGNMENT_V4_DISCARD"]
    assert stage.errors("client") == [("sendto", ACCESS)]
    assert stage.sent("client") == []


def listen() -> None:
    stage = blocked("ALE_AUTH_LISTEN", "server")
    tcp_server(stage)
    assert after(stage, "server", "ALE_AUTH_LISTEN") == ["ALE_AUTH_LISTEN_V4_DISCARD"]
    assert stage.errors("server") == [("listen", ACCESS)]
    tcp_connect(stage)
    assert "INBOUND_TRANSPORT_V4_DISCARD" in stage.layers("server")
    assert stage.errors("client") == [("connect", REFUSED)]


def connect_redirect() -> None:
    stage = blocked("ALE_CONNECT_REDIRECT", "client")
    tcp_connect(stage)
    assert after(stage, "client", "ALE_CONNECT_REDIRECT") == []
    assert stage.errors("client") == [("connect", ACCESS)]


def connect_tcp() -> None:
    stage = blocked("ALE_AUTH_CONNECT", "client")
    tcp_connect(stage)
    assert after(stage, "client", "ALE_AUTH_CONNECT") == ["ALE_AUTH_CONNECT_V4_DISCARD"]
    assert stage.sent("client") == []
    assert stage.errors("client") == [("connect", ACCESS)]
    assert len(stage.hosts["client"].flows) == 0


def connect_udp() -> None:
    stage = blocked("ALE_AUTH_CONNECT", "client")
    socket = udp_client(stage)
    assert not send_udp(stage, socket)
    assert after(stage, "client", "ALE_AUTH_CONNECT") == ["ALE_AUTH_CONNECT_V4_DISCARD"]
    assert (stage.sent("client"), stage.errors("client")) == ([], [("sendto", ACCESS)])
    assert len(stage.hosts["client"].flows) == 0
    send_udp(stage, socket)
    assert len(stage.at("ALE_AUTH_CONNECT_V4", "client")) == 2


def connect_again_tcp() -> None:
    stage = two()
    client, _ = established(stage)
    stage.hosts["client"].policy_changed({layer_key("ALE_AUTH_CONNECT", 4)})
    stage.block("ALE_AUTH_CONNECT_V4", "client")
    mark = stage.here
    stage.do("client", stage.hosts["client"].send(client, b"x", 0))
    assert stage.layers("client", mark) == ["STREAM_V4", "ALE_AUTH_CONNECT_V4", "ALE_AUTH_CONNECT_V4_DISCARD"]
    assert (stage.sent("client", mark), stage.errors("client", mark)) == ([], [("receive", ABORTED)])
    assert len(stage.hosts["client"].flows) == 0
    assert not stage.do("client", stage.hosts["client"].send(client, b"x", 0))


def connect_again_udp() -> None:
    stage = two()
    udp_server(stage)
    socket = udp_client(stage)
    send_udp(stage, socket)
    stage.hosts["client"].policy_changed({layer_key("ALE_AUTH_CONNECT", 4)})
    stage.block("ALE_AUTH_CONNECT_V4", "client")
    mark = stage.here
    assert not send_udp(stage, socket)
    assert stage.layers("client", mark) == ["ALE_AUTH_CONNECT_V4", "ALE_AUTH_CONNECT_V4_DISCARD"]
    stage.permit_all()
    assert send_udp(stage, socket)
    assert field_of(stage.at("ALE_AUTH_CONNECT_V4", "client", mark)[-1], "REAUTHORIZE_REASON").data == 0  # type: ignore[union-attr]
    assert "ALE_FLOW_ESTABLISHED_V4" in stage.layers("client", mark)


# -- ALE, packets --------------------------------------------------------------------------------------------------


def accept_tcp() -> None:
    stage = blocked("ALE_AUTH_RECV_ACCEPT", "server")
    listener = tcp_server(stage)
    tcp_connect(stage)
    assert after(stage, "server", "ALE_AUTH_RECV_ACCEPT") == ["ALE_AUTH_RECV_ACCEPT_V4_DISCARD"]
    assert stage.sent("server") == []
    stage.wait(120 * SECOND)
    assert not listener.queue
    assert stage.errors("client") == [("connect", TIMED_OUT)]
    assert len(stage.at("ALE_AUTH_RECV_ACCEPT_V4")) == len(stage.sent("client")) == 3


def accept_udp() -> None:
    stage = blocked("ALE_AUTH_RECV_ACCEPT", "server")
    udp_server(stage)
    send_udp(stage, udp_client(stage))
    assert after(stage, "server", "ALE_AUTH_RECV_ACCEPT") == ["ALE_AUTH_RECV_ACCEPT_V4_DISCARD"]
    assert (stage.sent("server"), stage.delivered("server")) == ([], [])
    assert len(stage.hosts["server"].flows) == 0


def accept_again() -> None:
    stage = two()
    client, server = established(stage)
    stage.hosts["server"].policy_changed({layer_key("ALE_AUTH_RECV_ACCEPT", 4)})
    stage.block("ALE_AUTH_RECV_ACCEPT_V4", "server")
    mark = stage.here
    stage.do("client", stage.hosts["client"].send(client, b"x", 0))
    assert stage.layers("server", mark)[-1] == "ALE_AUTH_RECV_ACCEPT_V4_DISCARD"
    assert stage.delivered("server", mark) == []
    assert stage.errors("server", mark) == [("receive", ABORTED)]
    assert server.error == ABORTED
    assert len(stage.hosts["server"].flows) == 0


def flow_established_client() -> None:
    stage = blocked("ALE_FLOW_ESTABLISHED", "client")
    tcp_server(stage)
    tcp_connect(stage)
    assert after(stage, "client", "ALE_FLOW_ESTABLISHED")[0] == "ALE_FLOW_ESTABLISHED_V4_DISCARD"
    assert stage.sent("client") == ["SYN", "RST"]
    assert stage.errors("client") == [("connect", ABORTED)]


def flow_established_server() -> None:
    stage = blocked("ALE_FLOW_ESTABLISHED", "server")
    listener = tcp_server(stage)
    tcp_connect(stage)
    assert stage.sent("server") == ["SYN-ACK", "RST"]
    assert stage.errors("client") == [("receive", RESET)]
    assert stage.do("server", stage.hosts["server"].accept(listener, 0)) is None


def notifications() -> None:
    stage = two()
    client, _ = established(stage)
    stage.block("ALE_ENDPOINT_CLOSURE_V4")
    stage.block("ALE_RESOURCE_RELEASE_V4")
    stage.do("client", stage.hosts["client"].abort(client, 0))
    assert stage.layers("client")[-2:] == ["ALE_ENDPOINT_CLOSURE_V4", "ALE_RESOURCE_RELEASE_V4"]
    assert client.state is SocketState.CLOSED


# -- packets -------------------------------------------------------------------------------------------------------


def outbound(layer: str) -> Callable[[], None]:
    def check() -> None:
        stage = blocked(layer, "client")
        tcp_server(stage)
        tcp_connect(stage)
        assert after(stage, "client", layer) == [f"{layer}_V4_DISCARD"]
        stage.wait(120 * SECOND)
        assert (stage.sent("client"), stage.errors("client")) == ([], [("connect", TIMED_OUT)])
        udp = blocked(layer, "client")
        assert send_udp(udp, udp_client(udp))
        assert (udp.sent("client"), udp.errors("client")) == ([], [])

    return check


def inbound(layer: str) -> Callable[[], None]:
    def check() -> None:
        stage = blocked(layer, "server")
        tcp_server(stage)
        tcp_connect(stage)
        assert after(stage, "server", layer) == [f"{layer}_V4_DISCARD"]
        assert stage.sent("server") == []
        udp = blocked(layer, "server")
        udp_server(udp)
        send_udp(udp, udp_client(udp))
        assert (udp.sent("server"), udp.delivered("server")) == ([], [])

    return check


def stream() -> None:
    stage = two()
    client, server = established(stage)
    stage.block("STREAM_V4", "server", when=lambda c: c.length == 4)
    for piece in (b"keep", b"and this"):
        stage.do("client", stage.hosts["client"].send(client, piece, 0))
    assert stage.delivered("server") == [b"and this"]
    assert "STREAM_V4_DISCARD" not in stage.layers("server")
    assert server.state is SocketState.CONNECTED
    stage.block("STREAM_V4", "client")
    mark = stage.here
    assert stage.do("client", stage.hosts["client"].send(client, b"gone", 0))
    assert stage.sent("client", mark) == []


def stream_packet() -> None:
    stage = two(HostConfig(layer_in_use=lambda layer: True))
    stage.block("STREAM_PACKET_V4", "client")
    tcp_server(stage)
    tcp_connect(stage)
    assert after(stage, "client", "STREAM_PACKET") == []
    assert stage.sent("client") == []


def datagram_data() -> None:
    stage = blocked("DATAGRAM_DATA", "client")
    assert send_udp(stage, udp_client(stage))
    assert after(stage, "client", "DATAGRAM_DATA") == ["DATAGRAM_DATA_V4_DISCARD"]
    assert (stage.sent("client"), stage.errors("client")) == ([], [])
    inward = blocked("DATAGRAM_DATA", "server")
    udp_server(inward)
    send_udp(inward, udp_client(inward))
    assert inward.layers("server")[-1] == "DATAGRAM_DATA_V4_DISCARD"
    assert inward.delivered("server") == []


def inbound_icmp_error() -> None:
    stage = blocked("INBOUND_ICMP_ERROR", "client")
    send_udp(stage, udp_client(stage))
    assert after(stage, "client", "INBOUND_ICMP_ERROR") == ["INBOUND_ICMP_ERROR_V4_DISCARD"]
    assert stage.errors("client") == []


def outbound_icmp_error() -> None:
    stage = blocked("OUTBOUND_ICMP_ERROR", "server")
    send_udp(stage, udp_client(stage))
    assert after(stage, "server", "OUTBOUND_ICMP_ERROR") == ["OUTBOUND_ICMP_ERROR_V4_DISCARD"]
    assert stage.sent("server") == []


def router(config: HostConfig | None = None) -> Stage:
    """A host between two networks."""
    near, far = interface(1, "192.0.2.1/24"), interface(2, "198.51.100.1/24")
    return one(config or HostConfig(forwarding=True), (near, far))


def transit(stage: Stage) -> None:
    sender = two()
    send_udp(sender, udp_client(sender))
    packet = next(
        s.request.packet for s in sender.steps if hasattr(s.request, "packet") and s.request.packet.__class__ is bytes
    )
    stage.run("host", stage.hosts["host"].packet_in(packet, 0, next(iter(stage.hosts["host"].interfaces))))


def ipforward() -> None:
    stage = router()
    stage.block("IPFORWARD_V4")
    transit(stage)
    assert stage.layers("host") == ["IPFORWARD_V4", "IPFORWARD_V4_DISCARD"]
    assert stage.sent("host") == []


# -- nobody there --------------------------------------------------------------------------------------------------


def silent_port() -> None:
    stage = two()
    stage.block("INBOUND_TRANSPORT_V4_DISCARD", "server")
    tcp_connect(stage)
    assert stage.layers("server") == ["INBOUND_IPPACKET_V4", "INBOUND_TRANSPORT_V4_DISCARD"]
    assert stage.sent("server") == []
    stage.wait(120 * SECOND)
    assert stage.errors("client") == [("connect", TIMED_OUT)]


def silent_datagram() -> None:
    stage = two()
    stage.block("INBOUND_IPPACKET_V4_DISCARD", "server")
    send_udp(stage, udp_client(stage))
    assert stage.layers("server") == ["INBOUND_IPPACKET_V4", "INBOUND_IPPACKET_V4_DISCARD"]
    assert stage.sent("server") == []


def observed_datagram() -> None:
    """The observed reading: Windows dropped the datagram at layer 13, and then the ICMP error at layer 32."""
    stage = two(server=HostConfig(reading=Reading.OBSERVED))
    stage.block("INBOUND_TRANSPORT_V4_DISCARD", "server")
    send_udp(stage, udp_client(stage))
    assert stage.layers("server") == [
        "INBOUND_IPPACKET_V4", "INBOUND_TRANSPORT_V4_DISCARD", "OUTBOUND_ICMP_ERROR_V4", "OUTBOUND_TRANSPORT_V4",
        "OUTBOUND_IPPACKET_V4",
    ]  # fmt: skip
    assert stage.errors("client") == [("receive", RESET)]
    stage.block("OUTBOUND_ICMP_ERROR_V4", "server")
    mark = stage.here
    send_udp(stage, udp_client(stage))
    assert stage.layers("server", mark)[1:] == [
        "INBOUND_TRANSPORT_V4_DISCARD", "OUTBOUND_ICMP_ERROR_V4", "OUTBOUND_ICMP_ERROR_V4_DISCARD",
    ]  # fmt: skip
    assert stage.sent("server", mark) == []


def already_dropped(layer: str) -> Callable[[], None]:
    """A block at a discard layer changes nothing: the same run with and without it."""

    def check() -> None:
        runs = []
        for block_it in (False, True):
            stage = router() if layer == "IPFORWARD" else two()
            host = "host" if layer == "IPFORWARD" else None
            stage.block(f"{layer}_V4", host)
            if block_it:
                stage.block(f"{layer}_V4_DISCARD")
            SITUATIONS[layer](stage)
            runs.append([s.request for s in stage.steps if type(s.request).__name__ != "Classify"])
            assert f"{layer}_V4_DISCARD" in stage.layers()
        assert runs[0] == runs[1]

    return check


def _tcp(stage: Stage) -> None:
    tcp_server(stage)
    tcp_connect(stage)


def _udp(stage: Stage) -> None:
    udp_server(stage)
    send_udp(stage, udp_client(stage))


def _nobody(stage: Stage) -> None:
    send_udp(stage, udp_client(stage))


SITUATIONS: dict[str, Callable[[Stage], None]] = {
    "ALE_RESOURCE_ASSIGNMENT": _udp,
    "ALE_AUTH_LISTEN": _tcp,
    "ALE_AUTH_CONNECT": _tcp,
    "ALE_AUTH_RECV_ACCEPT": _tcp,
    "ALE_FLOW_ESTABLISHED": _tcp,
    "OUTBOUND_TRANSPORT": _tcp,
    "OUTBOUND_IPPACKET": _tcp,
    "INBOUND_IPPACKET": _tcp,
    "INBOUND_TRANSPORT": _tcp,
    "DATAGRAM_DATA": _udp,
    "INBOUND_ICMP_ERROR": _nobody,
    "OUTBOUND_ICMP_ERROR": _nobody,
    "IPFORWARD": transit,
}

CELLS: dict[tuple[str, Situation], tuple[Callable[[], None], ...]] = {
    ("ALE_BIND_REDIRECT", Situation.ANY): (bind_redirect,),
    ("ALE_RESOURCE_ASSIGNMENT", Situation.ANY): (resource_assignment,),
    ("ALE_AUTH_LISTEN", Situation.ANY): (listen,),
    ("ALE_CONNECT_REDIRECT", Situation.ANY): (connect_redirect,),
    ("ALE_AUTH_CONNECT", Situation.TCP): (connect_tcp,),
    ("ALE_AUTH_CONNECT", Situation.DATAGRAM): (connect_udp,),
    ("ALE_AUTH_CONNECT", Situation.REAUTHORIZE): (connect_again_tcp, connect_again_udp),
    ("ALE_AUTH_RECV_ACCEPT", Situation.TCP): (accept_tcp,),
    ("ALE_AUTH_RECV_ACCEPT", Situation.DATAGRAM): (accept_udp,),
    ("ALE_AUTH_RECV_ACCEPT", Situation.REAUTHORIZE): (accept_again,),
    ("ALE_FLOW_ESTABLISHED", Situation.ANY): (flow_established_client, flow_established_server),
    ("ALE_ENDPOINT_CLOSURE", Situation.ANY): (notifications,),
    ("ALE_RESOURCE_RELEASE", Situation.ANY): (notifications,),
    ("OUTBOUND_TRANSPORT", Situation.ANY): (outbound("OUTBOUND_TRANSPORT"),),
    ("OUTBOUND_IPPACKET", Situation.ANY): (outbound("OUTBOUND_IPPACKET"),),
    ("INBOUND_IPPACKET", Situation.ANY): (inbound("INBOUND_IPPACKET"),),
    ("INBOUND_TRANSPORT", Situation.ANY): (inbound("INBOUND_TRANSPORT"),),
    ("STREAM", Situation.ANY): (stream,),
    ("STREAM_PACKET", Situation.ANY): (stream_packet,),
    ("DATAGRAM_DATA", Situation.ANY): (datagram_data,),
    ("INBOUND_ICMP_ERROR", Situation.ANY): (inbound_icmp_error,),
    ("OUTBOUND_ICMP_ERROR", Situation.ANY): (outbound_icmp_error,),
    ("IPFORWARD", Situation.ANY): (ipforward,),
    ("INBOUND_TRANSPORT_DISCARD", Situation.NO_ENDPOINT_TCP): (silent_port,),
    ("INBOUND_TRANSPORT_DISCARD", Situation.NO_ENDPOINT): (observed_datagram,),
    ("INBOUND_IPPACKET_DISCARD", Situation.NO_ENDPOINT): (silent_datagram,),
    **{(f"{layer}_DISCARD", Situation.ANY): (already_dropped(layer),) for layer in SITUATIONS},
}


@pytest.mark.parametrize(
    ("cell", "number"),
    [
        pytest.param(cell, n, id=f"a block at {cell[0]} ({cell[1].value})" + (f" {n + 1}" if n else ""))
        for cell, dialogues in CELLS.items()
        for n in range(len(dialogues))
    ],
)
def test_what_follows_a_block(cell: tuple[str, Situation], number: int) -> None:
    CELLS[cell][number]()


def test_every_cell_of_the_table_has_a_dialogue() -> None:
    assert set(CELLS) == {(row.layer, row.situation) for row in BLOCKS}


@pytest.mark.parametrize("row", BLOCKS, ids=lambda row: f"{row.layer} {row.situation.value}")
def test_the_next_indication_exists(row: object) -> None:
    from tamiz.stack.blocks import Block

    assert isinstance(row, Block)
    layers = catalog.layers()
    assert layer_key(row.layer, 4) in layers
    following = discard_layer(row.layer, row.situation)
    assert following is None or layer_key(following, 6) in layers
    assert row.discard == (following is not None)
    assert row.wire and row.application and row.source.mark in ("D", "I", "O")


@pytest.mark.parametrize(
    "row", [r for r in BLOCKS if not r.discard and "_DISCARD" not in r.layer], ids=lambda r: r.layer
)
def test_layers_without_a_discard_layer_are_those_that_have_none(row: object) -> None:
    from tamiz.stack.blocks import Block

    assert isinstance(row, Block)
    known = layer_key(f"{row.layer}_DISCARD", 4) in catalog.layers()
    assert not known or row.layer == "STREAM"  # STREAM_DISCARD exists and is reserved: rule 6


@pytest.mark.parametrize("layer", sorted(ABSORB))
def test_a_block_with_absorb_is_indicated_nowhere(layer: str) -> None:
    stage = router() if layer == "IPFORWARD" else two(HostConfig(layer_in_use=lambda key: True))
    stage.block(f"{layer}_V4", how="absorb")
    SITUATIONS.get(layer, _tcp)(stage)
    assert f"{layer}_V4" in stage.layers()
    assert f"{layer}_V4_DISCARD" not in stage.layers()


def test_absorb_is_ignored_where_it_is_not_valid() -> None:
    stage = two()
    stage.block("ALE_AUTH_LISTEN_V4", how="absorb")
    tcp_server(stage)
    assert stage.layers("server")[-1] == "ALE_AUTH_LISTEN_V4_DISCARD"


def test_after_any_block_no_later_layer_of_the_sequence_is_met() -> None:
    passed = two()
    _udp(passed)
    sequence = passed.layers("client")
    for n, layer in enumerate(sequence):
        stage = two()
        stage.block(layer, "client")
        _udp(stage)
        met = stage.layers("client")
        assert met[: n + 1] == sequence[: n + 1]
        assert met[n + 1 :] in ([], [f"{layer}_DISCARD"])


def test_a_row_that_holds_in_any_situation_answers_for_narrower_ones() -> None:
    assert block_of("STREAM", Situation.REAUTHORIZE).after is After.TAKE_OUT
    with pytest.raises(KeyError):
        block_of("MAC_FRAME", Situation.ANY)


def test_stealth_keeps_the_rst_back_on_the_network_and_sends_it_over_loopback() -> None:
    """packet-flows.md 6: the filter asks for FLAGS_NONE_SET IS_LOOPBACK."""
    for target, words in ((SERVER[4], []), ("127.0.0.1", ["SYN", "RST"])):
        stage = one() if target == "127.0.0.1" else two()
        name = "host" if target == "127.0.0.1" else "server"
        stage.block(
            "INBOUND_TRANSPORT_V4_DISCARD", name,
            when=lambda c: field_of(c, "FLAGS").data & 1 == 0,  # type: ignore[union-attr]
        )  # fmt: skip
        who = "host" if target == "127.0.0.1" else "client"
        socket = stage.hosts[who].socket("tcp", 4)
        stage.do(who, stage.hosts[who].connect(socket, Endpoint(ip(target), 81), 0))
        assert "INBOUND_TRANSPORT_V4_DISCARD" in stage.layers(name)
        assert stage.sent(name) == words


def test_the_observed_reading_keeps_a_reset_back_as_the_documented_one_does() -> None:
    stage = two(server=HostConfig(reading=Reading.OBSERVED))
    stage.block("INBOUND_TRANSPORT_V4_DISCARD", "server")
    tcp_connect(stage)
    assert stage.sent("server") == []
