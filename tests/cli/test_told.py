"""What the user tells about an endpoint becomes facts, and is repeated."""

from __future__ import annotations

from typing import Any

import pytest
import typer

from tamiz.cli.options import ProfileName
from tamiz.cli.told import PROFILE_FIELDS, Told, facts_from_options
from tamiz.engine.callouts import Assumption
from tamiz.model._tables import FIELD, LAYER, SUBLAYER, ConditionFlags, MatchType
from tamiz.model._tables import DataType as T
from tamiz.model.conditions import Condition
from tamiz.model.facts import Fact, Unknown
from tamiz.model.keys import FieldKey, FilterKey
from tamiz.model.objects import ActionType, Filter
from tamiz.model.policy import Policy
from tamiz.model.security import MATCH_FILTER, Ace, AceFlags, AceType, SecurityDescriptor, Token
from tamiz.model.sids import ANONYMOUS, EVERYONE, LOCAL_SYSTEM, NULL_SID, Sid, service_sid
from tamiz.model.values import EMPTY, Value, app_id, blob, sid_value, token_value, u8, u16, u32, u64

PACKAGE = "S-1-15-2-1-2-3"


def naming(*apps: str) -> Policy:
    """A policy whose filters name these applications."""
    conditions = tuple(Condition(FIELD.ALE_APP_ID, MatchType.EQUAL, blob(app_id(app))) for app in apps)
    return policy_of(*conditions)


def serving(*services: str) -> Policy:
    """A policy whose filters name these services."""
    aces = tuple(Ace(AceType.ALLOW, AceFlags(0), MATCH_FILTER, service_sid(name)) for name in services)
    descriptor = Value(T.SECURITY_DESCRIPTOR_TYPE, SecurityDescriptor(dacl=aces))
    return policy_of(Condition(FIELD.ALE_USER_ID, MatchType.EQUAL, descriptor))


def policy_of(*conditions: Condition) -> Policy:
    key = FilterKey("{00000000-0000-0000-0000-0000000000f1}")
    return Policy((Filter(key, "f", LAYER.ALE_AUTH_CONNECT_V4, SUBLAYER.UNIVERSAL, ActionType.PERMIT, conditions),))


def tell(policy: Policy | None = None, **options: Any) -> Told:
    return facts_from_options(policy or Policy(), **options)


def token(told: Told) -> Token:
    fact = told.facts[FIELD.ALE_USER_ID]
    assert isinstance(fact, Value) and isinstance(fact.data, Token)
    return fact.data


def test_nothing_told_is_nothing_known() -> None:
    told = tell()
    assert (told.facts, told.assumptions, told.callouts.assume_all) == ({}, (), None)


V3, V4 = r"\device\harddiskvolume3", r"\device\harddiskvolume4"


@pytest.mark.parametrize(
    ("app", "volume", "policy", "paths"),
    [
        pytest.param(V3 + r"\X\a.exe", (), naming(), [V3 + r"\x\a.exe"], id="an NT path is itself"),
        pytest.param(
            r"C:\X\a.exe", (r"c:=\Device\HarddiskVolume4",), naming(V3 + r"\x\a.exe"), [V4 + r"\x\a.exe"],
            id="a drive whose device is told",
        ),
        pytest.param(
            r"C:\X\A.EXE", (), naming(V3 + r"\x\a.exe", V4 + r"\y\a.exe"), [V3 + r"\x\a.exe"],
            id="one volume of the policy has the path",
        ),
        pytest.param(
            r"C:\x\a.exe", (), naming(V4 + r"\x\a.exe", V3 + r"\x\a.exe"), [V3 + r"\x\a.exe", V4 + r"\x\a.exe"],
            id="two volumes have it, so it is one of the two",
        ),
    ],
)  # fmt: skip
def test_an_application_by_its_path(app: str, volume: tuple[str, ...], policy: Policy, paths: list[str]) -> None:
    told = tell(policy, app=app, volume=volume)
    values = tuple(blob(app_id(path)) for path in paths)
    fact: Fact = values[0] if len(values) == 1 else Unknown(values, may_be_empty=False)
    assert told.facts == {FIELD.ALE_APP_ID: fact, FIELD.ALE_ORIGINAL_APP_ID: fact}
    assert len(told.assumptions) == 1 and told.assumptions[0].startswith("application ")


