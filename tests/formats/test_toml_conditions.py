"""Conditions of the policy language: every shape on every data type, names, families, and every refusal in full."""

from __future__ import annotations

import ipaddress
import uuid
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tamiz.formats.appid import app_blob
from tamiz.formats.toml.conditions import SHAPES
from tamiz.formats.toml.names import field_word
from tamiz.formats.toml.policy import read_toml
from tamiz.formats.toml.values import granting
from tamiz.model import catalog
from tamiz.model._tables import DataType, MatchType
from tamiz.model.conditions import MATCHES, Condition
from tamiz.model.errors import InputError
from tamiz.model.keys import FieldKey
from tamiz.model.objects import Filter
from tamiz.model.sids import ADMINISTRATORS, ALL_PACKAGES, EVERYONE, NULL_SID, Sid, service_sid
from tamiz.model.values import (
    EMPTY,
    UNSIGNED,
    Range,
    V4Mask,
    V6Mask,
    Value,
    address,
    blob,
    sid_value,
    u8,
    u16,
    u32,
    u64,
)

T = DataType
CONNECT4, CONNECT6 = "ale-auth-connect-v4", "ale-auth-connect-v6"


def read(conditions: str, layer: str = CONNECT4) -> tuple[Filter, ...]:
    text = f'[volumes]\n"C:" = \'\\Device\\HarddiskVolume3\'\n[[filter]]\nname = "f"\nlayer = "{layer}"\naction = "block"\n'
    return read_toml(f"{text}conditions = {conditions}\n".encode(), "p.toml").filters


def only(conditions: str, layer: str = CONNECT4) -> tuple[Condition, ...]:
    (found,) = read(conditions, layer)
    return found.conditions


def refusal(conditions: str, layer: str = CONNECT4) -> str:
    with pytest.raises(InputError) as caught:
        read(conditions, layer)
    return str(caught.value)


def v4(text: str) -> Value:
    return address(ipaddress.IPv4Address(text).packed)


def v6(text: str) -> Value:
    return address(ipaddress.IPv6Address(text).packed)


def mask4(text: str) -> Value:
    network = ipaddress.IPv4Network(text, strict=False)
    base = ipaddress.IPv4Address(text.split("/")[0])
    return Value(T.V4_ADDR_MASK, V4Mask(int(base), int(network.netmask)))


def mask6(text: str) -> Value:
    base, _, length = text.partition("/")
    return Value(T.V6_ADDR_MASK, V6Mask(ipaddress.IPv6Address(base).packed, int(length)))


def key(short: str) -> FieldKey:
    return FieldKey(f"FWPM_CONDITION_{short}")


# -- every shape on every data type ------------------------------------------------------------------------------------

_GUID = "12345678-1234-5678-9abc-123456789abc"

