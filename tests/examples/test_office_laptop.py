"""The example policy: it reads back as it was made, weighs as Windows would weigh it, and decides as its rules say."""

from __future__ import annotations

import dataclasses
import ipaddress
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from tools.office_laptop import objects

from tamiz.engine.engine import Engine
from tamiz.engine.weights import effective_weight
from tamiz.formats.netsh import read_netsh
from tamiz.model._tables import DataType, FilterFlags, Profile
from tamiz.model.decisions import Action, Decision
from tamiz.model.facts import Facts
from tamiz.model.keys import FieldKey, LayerKey
from tamiz.model.policy import Policy
from tamiz.model.sids import NULL_SID
from tamiz.model.values import Value, address, blob, sid_value, u8, u16, u32

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "office-laptop.xml"
TCP, UDP, ICMP, ICMPV6 = 6, 17, 1, 58
LAPTOP = {4: "192.0.2.10", 6: "2001:db8::10"}
NEIGHBOUR = {4: "192.0.2.20", 6: "2001:db8::20"}
STRANGER = {4: "203.0.113.9", 6: "2001:db8:9::9"}
PERMIT, BLOCK, DEPENDS = Action.PERMIT, Action.BLOCK, Action.DEPENDS


def _tool() -> ModuleType:
    loader = SourceFileLoader("make_office_laptop", str(ROOT / "tools" / "make_office_laptop"))
    spec = spec_from_loader(loader.name, loader)
    assert spec is not None
    module = module_from_spec(spec)
    loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def made() -> Policy:
    policy: Policy = _tool().policy()
    return policy


@pytest.fixture(scope="module")
def read() -> Policy:
    return read_netsh(EXAMPLE.read_bytes(), EXAMPLE.name)


@pytest.fixture(scope="module")
def engine(read: Policy) -> Engine:
    return Engine(read)


# -- the file ------------------------------------------------------------------------------------------------------


def test_the_tool_makes_the_file_that_is_here(tmp_path: Path) -> None:
    assert _tool().main([str(tmp_path / "again.xml")]) == 0
    assert (tmp_path / "again.xml").read_bytes() == EXAMPLE.read_bytes()


def test_reading_it_warns_of_nothing(read: Policy) -> None:
    assert read.warnings == ()
    assert (read.whole, read.lists_sublayers, read.lists_callouts) == (True, True, True)


@pytest.mark.parametrize("kind", ["sublayers", "providers", "callouts", "contexts", "layers", "sessions", "endpoints"])
def test_the_objects_come_back_as_they_were_made(made: Policy, read: Policy, kind: str) -> None:
    def by_key(policy: Policy) -> dict[Any, Any]:
        return {item.id if kind == "endpoints" else item.key: item for item in getattr(policy, kind)}

    assert by_key(read) == by_key(made)


def test_the_filters_come_back_as_they_were_made(made: Policy, read: Policy) -> None:
    without_place = {f.key: dataclasses.replace(f, place=None) for f in read.filters}
    assert without_place == {f.key: f for f in made.filters}


def test_every_weight_is_what_windows_would_compute(read: Policy) -> None:
    for filter in read.filters:
        layer = read.layer(filter.layer)
        assert layer is not None
        assert filter.effective_weight == effective_weight(filter, layer)


def test_filters_that_tie_within_a_sublayer_have_one_action(read: Policy) -> None:
    """Exact weights, which Windows gives to filters that exclude each other, and boot-time filters stand apart."""
    places: dict[tuple[str, str, int | None], set[tuple[str, str]]] = {}
    for filter in read.filters:
        if filter.weight.type is not DataType.UINT64 and not filter.flags & FilterFlags.BOOTTIME:
            key = (filter.layer, filter.sublayer, filter.effective_weight)
            places.setdefault(key, set()).add((filter.action.name, str(filter.conditions)))
    assert [key for key, found in places.items() if len({action for action, _ in found}) > 1] == []


# -- what it decides -----------------------------------------------------------------------------------------------


def _facts(version: int, remote: str, protocol: int, ports: tuple[int, int], **told: Value) -> Facts:
    """What a capture tells of a packet, with the private profile and no app container assumed."""
    known = {
        "IP_LOCAL_ADDRESS": address(ipaddress.ip_address(LAPTOP[version]).packed),
        "IP_REMOTE_ADDRESS": address(ipaddress.ip_address(remote).packed),
        "IP_LOCAL_PORT": u16(ports[0]),
        "IP_REMOTE_PORT": u16(ports[1]),
        "IP_PROTOCOL": u8(protocol),
        "FLAGS": u32(0),
        "ALE_PACKAGE_ID": sid_value(NULL_SID),
        **_profile(Profile.PRIVATE),
    }
    if protocol in (ICMP, ICMPV6):
        known["ORIGINAL_ICMP_TYPE"] = u16(ports[0])
    return {FieldKey(f"FWPM_CONDITION_{name}"): value for name, value in (known | told).items()}


def _profile(which: Profile) -> dict[str, Value]:
    names = (
        "ORIGINAL_PROFILE_ID",
        "CURRENT_PROFILE_ID",
        "ARRIVAL_INTERFACE_PROFILE_ID",
        "NEXTHOP_INTERFACE_PROFILE_ID",
    )
    return {name: u32(int(which)) for name in names}


