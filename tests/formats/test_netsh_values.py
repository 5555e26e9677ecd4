"""Conditions of small dumps: each type of value that netsh prints, and what another Windows may print."""

from __future__ import annotations

from typing import Any

import pytest

from tamiz.formats.netsh import read_netsh
from tamiz.formats.netsh.filters import ACTIONS, DATA_TYPES, FIELD_KINDS
from tamiz.formats.netsh.values import MEMBERS, TYPES
from tamiz.model._tables import DataType, FieldKind, MatchType
from tamiz.model.conditions import Condition
from tamiz.model.errors import InputError
from tamiz.model.keys import FieldKey
from tamiz.model.objects import ActionType, Filter
from tamiz.model.policy import Policy
from tamiz.model.sids import Sid
from tamiz.model.values import EMPTY, Range, V4Mask, V6Mask, Value, blob, sid_value, u8, u16, u32, u64
from tests.formats import netsh_text as text

V6_LAYER = "FWPM_LAYER_ALE_AUTH_CONNECT_V6"
ADDRESS, PORT = "FWPM_CONDITION_IP_REMOTE_ADDRESS", "FWPM_CONDITION_IP_REMOTE_PORT"


def read(data: bytes) -> Policy:
    return read_netsh(data, "dump.xml")


def one_filter(*, layer: str = text.LAYER, conditions: Any) -> Filter:
    (found,) = read(text.filters_dump([text.a_filter(1, "f", conditions, layer)])).filters
    return found


V6 = bytes.fromhex("20010db8000000000000000000000001")
# field, layer, netsh's content, its type, match -> the value
VALUES: list[Any] = [
    pytest.param("FWPM_CONDITION_IP_PROTOCOL", "6", "FWP_UINT8", "EQUAL", u8(6), id="a protocol"),
    pytest.param(PORT, "443", "FWP_UINT16", "GREATER", u16(443), id="a port"),
    pytest.param(ADDRESS, "10.0.0.1", "FWP_UINT32", "EQUAL", u32(0x0A000001), id="an IPv4 address is host order"),
    pytest.param(ADDRESS, "167772161", "FWP_UINT32", "EQUAL", u32(0x0A000001), id="an IPv4 address as a number"),
    pytest.param("FWPM_CONDITION_FLAGS", "1", "FWP_UINT32", "FLAGS_NONE_SET", u32(1), id="flags"),
    pytest.param("FWPM_CONDITION_IP_LOCAL_INTERFACE", "19985273152602112", "FWP_UINT64", "EQUAL",
                 u64(19985273152602112), id="an interface"),
    pytest.param("FWPM_CONDITION_ALE_APP_ID", text.blob(b"a\0b\0"), "FWP_BYTE_BLOB_TYPE", "NOT_EQUAL",
                 blob(b"a\0b\0"), id="an application"),
    pytest.param("FWPM_CONDITION_ALE_APP_ID", [("data", "")], "FWP_BYTE_BLOB_TYPE", "EQUAL", blob(b""),
                 id="a blob of no bytes"),
    pytest.param("FWPM_CONDITION_ALE_PACKAGE_ID", "S-1-15-2-1", "FWP_SID", "EQUAL", sid_value(Sid(15, (2, 1))),
                 id="a package"),
    pytest.param(PORT, text.interval("FWP_UINT16", 80, 90), "FWP_RANGE_TYPE", "RANGE",
                 Value(DataType.RANGE_TYPE, Range(u16(80), u16(90))), id="a range of ports"),
    pytest.param(ADDRESS, text.v4_mask("10.0.0.0", "255.0.0.0"), "FWP_V4_ADDR_MASK", "EQUAL",
                 Value(DataType.V4_ADDR_MASK, V4Mask(0x0A000000, 0xFF000000)), id="an IPv4 network"),
    pytest.param(PORT, None, "FWP_EMPTY", "EQUAL", EMPTY, id="nothing"),
]  # fmt: skip
VALUES_V6: list[Any] = [
    pytest.param("2001:db8::1", "FWP_BYTE_ARRAY16_TYPE", Value(DataType.BYTE_ARRAY16_TYPE, V6), id="an address"),
    pytest.param("::ffff:1.2.3.4", "FWP_BYTE_ARRAY16_TYPE",
                 Value(DataType.BYTE_ARRAY16_TYPE, bytes(10) + b"\xff\xff\1\2\3\4"), id="a mapped address"),
    pytest.param([("addr", "2001:db8::1"), ("prefixLength", "32")], "FWP_V6_ADDR_MASK",
                 Value(DataType.V6_ADDR_MASK, V6Mask(V6, 32)), id="a network"),
]  # fmt: skip