# what it is: layer, field, a value as it is written, the value that it is
SAMPLES: dict[str, tuple[str, str, str, Value]] = {
    "UINT8": (CONNECT4, "IP_PROTOCOL", '"udp"', u8(17)),
    "UINT16": (CONNECT4, "IP_REMOTE_PORT", "53", u16(53)),
    "UINT32": (CONNECT4, "INTERFACE_TYPE", '"ethernet"', u32(6)),
    "UINT64": (CONNECT4, "IP_LOCAL_INTERFACE", '"0xffffffffffffffff"', u64((1 << 64) - 1)),
    "flags": (CONNECT4, "FLAGS", '["is-loopback", 4]', u32(5)),
    "IPv4 address": (CONNECT4, "IP_REMOTE_ADDRESS", '"10.0.0.1"', v4("10.0.0.1")),
    "IPv4 prefix": (CONNECT4, "IP_REMOTE_ADDRESS", '"10.0.0.0/8"', mask4("10.0.0.0/8")),
    "IPv6 address": (CONNECT6, "IP_REMOTE_ADDRESS", '"fe80::1"', v6("fe80::1")),
    "IPv6 prefix": (CONNECT6, "IP_REMOTE_ADDRESS", '"fe80::/10"', mask6("fe80::/10")),
    "BYTE_ARRAY16": ("rpc-um", "RPC_IF_UUID", f'"{_GUID}"', Value(T.BYTE_ARRAY16_TYPE, uuid.UUID(_GUID).bytes_le)),
    "BYTE_ARRAY6": ("inbound-mac-frame-ethernet", "MAC_LOCAL_ADDRESS", '"00-00-5e-00-53-01"',
                    Value(T.BYTE_ARRAY6_TYPE, bytes.fromhex("00005e005301"))),
    "app": (CONNECT4, "ALE_APP_ID", '{ hex = "410000000000" }', blob(b"A\0\0\0\0\0")),
    "blob": (CONNECT4, "PEER_NAME", '{ hex = "4100" }', blob(b"A\0")),
    "SID": (CONNECT4, "ALE_PACKAGE_ID", '"S-1-15-2-1"', sid_value(ALL_PACKAGES)),
    "token access": (CONNECT4, "ALE_USER_ID", '{ sid = "S-1-1-0" }', Value(T.SECURITY_DESCRIPTOR_TYPE, granting([EVERYONE]))),
    "token": ("rpc-um", "REMOTE_USER_TOKEN", '"everyone"', Value(T.SECURITY_DESCRIPTOR_TYPE, granting([EVERYONE]))),
}  # fmt: skip


@pytest.mark.parametrize(("sample", "shape"), list(product(SAMPLES, SHAPES)))
def test_every_shape_on_every_type_is_what_windows_accepts_or_its_error(sample: str, shape: str) -> None:
    layer, field, written, value = SAMPLES[sample]
    match = SHAPES[shape]
    if match is MatchType.RANGE:
        value = Value(T.RANGE_TYPE, Range(value, value))
        written = f"[{written}, {written}]"
    text = f"{{ {field_word(key(field))} = {{ {shape} = {written} }} }}"
    accepted = _accepted(match, value)
    if accepted and (sample != "flags" or match in _FLAG_MATCHES):
        assert only(text, layer) == (Condition(key(field), match, value),)
    elif accepted:  # a list of flags has a meaning for these matches only
        assert "found a list of" in refusal(text, layer)
    else:
        assert refusal(text, layer).endswith(("(FWP_E_MATCH_TYPE_MISMATCH)", "(FWP_E_INVALID_RANGE)", "[low, high]"))


_FLAG_MATCHES = {
    MatchType.EQUAL,
    MatchType.FLAGS_ALL_SET,
    MatchType.FLAGS_ANY_SET,
    MatchType.FLAGS_NONE_SET,
}


def _accepted(match: MatchType, value: Value) -> bool:
    if isinstance(value.data, Range):
        return value.data.low.type in (*UNSIGNED, T.BYTE_ARRAY16_TYPE, T.BYTE_BLOB_TYPE)
    return value.type in MATCHES[match]


@pytest.mark.parametrize("sample", SAMPLES)
def test_a_value_alone_is_equal(sample: str) -> None:
    layer, field, written, value = SAMPLES[sample]
    if sample == "flags":
        written = "5"
    assert only(f"{{ {field_word(key(field))} = {written} }}", layer) == (
        Condition(key(field), MatchType.EQUAL, value),
    )


@pytest.mark.parametrize("sample", SAMPLES)
def test_empty_fits_every_type(sample: str) -> None:
    layer, field, _, _ = SAMPLES[sample]
    found = only(f"{{ {field_word(key(field))} = {{ empty = true }} }}", layer)
    assert found == (Condition(key(field), MatchType.EQUAL, EMPTY),)


def test_every_field_of_every_layer_takes_empty_under_its_friendly_name() -> None:
    for layer in catalog.layers().values():
        for field in layer.fields:
            found = only(f"{{ {field_word(field.key)} = {{ empty = true }} }}", layer.key)
            assert found == (Condition(field.key, MatchType.EQUAL, EMPTY),)


# -- values ------------------------------------------------------------------------------------------------------------