def test_an_assumed_volume_is_said() -> None:
    told = tell(naming(V3 + r"\x\a.exe"), app=r"C:\x\a.exe")
    assert "no --volume C: was given" in told.assumptions[0]


def test_a_process_outside_an_app_container_has_the_null_sid() -> None:
    told = tell(package="none")
    assert told.facts[FIELD.ALE_PACKAGE_ID] == sid_value(NULL_SID)
    assert token(told).app_container is False and token(told).present == {EVERYONE}
    assert told.assumptions == ("outside any package and app container",)


def test_an_app_container_has_its_package_in_its_token() -> None:
    told = tell(package=PACKAGE)
    assert told.facts[FIELD.ALE_PACKAGE_ID] == sid_value(Sid.parse(PACKAGE))
    assert token(told).app_container is True and Sid.parse(PACKAGE) in token(told).present


def test_a_service_has_its_computed_sid_and_no_other_is_excluded() -> None:
    found = token(tell(service="Dnscache"))
    assert found.present == {EVERYONE, service_sid("dnscache")} and found.absent == frozenset() and not found.complete


def test_no_service_excludes_those_that_the_policy_names() -> None:
    found = token(tell(serving("Dnscache", "BFE"), service="none"))
    assert found.absent == {service_sid("Dnscache"), service_sid("BFE")} and found.present == {EVERYONE}


def test_a_user_is_everyone_too() -> None:
    assert {LOCAL_SYSTEM, EVERYONE} <= token(tell(user="system")).present
    assert Sid.parse("S-1-5-21-1-2-3-1001") in token(tell(user="S-1-5-21-1-2-3-1001")).present


def test_a_profile_holds_for_every_interface() -> None:
    told = tell(profile=ProfileName.PRIVATE)
    assert told.facts == dict.fromkeys(PROFILE_FIELDS, u32(2))


@pytest.mark.parametrize(
    ("text", "field", "value"),
    [
        pytest.param("1689399632855040", FIELD.IP_LOCAL_INTERFACE, u64(1689399632855040), id="a number is a LUID"),
        pytest.param("luid=0x10,type=71", FIELD.IP_NEXTHOP_INTERFACE, u64(16), id="a LUID in hex"),
        pytest.param("luid=0x10,type=71", FIELD.ARRIVAL_INTERFACE_TYPE, u32(71), id="and a type"),
        pytest.param("tunnel=0", FIELD.TUNNEL_TYPE, u32(0), id="a tunnel type"),
        pytest.param("type=ethernet", FIELD.INTERFACE_TYPE, u32(6), id="a type by its name"),
        pytest.param("index=7", FIELD.INTERFACE_INDEX, u32(7), id="an index"),
    ],
)
def test_an_interface_shows_in_the_fields_of_its_kind(text: str, field: FieldKey, value: Value) -> None:
    assert tell(interface=text).facts[field] == value


@pytest.mark.parametrize(
    ("pair", "field", "value"),
    [
        pytest.param("FWPM_CONDITION_IP_PROTOCOL=17", FIELD.IP_PROTOCOL, u8(17), id="a field by its name"),
        pytest.param("ip-remote-port=0x35", FIELD.IP_REMOTE_PORT, u16(53), id="as policies write it"),
        pytest.param("remote-port=53", FIELD.IP_REMOTE_PORT, u16(53), id="without its family"),
        pytest.param("package=S-1-0-0", FIELD.ALE_PACKAGE_ID, sid_value(NULL_SID), id="a SID"),
        pytest.param("remote-address=10.0.0.1", FIELD.IP_REMOTE_ADDRESS, u32(0x0A000001), id="an IPv4 address"),
        pytest.param(
            "remote-address=::1",
            FIELD.IP_REMOTE_ADDRESS,
            Value(T.BYTE_ARRAY16_TYPE, bytes(15) + b"\1"),
            id="an IPv6 address",
        ),
        pytest.param(
            "flags=is-loopback|is-reauthorize",
            FIELD.FLAGS,
            u32(int(ConditionFlags.IS_LOOPBACK | ConditionFlags.IS_REAUTHORIZE)),
            id="flags by name",
        ),
        pytest.param("protocol=tcp", FIELD.IP_PROTOCOL, u8(6), id="a protocol by name"),
        pytest.param(
            "user=S-1-1-0", FIELD.ALE_USER_ID, token_value(Token(frozenset({EVERYONE}))), id="a token by its SIDs"
        ),
        pytest.param("flags=0x5", FIELD.FLAGS, u32(5), id="flags as a number"),
        pytest.param(
            r"app=\device\harddiskvolume1\a.exe",
            FIELD.ALE_APP_ID,
            blob(app_id(r"\device\harddiskvolume1\a.exe")),
            id="an application",
        ),
        pytest.param("icmp-type=8", FIELD.IP_LOCAL_PORT, u16(8), id="a field that goes by two names"),
        pytest.param("nexthop-interface-type=empty", FIELD.NEXTHOP_INTERFACE_TYPE, EMPTY, id="none"),
    ],
)
def test_a_single_field_is_assumed(pair: str, field: FieldKey, value: Value) -> None:
    told = tell(assume=[pair])
    assert told.facts == {field: value}
    assert told.assumptions == (pair,)