@pytest.mark.parametrize(("field", "content", "kind", "match", "expected"), VALUES)
def test_a_condition_holds_what_netsh_printed(field: str, content: Any, kind: str, match: str, expected: Value) -> None:
    found = one_filter(conditions=[text.condition(field, content, kind, f"FWP_MATCH_{match}")])
    assert found.conditions == (Condition(FieldKey(field), MatchType[match], expected),)


@pytest.mark.parametrize(("content", "kind", "expected"), VALUES_V6)
def test_a_condition_holds_an_ipv6_address(content: Any, kind: str, expected: Value) -> None:
    found = one_filter(layer=V6_LAYER, conditions=[text.condition(ADDRESS, content, kind)])
    assert found.conditions[0].value == expected


# types that fields of a newer Windows may have, at a field that only a state dump can declare
@pytest.mark.parametrize(
    ("kind", "content", "expected"),
    [
        ("FWP_INT8", "-128", -128),
        ("FWP_INT16", "32767", 32767),
        ("FWP_INT32", "-1", -1),
        ("FWP_INT64", "-9223372036854775808", -(2**63)),
        ("FWP_FLOAT", "1.5", 1.5),
        ("FWP_DOUBLE", "-2e3", -2000.0),
        ("FWP_BYTE_ARRAY6_TYPE", "00:00:5e:00:53:01", bytes.fromhex("00005e005301")),
        ("FWP_BYTE_ARRAY6_TYPE", "00-00-5E-00-53-01", bytes.fromhex("00005e005301")),
        ("FWP_UNICODE_STRING_TYPE", "a & b", "a & b"),
    ],
)
def test_types_that_no_windows_field_has_today_are_read_too(kind: str, content: str, expected: Any) -> None:
    layer = text.a_layer(
        filters=[text.a_filter(conditions=[text.condition("FWPM_CONDITION_NEW", content, kind)])],
        fields=[("FWPM_CONDITION_NEW", "RAW_DATA", kind)],
    )
    assert read(text.state_dump([layer])).filters[0].conditions[0].value.data == expected


def test_a_security_descriptor_keeps_its_text() -> None:
    sddl = 'O:SYG:SYD:(XA;;CC;;;WD;(WIN://SYSAPPID Contains "a"))'
    kind = "FWP_SECURITY_DESCRIPTOR_TYPE"
    found = one_filter(conditions=[text.condition("FWPM_CONDITION_ALE_USER_ID", sddl, kind)])
    assert str(found.conditions[0].value) == sddl


def test_equal_conditions_are_one_object() -> None:
    port = text.condition(PORT, 443, "FWP_UINT16")
    first, second = read(text.filters_dump([text.a_filter(1, "a", [port]), text.a_filter(2, "b", [port])])).filters
    assert first.conditions[0] is second.conditions[0]


def test_every_type_of_value_has_a_reader_save_those_of_tokens() -> None:
    tokens = {DataType.TOKEN_INFORMATION_TYPE, DataType.TOKEN_ACCESS_INFORMATION_TYPE}
    assert set(MEMBERS) == set(DataType) - tokens - {DataType.EMPTY} == set(TYPES.values())
    assert {f"FWP_{kind.name}": member for kind, (member, _) in MEMBERS.items()} == text.MEMBERS
    assert (set(ACTIONS.values()), set(DATA_TYPES.values()), set(FIELD_KINDS.values())) == (
        set(ActionType), set(DataType), set(FieldKind),
    )  # fmt: skip


def test_a_field_that_no_catalog_has_still_wants_a_match_that_fits_its_value() -> None:
    wrong = text.condition("FWPM_CONDITION_NEW", text.interval("FWP_UINT8", 9, 1), "FWP_RANGE_TYPE", "FWP_MATCH_RANGE")
    with pytest.raises(InputError, match="FWP_E_INVALID_RANGE"):
        one_filter(conditions=[wrong])


def test_a_filters_dump_of_an_older_windows_has_the_older_fields() -> None:
    layer, field = "FWPM_LAYER_OUTBOUND_NETWORK_CONNECTION_POLICY_V6", "FWPM_CONDITION_IP_LOCAL_ADDRESS"
    old = text.a_filter(layer=layer, conditions=[text.condition(field, 1, "FWP_UINT32")])
    assert read(text.filters_dump([old])).fields == "older"