VPN = blob(app_blob("\\device\\harddiskvolume3\\acme\\vpn.exe"))


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        pytest.param('{ protocol = "tcp" }', u8(6), id="a protocol by name"),
        pytest.param('{ protocol = 255 }', u8(255), id="a protocol by number"),
        pytest.param('{ protocol = "icmp" }', u8(1), id="icmp is the ICMP of the layer's family"),
        pytest.param('{ protocol = "icmpv4" }', u8(1), id="icmpv4"),
        pytest.param('{ icmp-type = "echo-request" }', u16(8), id="an ICMP type by name"),
        pytest.param('{ original-icmp-type = "echo-reply" }', u16(0), id="the type that a flow began with"),
        pytest.param('{ remote-port = "0x35" }', u16(53), id="a number as hexadecimal text"),
        pytest.param('{ interface-type = "prop-virtual" }', u32(53), id="an interface type"),
        pytest.param('{ tunnel-type = "teredo" }', u32(14), id="a tunnel type"),
        pytest.param('{ profile = "public" }', u32(1), id="a profile"),
        pytest.param('{ local-address-type = "multicast" }', u8(3), id="an address type"),
        pytest.param('{ remote-address = "10.1.2.3/255.255.0.0" }', mask4("10.1.2.3/16"), id="a mask; host bits stay"),
        pytest.param('{ remote-address = { mask = ["10.0.0.0", "8"] } }', mask4("10.0.0.0/8"), id="address and length"),
        pytest.param('{ remote-address = "0.0.0.0/0" }', mask4("0.0.0.0/0"), id="every address"),
        pytest.param("{ app = 'C:\\Acme\\vpn.exe' }", VPN, id="a DOS path on a known volume"),
        pytest.param("{ app = '\\Device\\HarddiskVolume3\\Acme\\VPN.EXE' }", VPN, id="an NT path, in lower case"),
        pytest.param("{ app = 'system' }", blob("System\0".encode("utf-16-le")), id="the kernel"),
        pytest.param("{ app = 'D:\\x.exe' }", blob(app_blob("\\??\\d:\\x.exe")), id="a volume that nobody told"),
        pytest.param('{ peer-name = "a" }', blob(b"a\0\0\0"), id="text in a blob ends with NUL"),
        pytest.param('{ package = "none" }', sid_value(NULL_SID), id="outside any app container"),
        pytest.param('{ package = { service = "Dnscache" } }', sid_value(service_sid("dnscache")), id="a service's SID"),
        pytest.param(
            '{ user = "administrators" }', Value(T.SECURITY_DESCRIPTOR_TYPE, granting([ADMINISTRATORS])),
            id="a well-known name is a descriptor that grants it",
        ),
        pytest.param(
            '{ user = { sid = ["S-1-1-0", "S-1-5-32-544"] } }',
            Value(T.SECURITY_DESCRIPTOR_TYPE, granting([EVERYONE, ADMINISTRATORS])), id="several SIDs in one descriptor",
        ),
        pytest.param(
            '{ user = { service = "Dnscache" } }',
            Value(T.SECURITY_DESCRIPTOR_TYPE, granting([Sid.parse("S-1-5-80-859482183-879914841-863379149-1145462774-2388618682")])),
            id="a service",
        ),
    ],
)  # fmt: skip
def test_values(written: str, expected: Value) -> None:
    (condition,) = only(written)
    assert (condition.match, condition.value) == (MatchType.EQUAL, expected)


def test_a_security_descriptor_keeps_its_text() -> None:
    (condition,) = only('{ user = { sd = "O:LSD:(A;;CC;;;WD)" } }')
    assert str(condition.value) == "O:LSD:(A;;CC;;;WD)"
    assert condition.value == Value(T.SECURITY_DESCRIPTOR_TYPE, granting([EVERYONE]))


def test_a_user_is_a_sid_where_the_layer_says_so() -> None:
    (condition,) = only('{ user = "everyone" }', "name-resolution-cache-v4")
    assert condition.value == sid_value(EVERYONE)


