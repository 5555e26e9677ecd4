"""The facts of each layer: exactly the layer's own fields, and the values worth stating (conditions.md 5 to 7)."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tamiz.model import catalog
from tamiz.model._tables import FIELD, AddressType, ConditionFlags, Profile
from tamiz.model.facts import UNKNOWN, KnownBits
from tamiz.model.security import Token
from tamiz.model.sids import EVERYONE, NULL_SID, Sid
from tamiz.model.values import EMPTY, Value, address, app_id, blob, u8, u16, u32, u64
from tamiz.model.windows import WindowsVersion, has_field
from tamiz.stack.config import HostConfig
from tamiz.stack.fields import FLAG_LAYERS, Indication, facts_of
from tamiz.stack.host import SIO_RCVALL
from tamiz.stack.interfaces import Interface, luid
from tamiz.stack.processes import Process
from tamiz.stack.requests import Classify
from tamiz.stack.rows import base_name, layer_key
from tamiz.stack.sockets import Endpoint
from tests.stack.playbook import (
    CLIENT,
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

KERNEL = [k for k, layer in catalog.layers().items() if layer.ip_version and layer.kernel]
CONTAINER = Sid.parse("S-1-15-2-1-2-3-4-5-6-7")


def flags(classify: Classify) -> ConditionFlags:
    fact = field_of(classify, "FLAGS")
    assert isinstance(fact, Value) and isinstance(fact.data, int)
    return ConditionFlags(fact.data)


# -- every layer ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("windows", list(WindowsVersion), ids=str)
@pytest.mark.parametrize("layer", KERNEL, ids=lambda key: key.short)
def test_facts_are_fields_of_the_layer_with_its_types(layer: str, windows: WindowsVersion) -> None:
    found = catalog.layers()[layer]  # type: ignore[index]
    full = Interface(luid(6, 1), 11, ("192.0.2.1/24",), profile=Profile.PUBLIC)
    version = found.ip_version or 4
    packed = b"\x0a\0\0\1" if version == 4 else bytes(15) + b"\1"
    seen = Indication(
        version, 6, packed, packed, 1, 2, AddressType.UNICAST, AddressType.UNICAST, "in", "out",
        Process("\\device\\x", Token(complete=True), NULL_SID), full, full, full, source=packed, destination=packed,
    )  # fmt: skip
    facts = facts_of(found.key, seen, windows)
    for key, fact in facts.items():
        field = found.field(key)
        assert field is not None
        assert has_field(windows, key)
        assert isinstance(fact, Value)
        assert fact == EMPTY or fact.type is field.type


@given(st.sampled_from(KERNEL), st.sampled_from(list(WindowsVersion)))
@settings(max_examples=60)
def test_an_empty_indication_is_no_error(layer: str, windows: WindowsVersion) -> None:
    for fact in facts_of(layer, Indication(4), windows).values():  # type: ignore[arg-type]
        assert fact is not UNKNOWN


# -- ports, addresses, directions ----------------------------------------------------------------------------------


def test_local_and_remote_are_seen_from_each_host() -> None:
    stage = two()
    established(stage)
    syn_in = stage.at("INBOUND_TRANSPORT_V4", "server")[0]
    assert field_of(syn_in, "IP_LOCAL_ADDRESS") == address(ip(SERVER[4]))
    assert field_of(syn_in, "IP_REMOTE_ADDRESS") == address(ip(CLIENT[4]))
    assert field_of(syn_in, "IP_LOCAL_PORT") == u16(80)
    assert field_of(syn_in, "IP_PROTOCOL") == u8(6)
    syn_out = stage.at("OUTBOUND_TRANSPORT_V4", "client")[0]
    assert field_of(syn_out, "IP_REMOTE_PORT") == u16(80)
    assert field_of(syn_out, "IP_REMOTE_ADDRESS") == address(ip(SERVER[4]))


@pytest.mark.parametrize(("version", "kind"), [(4, 8), (6, 128)], ids=["IPv4", "IPv6"])
def test_an_icmp_message_has_its_type_and_code_in_the_port_fields(version: int, kind: int) -> None:
    stage = two()
    stage.do("client", stage.hosts["client"].ping(ip(SERVER[version]), 0))
    for layer, host in (
        ("ALE_AUTH_CONNECT", "client"),
        ("OUTBOUND_TRANSPORT", "client"),
        ("ALE_AUTH_RECV_ACCEPT", "server"),
    ):
        asked = stage.at(f"{layer}_V{version}", host)[0]
        assert field_of(asked, "IP_LOCAL_PORT") == u16(kind)
        assert field_of(asked, "IP_REMOTE_PORT") == u16(0)
    assert field_of(stage.at(f"ALE_AUTH_CONNECT_V{version}", "client")[0], "ORIGINAL_ICMP_TYPE") == u16(kind)


@pytest.mark.parametrize(("version", "kind", "code"), [(4, 3, 3), (6, 1, 4)], ids=["IPv4", "IPv6"])
def test_an_icmp_error_carries_the_packet_it_quotes(version: int, kind: int, code: int) -> None:
    stage = two()
    client = udp_client(stage, version)
    send_udp(stage, client)
    came = stage.at(f"INBOUND_ICMP_ERROR_V{version}", "client")[0]
    assert field_of(came, "IP_LOCAL_PORT") == u16(kind)
    assert field_of(came, "IP_REMOTE_PORT") == u16(code)
    assert field_of(came, "EMBEDDED_PROTOCOL") == u8(17)
    assert field_of(came, "EMBEDDED_REMOTE_ADDRESS") == address(ip(SERVER[version]))
    assert field_of(came, "EMBEDDED_LOCAL_PORT") == u16(client.port)
    assert field_of(came, "EMBEDDED_REMOTE_PORT") == u16(53)
    left = stage.at(f"OUTBOUND_ICMP_ERROR_V{version}", "server")[0]
    assert field_of(left, "IP_LOCAL_PORT") == u16(kind)


def test_the_direction_is_of_the_packet_at_datagram_data_and_of_the_connection_at_stream() -> None:
    stage = two()
    client, server = established(stage)
    stage.do("server", stage.hosts["server"].send(server, b"x", 0))
    stage.do("client", stage.hosts["client"].send(client, b"y", 0))
    assert [field_of(c, "DIRECTION") for c in stage.at("STREAM_V4", "client")] == [u32(0), u32(0)]
    assert [field_of(c, "DIRECTION") for c in stage.at("STREAM_V4", "server")] == [u32(1), u32(1)]
    assert field_of(stage.at("ALE_FLOW_ESTABLISHED_V4", "client")[0], "DIRECTION") == u32(0)
    assert field_of(stage.at("ALE_FLOW_ESTABLISHED_V4", "server")[0], "DIRECTION") == u32(1)
    assert [c.direction for c in stage.at("STREAM_V4", "client")] == ["in", "out"]


def test_datagrams_of_one_flow_have_both_directions() -> None:
    stage = two()
    server, client = udp_server(stage), udp_client(stage)
    send_udp(stage, client)
    stage.do("server", stage.hosts["server"].sendto(server, b"x", server.inbox[0][1], 0))
    assert [field_of(c, "DIRECTION") for c in stage.at("DATAGRAM_DATA_V4", "server")] == [u32(1), u32(0)]


def test_address_types() -> None:
    stage = two()
    client = udp_client(stage)
    for target, kind in (("239.1.1.1", 3), ("255.255.255.255", 4), ("192.0.2.255", 4), ("203.0.113.1", 1)):
        mark = stage.here
        stage.run("client", stage.hosts["client"].sendto(client, b"x", Endpoint(ip(target), 9), 0))
        asked = stage.at("ALE_AUTH_CONNECT_V4", "client", mark)[0]
        assert field_of(asked, "IP_DESTINATION_ADDRESS_TYPE") == u8(kind)
        assert field_of(asked, "IP_LOCAL_ADDRESS_TYPE") == u8(1)


# -- bind (ale.md 12) ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("bound", "port", "local", "shown", "wildcard"),
    [
        pytest.param(CLIENT[4], 80, address(ip(CLIENT[4])), 80, False, id="address and port are as asked"),
        pytest.param(None, 80, EMPTY, 80, True, id="no address: EMPTY, wildcard"),
        pytest.param(CLIENT[4], 0, address(ip(CLIENT[4])), 49152, True, id="port 0: the chosen port, wildcard"),
    ],
)
def test_an_explicit_bind(bound: str | None, port: int, local: Value, shown: int, wildcard: bool) -> None:
    stage = two()
    host = stage.hosts["client"]
    socket = host.socket("udp", 4)
    stage.do("client", host.bind(socket, ip(bound) if bound else None, port, 0))
    asked = stage.at("ALE_RESOURCE_ASSIGNMENT_V4", "client")[0]
    assert field_of(asked, "IP_LOCAL_ADDRESS") == local
    assert field_of(asked, "IP_LOCAL_PORT") == u16(shown)
    assert bool(flags(asked) & ConditionFlags.IS_WILDCARD_BIND) is wildcard
    redirect = stage.at("ALE_BIND_REDIRECT_V4", "client")[0]
    assert field_of(redirect, "IP_LOCAL_PORT") == u16(port)


@pytest.mark.parametrize("bound", [None, SERVER[4]], ids=["to every address", "to one address"])
def test_listen_shows_the_address_of_the_bind(bound: str | None) -> None:
    stage = two()
    host = stage.hosts["server"]
    socket = host.socket("tcp", 4)
    stage.do("server", host.bind(socket, ip(bound) if bound else None, 80, 0))
    stage.do("server", host.listen(socket, 0))
    asked, listens = stage.at("ALE_RESOURCE_ASSIGNMENT_V4", "server")[0], stage.at("ALE_AUTH_LISTEN_V4", "server")[0]
    for name in ("IP_LOCAL_ADDRESS", "IP_LOCAL_ADDRESS_TYPE", "IP_LOCAL_PORT", "IP_LOCAL_INTERFACE"):
        assert field_of(listens, name) == field_of(asked, name)


@pytest.mark.parametrize("windows", [WindowsVersion.VISTA, WindowsVersion.SEVEN], ids=str)
def test_an_implicit_bind_names_nothing(windows: WindowsVersion) -> None:
    stage = two(HostConfig(windows=windows))
    send_udp(stage, udp_client(stage))
    asked = stage.at("ALE_RESOURCE_ASSIGNMENT_V4", "client")[0]
    for name in ("IP_LOCAL_ADDRESS", "IP_LOCAL_ADDRESS_TYPE", "IP_LOCAL_PORT", "IP_LOCAL_INTERFACE"):
        assert field_of(asked, name) == EMPTY
    implicit = bool(flags(asked) & ConditionFlags.IS_IMPLICIT_BIND)
    assert implicit is (windows is WindowsVersion.VISTA)


def test_raw_sockets_and_promiscuous_mode_are_authorized_at_resource_assignment_only() -> None:
    stage = one()
    host = stage.hosts["host"]
    socket = stage.do("host", host.raw(47, 4, 0))
    assert socket is not None
    stage.do("host", host.promiscuous(socket, 0))
    assert stage.layers() == ["ALE_RESOURCE_ASSIGNMENT_V4"] * 2
    made, sniffs = stage.classified()
    assert flags(made) & ConditionFlags.IS_RAW_ENDPOINT
    assert (field_of(made, "ALE_PROMISCUOUS_MODE"), field_of(sniffs, "ALE_PROMISCUOUS_MODE")) == (
        EMPTY,
        u32(SIO_RCVALL),
    )
    assert field_of(made, "IP_PROTOCOL") == u8(47)


# -- empty, and unknown --------------------------------------------------------------------------------------------


def test_the_first_authorization_has_one_interface_only() -> None:
    stage = two()
    established(stage)
    connect = stage.at("ALE_AUTH_CONNECT_V4", "client")[0]
    accept = stage.at("ALE_AUTH_RECV_ACCEPT_V4", "server")[0]
    for name in ("INTERFACE", "INTERFACE_INDEX", "INTERFACE_TYPE", "TUNNEL_TYPE"):
        arrival = "IP_ARRIVAL_INTERFACE" if name == "INTERFACE" else f"ARRIVAL_{name}"
        nexthop = "IP_NEXTHOP_INTERFACE" if name == "INTERFACE" else f"NEXTHOP_{name}"
        assert (field_of(connect, arrival), field_of(accept, nexthop)) == (EMPTY, EMPTY)
        assert EMPTY not in (field_of(connect, nexthop), field_of(accept, arrival))
    assert field_of(accept, "REAUTHORIZE_REASON") == u32(0)
    assert field_of(accept, "ALE_REMOTE_USER_ID") == EMPTY
    assert field_of(connect, "IP_LOCAL_INTERFACE") == u64(luid(6, 1))


def test_what_is_not_known_is_left_out() -> None:
    stage = two()
    tcp_connect(stage)
    asked = stage.at("ALE_AUTH_CONNECT_V4", "client")[0]
    for key in (FIELD.ALE_APP_ID, FIELD.ALE_USER_ID, FIELD.ALE_PACKAGE_ID, FIELD.CURRENT_PROFILE_ID):
        assert key not in asked.facts


def test_what_is_known_of_a_process_is_there() -> None:
    stage = one(interfaces=(interface(1, f"{CLIENT[4]}/24", profile=Profile.DOMAIN),))
    host = stage.hosts["host"]
    token = Token(frozenset((EVERYONE,)), app_container=False)
    socket = host.socket("udp", 4, Process("\\Device\\HarddiskVolume1\\Tool.exe", token))
    stage.do("host", host.sendto(socket, b"x", Endpoint(ip("203.0.113.1"), 9), 0))
    asked = stage.at("ALE_AUTH_CONNECT_V4")[0]
    wanted = blob(app_id("\\device\\harddiskvolume1\\tool.exe"))
    assert asked.facts[FIELD.ALE_APP_ID] == asked.facts[FIELD.ALE_ORIGINAL_APP_ID] == wanted
    assert asked.facts[FIELD.ALE_USER_ID].data == token  # type: ignore[union-attr]
    assert asked.facts[FIELD.ALE_PACKAGE_ID].data == NULL_SID  # type: ignore[union-attr]
    assert asked.facts[FIELD.CURRENT_PROFILE_ID] == u32(3)


# -- flags ---------------------------------------------------------------------------------------------------------


def loopback(process: Process, version: int = 4, windows: WindowsVersion = WindowsVersion.ELEVEN) -> Stage:
    stage = one(HostConfig(windows=windows))
    host = stage.hosts["host"]
    home = ip("127.0.0.1" if version == 4 else "::1")
    listener, client = host.socket("tcp", version, process), host.socket("tcp", version, process)
    stage.do("host", host.bind(listener, home, 80, 0))
    stage.do("host", host.listen(listener, 0))
    stage.do("host", host.connect(client, Endpoint(home, 80), 0))
    stage.do("host", host.send(client, b"hello", 0))
    return stage


@pytest.mark.parametrize("version", [4, 6], ids=["IPv4", "IPv6"])
def test_loopback_meets_both_halves_and_says_so_everywhere(version: int) -> None:
    stage = loopback(Process(package=NULL_SID), version)
    assert stage.sent("host") == ["SYN", "SYN-ACK", "ACK", "DATA", "ACK"]
    assert stage.delivered("host") == [b"hello"]
    names = {base_name(c.layer) for c in stage.classified()}
    assert {
        "ALE_AUTH_CONNECT",
        "ALE_AUTH_RECV_ACCEPT",
        "STREAM",
        "INBOUND_IPPACKET",
        "OUTBOUND_IPPACKET",
    } <= names
    for asked in stage.classified():
        wanted = base_name(asked.layer) in FLAG_LAYERS[ConditionFlags.IS_LOOPBACK]
        wanted = wanted and field_of(asked, "IP_LOCAL_ADDRESS") != EMPTY
        assert bool(flags(asked) & ConditionFlags.IS_LOOPBACK) is wanted


@pytest.mark.parametrize(
    ("process", "windows", "value", "known"),
    [
        pytest.param(Process(package=NULL_SID), WindowsVersion.EIGHT, 0x800001, True, id="a standard application"),
        pytest.param(Process(package=CONTAINER), WindowsVersion.EIGHT, 0x400001, True, id="an app container"),
        pytest.param(Process(), WindowsVersion.EIGHT, 1, False, id="not known: neither bit is"),
        pytest.param(Process(), WindowsVersion.SEVEN, 1, True, id="Windows 7 has no such bits"),
    ],
)
def test_which_loopback_it_is(process: Process, windows: WindowsVersion, value: int, known: bool) -> None:
    asked = loopback(process, windows=windows).at("ALE_AUTH_CONNECT_V4")[0]
    fact = field_of(asked, "FLAGS")
    if known:
        assert fact == u32(value)
    else:
        assert fact == KnownBits(value, 0xFFFFFFFF & ~0xC00000)


def test_a_syn_says_that_it_will_be_authorized() -> None:
    stage = two()
    established(stage)
    first, second = stage.at("INBOUND_TRANSPORT_V4", "server")
    wanted = ConditionFlags.REQUIRES_ALE_CLASSIFY
    assert (bool(flags(first) & wanted), bool(flags(second) & wanted)) == (True, False)


# Implicit binds are told on Vista only; from Windows 8 on loopback brings a second bit.
WINDOWS_OF = {
    ConditionFlags.IS_IMPLICIT_BIND: WindowsVersion.VISTA,
    ConditionFlags.IS_LOOPBACK: WindowsVersion.SEVEN,
}


@pytest.mark.parametrize(
    ("flag", "layers"), FLAG_LAYERS.items(), ids=lambda x: x.name if isinstance(x, ConditionFlags) else ""
)
def test_each_flag_is_set_at_its_layers_only(flag: ConditionFlags, layers: frozenset[str]) -> None:
    for key in KERNEL:
        windows = WINDOWS_OF.get(flag, WindowsVersion.ELEVEN)
        fact = facts_of(key, Indication(4, flags=flag), windows).get(FIELD.FLAGS)
        if fact is not None:
            base = base_name(key).removesuffix("_DISCARD")
            assert fact == u32(flag if base in layers else 0)
    assert all(layer_key(name, 4) in catalog.layers() for name in layers)


def test_an_unaccepted_socket_has_no_remote_side_when_it_closes() -> None:
    stage = two()
    listener = tcp_server(stage)
    stage.do("server", stage.hosts["server"].close(listener, 0))
    closed = stage.at("ALE_ENDPOINT_CLOSURE_V4", "server")[0]
    assert field_of(closed, "IP_REMOTE_ADDRESS") == field_of(closed, "IP_REMOTE_PORT") == EMPTY
    assert field_of(closed, "IP_LOCAL_PORT") == u16(80)