def test_what_is_assumed_of_callouts() -> None:
    told = tell(assume=["callout=transparent", "callout:{00000000-0000-0000-0000-0000000000C1}=block"])
    assert told.callouts.assume_all is Assumption.TRANSPARENT
    assert {str(k): v for k, v in told.callouts.assume.items()} == {
        "{00000000-0000-0000-0000-0000000000c1}": Assumption.BLOCK
    }


@pytest.mark.parametrize(
    ("options", "message"),
    [
        pytest.param({"package": "x"}, "found 'x', wanted a SID S-1-", id="a package"),
        pytest.param({"user": "root"}, "found 'root', wanted a SID", id="a user"),
        pytest.param({"service": "S-1-x"}, "found 'S-1-x', wanted a SID", id="a service's SID"),
        pytest.param({"app": r"C:\a", "volume": ["C=1"]}, r"found '1', wanted a device such as", id="a volume"),
        pytest.param(
            {"interface": "name=eth0"}, "found 'name=eth0', wanted a number, or one of luid, index", id="an interface"
        ),
        pytest.param(
            {"interface": "eth0"}, "found 'eth0', wanted a number from 0 to 18446744073709551615", id="a LUID"
        ),
        pytest.param({"assume": ["protocol"]}, "found 'protocol', wanted FIELD=VALUE", id="an assumption"),
        pytest.param({"assume": ["colour=red"]}, "found 'colour', wanted the name of a field", id="a field"),
        pytest.param({"assume": ["protocol=256"]}, "found '256', wanted a number from 0 to 255", id="too large"),
        pytest.param(
            {"assume": ["flags=is-red"]}, "found 'is-red', wanted a number from 0 to 4294967295 or a name", id="a flag"
        ),
        pytest.param({"assume": ["callout=deny"]}, "found 'deny', wanted permit, block, transparent", id="a callout"),
    ],
)
def test_what_cannot_be_read_is_a_usage_error(options: dict[str, Any], message: str) -> None:
    with pytest.raises(typer.BadParameter) as caught:
        tell(**options)
    assert str(caught.value).startswith(message)


def test_an_assumed_application_is_resolved_as_app_is() -> None:
    policy = naming(V3 + r"\x\a.exe")
    told = tell(policy, assume=[r"app=C:\x\a.exe"])
    assert told.facts[FIELD.ALE_APP_ID] == blob(app_id(V3 + r"\x\a.exe"))
    assert told.assumptions[0] == r"app=C:\x\a.exe" and "no --volume C: was given" in told.assumptions[1]
    told = tell(policy, assume=[r"app=C:\x\a.exe"], volume=[rf"C:={V4}"])
    assert told.facts[FIELD.ALE_APP_ID] == blob(app_id(V4 + r"\x\a.exe"))


def test_nobody_is_no_authenticated_user() -> None:
    assert token(tell(user="anonymous")).present == {ANONYMOUS, EVERYONE}


def test_a_service_has_a_name() -> None:
    with pytest.raises(typer.BadParameter, match="the name of a service"):
        tell(service="")