@pytest.mark.parametrize(
    ("written", "match", "expected"),
    [
        pytest.param("{ app = { suffix = 'VPN.exe' } }", MatchType.PREFIX, blob(app_blob("vpn.exe")),
                     id="the end of an app is in lower case and gets no volume"),
        pytest.param("{ app = { not-suffix = 'a' } }", MatchType.NOT_PREFIX, blob(app_blob("a")), id="not-suffix"),
        pytest.param("{ peer-name = { suffix = 'X' } }", MatchType.PREFIX, blob(b"X\0\0\0"), id="other texts stay as they are"),
        pytest.param("{ app = { not = 'C:\\Acme\\vpn.exe' } }", MatchType.NOT_EQUAL, VPN, id="any app but one"),
        pytest.param('{ flags = { none-set = "is-loopback" } }', MatchType.FLAGS_NONE_SET, u32(1), id="one flag"),
        pytest.param('{ reauthorize-reason = { any-set = ["policy-change", "profile-crossing"] } }', MatchType.FLAGS_ANY_SET,
                     u32(9), id="reasons"),
        pytest.param("{ protocol = { all-set = 6 } }", MatchType.FLAGS_ALL_SET, u8(6), id="flags fit every unsigned integer"),
        pytest.param('{ remote-address = { range = ["10.0.0.1", "10.0.0.9"] } }', MatchType.RANGE,
                     Value(T.RANGE_TYPE, Range(v4("10.0.0.1"), v4("10.0.0.9"))), id="a range of addresses"),
    ],
)  # fmt: skip
def test_shapes(written: str, match: MatchType, expected: Value) -> None:
    (condition,) = only(written)
    assert (condition.match, condition.value) == (match, expected)


def test_a_list_is_or_and_mixes_shapes_in_the_order_of_the_file() -> None:
    found = only('{ remote-port = [53, { range = [80, 90] }, { greater = 1023 }], protocol = "udp" }')
    assert [str(c) for c in found] == [
        "IP_REMOTE_PORT EQUAL 53", "IP_REMOTE_PORT RANGE 80-90", "IP_REMOTE_PORT GREATER 1023", "IP_PROTOCOL EQUAL 17",
    ]  # fmt: skip


# -- families ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "layers"),
    [
        pytest.param('{ remote-address = "10.0.0.0/8" }', {4: 1}, id="an IPv4 address makes no IPv6 filter"),
        pytest.param('{ remote-address = ["10.0.0.0/8", "fe80::/10", "fe80::1"] }', {4: 1, 6: 2}, id="each value goes home"),
        pytest.param('{ remote-address = { range = ["::1", "::2"] } }', {6: 1}, id="a range goes home"),
        pytest.param('{ remote-address = { greater = "10.0.0.1" } }', {4: 1}, id="a comparison goes home"),
        pytest.param('{ protocol = ["tcp", "icmpv6"] }', {4: 1, 6: 2}, id="icmpv6 is a value of IPv6"),
        pytest.param('{ protocol = "icmp" }', {4: 1, 6: 1}, id="icmp is both"),
        pytest.param('{ icmp-type = "neighbor-solicitation" }', {6: 1}, id="an ICMP type that only IPv6 has"),
        pytest.param('{ remote-port = 53 }', {4: 1, 6: 1}, id="a port is both"),
    ],
)  # fmt: skip
def test_a_filter_is_made_for_the_families_of_its_values(written: str, layers: dict[int, int]) -> None:
    found = read(written, "ale-auth-connect")
    assert {int(f.layer[-1]): len(f.conditions) for f in found} == layers


def test_icmp_has_the_number_of_the_layers_family() -> None:
    found = read('{ protocol = "icmp", icmp-type = "echo-request" }', "ale-auth-connect")
    assert [[c.value.data for c in f.conditions] for f in found] == [[1, 8], [58, 128]]


# -- refusals ----------------------------------------------------------------------------------------------------------

AT = "p.toml:7: filter 'f', key 'conditions"