def _decide(engine: Engine, layer: str, version: int, facts: Facts) -> Decision:
    return engine.classify(LayerKey(f"FWPM_LAYER_{layer.format(version)}"), facts)


ACCEPT, CONNECT = "ALE_AUTH_RECV_ACCEPT_V{}", "ALE_AUTH_CONNECT_V{}"


@pytest.mark.parametrize("version", [pytest.param(4, id="IPv4"), pytest.param(6, id="IPv6")])
@pytest.mark.parametrize(
    ("protocol", "port", "remote", "wanted"),
    [
        pytest.param(TCP, 445, NEIGHBOUR, PERMIT, id="the neighbour may open a share"),
        pytest.param(TCP, 445, STRANGER, BLOCK, id="a stranger may not open a share"),
        pytest.param(TCP, 80, NEIGHBOUR, BLOCK, id="nobody may fetch a page"),
        pytest.param(TCP, 8081, NEIGHBOUR, BLOCK, id="a port that no rule names is closed"),
        pytest.param(TCP, 3389, NEIGHBOUR, BLOCK, id="no remote desktop on a private network"),
        pytest.param(UDP, 7100, NEIGHBOUR, PERMIT, id="the neighbour may send large files"),
        pytest.param(UDP, 9, NEIGHBOUR, BLOCK, id="a datagram that no rule names is dropped"),
        pytest.param(UDP, 5353, NEIGHBOUR, DEPENDS, id="multicast DNS hangs on the program that hears it"),
    ],
)
def test_who_may_come_in(
    engine: Engine, version: int, protocol: int, port: int, remote: dict[int, str], wanted: Action
) -> None:
    facts = _facts(version, remote[version], protocol, (port, 50000))
    assert _decide(engine, ACCEPT, version, facts).action is wanted


@pytest.mark.parametrize("version", [pytest.param(4, id="IPv4"), pytest.param(6, id="IPv6")])
@pytest.mark.parametrize(
    ("app", "port", "wanted"),
    [
        pytest.param(objects.BROWSER, 443, PERMIT, id="the browser may go out"),
        pytest.param(objects.GAME, 443, BLOCK, id="the game stays offline"),
        pytest.param(objects.BROWSER, 25, BLOCK, id="no program sends mail by itself"),
        pytest.param(None, 7200, BLOCK, id="the old backup is blocked whichever program it is"),
        pytest.param(None, 80, DEPENDS, id="without a program the answer hangs on it"),
    ],
)
def test_what_may_go_out(engine: Engine, version: int, app: bytes | None, port: int, wanted: Action) -> None:
    told = {} if app is None else {"ALE_APP_ID": blob(app)}
    facts = _facts(version, STRANGER[version], TCP, (50000, port), **told)
    assert _decide(engine, CONNECT, version, facts).action is wanted


@pytest.mark.parametrize(
    ("version", "profile", "wanted"),
    [
        pytest.param(4, Profile.PRIVATE, PERMIT, id="IPv4: the office may ping"),
        pytest.param(6, Profile.PRIVATE, BLOCK, id="IPv6: nobody may on a private network"),
        pytest.param(6, Profile.DOMAIN, PERMIT, id="IPv6: the domain may"),
    ],
)
def test_who_may_ping(engine: Engine, version: int, profile: Profile, wanted: Action) -> None:
    protocol, request = {4: (ICMP, 8), 6: (ICMPV6, 128)}[version]
    facts = _facts(version, NEIGHBOUR[version], protocol, (request, 0), **_profile(profile))
    assert _decide(engine, ACCEPT, version, facts).action is wanted


@pytest.mark.parametrize("version", [pytest.param(4, id="IPv4"), pytest.param(6, id="IPv6")])
@pytest.mark.parametrize(
    ("profile", "wanted"),
    [
        pytest.param(Profile.PRIVATE, BLOCK, id="a port scan on a private network gets no RST"),
        pytest.param(Profile.PUBLIC, BLOCK, id="nor on a public one"),
        pytest.param(Profile.DOMAIN, PERMIT, id="in the domain it does"),
    ],
)
def test_stealth(engine: Engine, version: int, profile: Profile, wanted: Action) -> None:
    facts = _facts(version, NEIGHBOUR[version], TCP, (8081, 50000), **_profile(profile))
    assert _decide(engine, "INBOUND_TRANSPORT_V{}_DISCARD", version, facts).action is wanted


def test_a_connection_that_windows_had_authorised_is_not_blocked_on_both_sides(read: Policy, engine: Engine) -> None:
    for endpoint in read.endpoints:
        version, remote = endpoint.ip_version, str(ipaddress.ip_address(endpoint.remote_address))
        ports = (endpoint.local_port, endpoint.remote_port)
        facts = _facts(version, remote, endpoint.protocol, ports, ALE_APP_ID=blob(endpoint.app))
        actions = {_decide(engine, layer, version, facts).action for layer in (CONNECT, ACCEPT)}
        assert actions != {BLOCK}