REFUSALS = [
    pytest.param("{ remote-prot = 1 }", f"{AT}.remote-prot': found an unknown field 'remote-prot', wanted a field of the layer, "
                 "such as 'remote-port' or 'ip-remote-port' or 'remote-user' (FWP_E_CONDITION_NOT_FOUND)", id="an unknown field"),
    pytest.param("{ direction = 'in' }", f"{AT}.direction': found FWPM_CONDITION_DIRECTION, wanted a field of "
                 "FWPM_LAYER_ALE_AUTH_CONNECT_V4: ", id="a field of another layer"),
    pytest.param("{ icmp-type = 1, local-port = 2 }", f"{AT}.local-port': found 'local-port' beside 'icmp-type', wanted one list "
                 "under 'icmp-type': both names mean FWPM_CONDITION_IP_LOCAL_PORT (FWP_E_DUPLICATE_CONDITION)",
                 id="one field under two names"),
    pytest.param("{ remote-port = 65536 }", f"{AT}.remote-port': found 65536, wanted a number from 0 to 65535", id="a port too high"),
    pytest.param("{ remote-port = -1 }", f"{AT}.remote-port': found -1, wanted a number from 0 to 65535", id="a port below 0"),
    pytest.param("{ remote-port = true }", f"{AT}.remote-port': found true, wanted a number from 0 to 65535", id="a truth value"),
    pytest.param("{ remote-port = 1.5 }", f"{AT}.remote-port': found 1.5, wanted a number from 0 to 65535", id="a fraction"),
    pytest.param("{ protocol = 'upd' }", f"{AT}.protocol': found 'upd', wanted a number from 0 to 255 or a name, such as 'udp'",
                 id="an unknown protocol"),
    pytest.param("{ remote-address = '10.0.0' }", f"{AT}.remote-address': found '10.0.0', wanted an IPv4 or IPv6 address, alone, "
                 "with /prefix or with /mask", id="no address"),
    pytest.param("{ remote-address = 5 }", f"{AT}.remote-address': found 5, wanted an address as a string, such as '198.51.100.7' "
                 "or 'fe80::/10'", id="an address as a number"),
    pytest.param("{ remote-address = '10.0.0.0/33' }", f"{AT}.remote-address': found '10.0.0.0/33', wanted a prefix length from 0 "
                 "to 32 or a mask (FWP_E_INVALID_NET_MASK)", id="a prefix too long"),
    pytest.param("{ remote-address = '10.0.0.0/255.0.255.0' }", f"{AT}.remote-address': found mask 0xff00ff00, wanted a contiguous "
                 "mask (FWP_E_INVALID_NET_MASK)", id="a mask with a hole"),
    pytest.param("{ remote-address = { not = '10.0.0.0/8' } }", f"{AT}.remote-address': found NOT_EQUAL with V4_ADDR_MASK at "
                 "FWPM_CONDITION_IP_REMOTE_ADDRESS, wanted NOT_EQUAL with ", id="a negated mask"),
    pytest.param("{ remote-address = 'fe80::1' }", f"{AT}.remote-address': found 'fe80::1', which is IPv6, wanted an IPv4 address at "
                 "FWPM_LAYER_ALE_AUTH_CONNECT_V4: the conditions leave no layer", id="an address of the other family"),
    pytest.param("{ remote-address = { not = 'fe80::1' } }", f"{AT}.remote-address.not': found 'fe80::1', which is IPv6, wanted an "
                 "IPv4 address at FWPM_LAYER_ALE_AUTH_CONNECT_V4: name the layer with its family, such as '...-v4'",
                 id="a negated address of the other family"),
    pytest.param("{ protocol = 'icmpv6' }", f"{AT}.protocol': found 'icmpv6', which is IPv6 only, wanted a name for "
                 "FWPM_LAYER_ALE_AUTH_CONNECT_V4: the conditions leave no layer", id="icmpv6 at IPv4"),
    pytest.param("{ remote-address = { range = ['10.0.0.1', '::1'] } }", f"{AT}.remote-address.range': found '::1', which is IPv6, "
                 "wanted two ends of one family (FWP_E_INVALID_RANGE)", id="a range over two families"),
    pytest.param("{ remote-port = { range = [9, 8] } }", f"{AT}.remote-port': found 9 to 8 at FWPM_CONDITION_IP_REMOTE_PORT, wanted "
                 "low <= high (FWP_E_INVALID_RANGE)", id="a range upside down"),
    pytest.param("{ remote-port = { range = [9] } }", f"{AT}.remote-port.range': found a list of 1, wanted the two ends, both inside: "
                 "[low, high]", id="a range with one end"),
    pytest.param("{ remote-port = { range = 9 } }", f"{AT}.remote-port.range': found 9, wanted the two ends, both inside: [low, high]",
                 id="a range that is a number"),
    pytest.param("{ remote-port = [] }", f"{AT}.remote-port': found an empty list, wanted at least one value: a list is OR",
                 id="an empty list"),
    pytest.param("{ remote-port = [[1]] }", f"{AT}.remote-port': found a list in a list, wanted one value", id="a list in a list"),
    pytest.param("{ remote-port = { not = [1, 2] } }", f"{AT}.remote-port.not': found a list of 2, wanted one value: Windows ORs the "
                 "conditions of one field, so two negated ones are always true", id="not with a list"),
    pytest.param("{ remote-port = { less = [1, 2] } }", f"{AT}.remote-port.less': found a list of 2, wanted one value; "
                 "[{...}, {...}] is OR", id="a comparison with a list"),
    pytest.param("{ remote-port = { lesser = 1 } }", f"{AT}.remote-port.lesser': found an unknown key 'lesser', wanted a way to match, "
                 "such as 'less'", id="an unknown shape"),
    pytest.param("{ remote-port = {} }", f"{AT}.remote-port': found an empty table, wanted a table with one key: equal, not, range, "
                 "greater, less, at-least, at-most, all-set, any-set, none-set, suffix, not-suffix, ignore-case, empty, sd, sid, "
                 "service, hex, mask", id="an empty table"),
    pytest.param("{ remote-port = { less = 1, greater = 2 } }", f"{AT}.remote-port': found a table with less, greater, wanted a table "
                 "with one key: ", id="two keys"),
    pytest.param("{ remote-port = { empty = false } }", f"{AT}.remote-port.empty': found false, wanted true: EQUAL with FWP_EMPTY is "
                 "the only match there is", id="not empty"),
    pytest.param("{ flags = 'is-loopback' }", f"{AT}.flags': found 'is-loopback' alone, wanted {{ all-set = [...] }}, any-set, "
                 "none-set, or { equal = ... } for the whole word", id="a flag alone"),
    pytest.param("{ flags = { all-set = ['is-lopback'] } }", f"{AT}.flags.all-set': found 'is-lopback', wanted a number from 0 to "
                 "4294967295 or a name, such as 'is-loopback'", id="an unknown flag"),
    pytest.param("{ app = { all-set = 1 } }", f"{AT}.app.all-set': found FLAGS_ALL_SET at FWPM_CONDITION_ALE_APP_ID, which is "
                 "BYTE_BLOB_TYPE, wanted a field that is UINT16 or UINT32 or UINT64 or UINT8 (FWP_E_MATCH_TYPE_MISMATCH)", id="flags of a blob"),
    pytest.param("{ app = { ignore-case = 'C:\\x' } }", f"{AT}.app.ignore-case': found EQUAL_CASE_INSENSITIVE at "
                 "FWPM_CONDITION_ALE_APP_ID, which is BYTE_BLOB_TYPE, wanted a field that is UNICODE_STRING_TYPE "
                 "(FWP_E_MATCH_TYPE_MISMATCH)",
                 id="ignore-case on a blob"),
    pytest.param("{ app = 'vpn.exe' }", f"{AT}.app': found 'vpn.exe', wanted an absolute path such as C:\\Acme\\vpn.exe or "
                 "\\Device\\HarddiskVolume3\\Acme\\vpn.exe, or System", id="a path that is not absolute"),
    pytest.param("{ app = 5 }", f"{AT}.app': found 5, wanted a string, or {{ hex = \"...\" }}", id="an app that is a number"),
    pytest.param("{ app = { hex = 'xy' } }", f"{AT}.app.hex': found 'xy', wanted bytes as hexadecimal digits, such as '00ff'",
                 id="bytes that are none"),
    pytest.param("{ package = 'x' }", f"{AT}.package': found 'x', wanted a SID of the form S-1-..., or one of none, all-packages, "
                 "everyone, anonymous, authenticated-users, system, local-service, network-service, administrators", id="no SID"),
    pytest.param("{ package = { sid = ['S-1-1-0', 'S-1-0-0'] } }", f"{AT}.package.sid': found a list of 2, wanted one SID at a field that "
                 "is a SID; a list of conditions is OR", id="two SIDs at a SID"),
    pytest.param("{ user = 'bob' }", f"{AT}.user': found 'bob', wanted {{ sd = \"...\" }}, {{ sid = \"S-1-...\" }}, "
                 "{ service = \"...\" } or a well-known name", id="a user's name"),
    pytest.param("{ user = { service = '' } }", f"{AT}.user.service': found '', wanted the name of a service, such as 'Dnscache'",
                 id="a service without a name"),
    pytest.param("{ user = { sid = [] } }", f"{AT}.user.sid': found an empty list, wanted at least one", id="no SIDs at all"),
    pytest.param("{ user = { sd = 5 } }", f"{AT}.user.sd': found 5, wanted a security descriptor in SDDL", id="a descriptor that is none"),
    pytest.param("{ user = { not = 'everyone' } }", f"{AT}.user': found NOT_EQUAL with SECURITY_DESCRIPTOR_TYPE at "
                 "FWPM_CONDITION_ALE_USER_ID, wanted NOT_EQUAL with ", id="a negated user"),
    pytest.param("{ interface-type = { mask = ['10.0.0.0', '8'] } }", f"{AT}.interface-type': found V4_ADDR_MASK at "
                 "FWPM_CONDITION_INTERFACE_TYPE, wanted UINT32 (RAW_DATA) (FWP_E_TYPE_MISMATCH)", id="a mask elsewhere"),
    pytest.param("5", f"{AT}': found 5, wanted a table of fields, such as {{ protocol = 'udp', remote-port = 53 }}", id="no table"),
]  # fmt: skip


@pytest.mark.parametrize(("written", "message"), REFUSALS)
def test_refusals(written: str, message: str) -> None:
    found = refusal(written.replace("\\", "\\\\").replace("'", '"'))
    assert found.startswith(message)
    assert message.endswith((": ", "with ", "found ")) or found == message


def test_a_descriptor_that_windows_would_not_read_is_refused_with_its_code() -> None:
    found = refusal('{ user = { sd = "D:(A;;CC;;;" } }')
    assert found.startswith("p.toml:7: filter 'f', the security descriptor: found ")
    assert found.endswith("(ERROR_INVALID_SECURITY_DESCR)")


def test_an_item_of_a_list_is_refused_in_its_own_line() -> None:
    assert refusal("{ remote-port = [\n53,\n'x',\n] }").startswith("p.toml:9: filter 'f', key 'conditions.remote-port'")


def test_a_negated_value_of_one_family_at_both_is_refused_lest_it_opens_the_other() -> None:
    found = refusal('{ remote-address = { not = "10.0.0.1" } }', "ale-auth-connect")
    assert "wanted an IPv6 address at FWPM_LAYER_ALE_AUTH_CONNECT_V6: name the layer with its family" in found


@given(st.ip_addresses(v=4), st.integers(0, 32))
def test_ipv4_prefixes_read_back(base: ipaddress.IPv4Address, length: int) -> None:
    (condition,) = only(f'{{ remote-address = "{base}/{length}" }}')
    assert str(condition.value) == f"{base}/{length}"


@given(st.ip_addresses(v=6), st.integers(0, 128))
def test_ipv6_prefixes_read_back(base: ipaddress.IPv6Address, length: int) -> None:
    (condition,) = only(f'{{ remote-address = "{base}/{length}" }}', CONNECT6)
    assert condition.value == mask6(f"{base}/{length}")
