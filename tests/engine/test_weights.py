"""Automatic weights: every one of four real policies, the layouts and the worked examples of auto-weights.md."""

from __future__ import annotations

from collections import defaultdict
from functools import cache
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tamiz.engine.weights import NO_FIELDS, effective_weight, layout, low60, measure
from tamiz.formats.netsh import read_netsh
from tamiz.model import catalog
from tamiz.model._tables import LAYER, DataType, MatchType
from tamiz.model.catalog import FieldList
from tamiz.model.conditions import Condition
from tamiz.model.errors import PolicyError
from tamiz.model.keys import FieldKey, FilterKey, LayerKey, SublayerKey
from tamiz.model.layers import Layer
from tamiz.model.objects import ActionType, Filter
from tamiz.model.policy import Policy
from tamiz.model.values import EMPTY, Range, V4Mask, V6Mask, Value, blob, u8, u16, u32, u64
from tests.shared import shared

# dump, its field lists, filters with an automatic weight
DUMPS: list[tuple[str, FieldList, int]] = [
    ("workstation-a.filters.xml", "newest", 882),
    ("workstation-a.wfpstate.xml", "newest", 912),
    ("workstation-b.wfpstate.xml", "older", 1139),
    ("workstation-c.filters.xml", "newest", 1135),
]


@cache
def _policy(dump: str) -> Policy:
    path = shared(f"data/dumps/{dump}")
    return read_netsh(path.read_bytes(), dump)


def _layer(name: str, fields: FieldList = "newest") -> Layer:
    return catalog.layers(fields)[LayerKey(f"FWPM_LAYER_{name}")]


def _condition(field: str, value: Value, match: MatchType = MatchType.EQUAL) -> Condition:
    return Condition(FieldKey(f"FWPM_CONDITION_{field}"), match, value)


def _range(field: str, low: Value, high: Value) -> Condition:
    return _condition(field, Value(DataType.RANGE_TYPE, Range(low, high)), MatchType.RANGE)


def _filter(weight: Value, conditions: tuple[Condition, ...] = ()) -> Filter:
    return Filter(
        FilterKey("{00000000-0000-4000-8000-000000000001}"), "f", LAYER.ALE_AUTH_LISTEN_V4,
        SublayerKey("FWPM_SUBLAYER_UNIVERSAL"), ActionType.PERMIT, conditions, weight=weight,
    )  # fmt: skip


# -- real policies -----------------------------------------------------------------------------------------------------


@pytest.mark.shared
@pytest.mark.parametrize(("dump", "fields", "automatic"), DUMPS)
def test_every_automatic_weight_of_a_real_policy_is_exact(dump: str, fields: FieldList, automatic: int) -> None:
    layers = catalog.layers(fields)
    filters = [f for f in _policy(dump).filters if f.weight.type is not DataType.UINT64]
    wrong = [str(f) for f in filters if effective_weight(f, layers[f.layer]) != f.effective_weight]
    assert (len(filters), wrong) == (automatic, [])


@pytest.mark.shared
@pytest.mark.parametrize("dump", ["workstation-a.wfpstate.xml", "workstation-b.wfpstate.xml"])
def test_the_field_lists_that_a_state_dump_brings_give_the_same(dump: str) -> None:
    policy = _policy(dump)
    assert policy.layers is not None
    for f in policy.filters:
        layer = policy.layer(f.layer)
        assert layer is not None
        assert effective_weight(f, layer) == f.effective_weight


@pytest.mark.shared
@pytest.mark.parametrize(("dump", "fields", "automatic"), DUMPS)
def test_every_pair_of_a_layer_and_sublayer_is_in_order(dump: str, fields: FieldList, automatic: int) -> None:
    layers = catalog.layers(fields)
    groups = defaultdict(list)
    for f in _policy(dump).filters:
        groups[f.layer, f.sublayer].append((effective_weight(f, layers[f.layer]), f.effective_weight or 0))
    pairs = 0
    for group in groups.values():
        for (ours_a, theirs_a), (ours_b, theirs_b) in combinations(group, 2):
            pairs += 1
            assert (ours_a > ours_b) == (theirs_a > theirs_b)
            assert (ours_a == ours_b) == (theirs_a == theirs_b)
    assert pairs > 40_000


# -- layouts (auto-weights.md 4) ---------------------------------------------------------------------------------------

# layer, field list, one-bit slots, units of the graded ones, some slots with their highest and lowest bit
LAYOUTS: list[tuple[str, FieldList, int, int, str]] = [
    (
        "ALE_AUTH_CONNECT_V4",
        "newest",
        16,
        60,
        "ADDR 58-52, IF 51-51, PROTO 49-47, LPORT 46-42, APP 38-38, FLAGS 36-36",
    ),
    (
        "ALE_AUTH_CONNECT_V4",
        "newest",
        16,
        60,
        "TUNTYPE 31-31, ORIGINAL_PROFILE_ID 10-8, CURRENT_PROFILE_ID 7-4",
    ),
    ("ALE_AUTH_CONNECT_V4", "older", 15, 60, "ADDR 58-52, PROTO 49-47, LPORT 46-41, RPORT 40-38, USER 36-36"),
    ("ALE_AUTH_CONNECT_V6", "newest", 16, 64, "ADDR 58-49, PROTO 46-45, LPORT 44-40, RPORT 39-37, APP 36-36"),
    ("ALE_AUTH_CONNECT_V6", "older", 15, 64, "ADDR 58-49, LPORT 44-39, RPORT 38-37, CURRENT_PROFILE_ID 6-3"),
    ("ALE_AUTH_RECV_ACCEPT_V4", "newest", 14, 65, "ADDR 59-53, LPORT 48-43, RPORT 42-40, IFTYPE 30-30"),
    (
        "ALE_AUTH_RECV_ACCEPT_V4",
        "older",
        13,
        65,
        "ADDR 59-53, ALE_NAP_CONTEXT 33-30, IFTYPE 29-29, TUNTYPE 28-28",
    ),
    ("ALE_AUTH_RECV_ACCEPT_V6", "newest", 14, 69, "ADDR 59-51, PROTO 48-47, LPORT 46-41, FLAGS 34-34"),
    ("ALE_AUTH_RECV_ACCEPT_V6", "older", 13, 69, "ADDR 59-50, LPORT 45-41, ORIGINAL_PROFILE_ID 9-6"),
    (
        "ALE_AUTH_LISTEN_V4",
        "newest",
        10,
        9,
        "ADDR 59-32, IF 31-31, ADDRTYPE 30-30, LPORT 29-8, APP 7-7, USER 6-6",
    ),
    (
        "ALE_AUTH_LISTEN_V6",
        "older",
        10,
        11,
        "ADDR 59-28, IF 27-27, LPORT 25-8, ALE_SIO_FIREWALL_SYSTEM_PORT 1-1",
    ),
    (
        "ALE_RESOURCE_ASSIGNMENT_V4",
        "newest",
        11,
        17,
        "LPORT 59-48, IF 47-47, PROTO 45-38, FLAGS 20-20, ADDR 19-6",
    ),
    ("ALE_RESOURCE_ASSIGNMENT_V4", "older", 10, 17, "LPORT 59-48, PROTO 45-37, ALE_PROMISCUOUS_MODE 34-21"),
    ("ALE_RESOURCE_ASSIGNMENT_V6", "newest", 11, 19, "LPORT 59-50, PROTO 47-40, ALE_PROMISCUOUS_MODE 37-25"),
    ("ALE_RESOURCE_ASSIGNMENT_V6", "older", 10, 19, "LPORT 59-49, FLAGS 23-23, ADDR 22-5"),
    ("ALE_FLOW_ESTABLISHED_V4", "newest", 12, 26, "PROTO 39-34, DIRECTION 14-6, FLAGS 2-2, RESERVED 0-0"),
    (
        "ALE_FLOW_ESTABLISHED_V4",
        "older",
        11,
        26,
        "PROTO 38-34, DIRECTION 13-5, FLAGS 1-1, COMPARTMENT_ID 0-0",
    ),
    ("ALE_FLOW_ESTABLISHED_V6", "newest", 12, 30, "PROTO 35-31, DIRECTION 13-6"),
    ("ALE_FLOW_ESTABLISHED_V6", "older", 11, 30, "PROTO 34-30, DIRECTION 12-5"),
    (
        "ALE_ENDPOINT_CLOSURE_V4",
        "newest",
        6,
        21,
        "LPORT 59-50, RPORT 49-39, PROTO 36-30, APP 29-29, ADDR 26-1",
    ),
    ("ALE_ENDPOINT_CLOSURE_V6", "older", 6, 25, "LPORT 59-51, RPORT 50-43, ADDR 30-1"),
    ("ALE_CONNECT_REDIRECT_V4", "newest", 6, 21, "ADDR 59-34, PROTO 32-26, LPORT 25-15, FLAGS 1-1"),
    ("ALE_CONNECT_REDIRECT_V6", "newest", 6, 25, "ADDR 59-30, PROTO 28-22, RPORT 13-5"),
    ("INBOUND_TRANSPORT_V4", "newest", 7, 36, "ADDR 59-45, PROTO 42-39, FLAGS 26-26, CURRENT_PROFILE_ID 8-2"),
    ("INBOUND_TRANSPORT_V4_DISCARD", "newest", 7, 36, "ADDR 59-45, PROTO 42-39, FLAGS 26-26"),
    ("INBOUND_TRANSPORT_V6", "newest", 7, 40, "ADDR 59-41, PROTO 38-35, LPORT 34-30, FLAGS 24-24"),
    (
        "OUTBOUND_TRANSPORT_V4",
        "newest",
        8,
        36,
        "ADDR 59-46, PROTO 43-39, IP_DESTINATION_ADDRESS_TYPE 12-12, FLAGS 11-11",
    ),
    ("OUTBOUND_TRANSPORT_V6", "newest", 8, 40, "ADDR 59-42, LPORT 35-31, FLAGS 11-11"),
    (
        "INBOUND_ICMP_ERROR_V4",
        "newest",
        8,
        49,
        "ADDR 59-49, EMBEDDED_PROTOCOL 46-44, LPORT 35-31, IFPROFILE 2-2",
    ),
    (
        "INBOUND_ICMP_ERROR_V6",
        "newest",
        8,
        55,
        "ADDR 59-47, IF 46-46, LPORT 33-31, EMBEDDED_REMOTE_ADDRESS 26-20",
    ),
    ("OUTBOUND_ICMP_ERROR_V4", "newest", 8, 28, "LPORT 38-32, RPORT 31-25, FLAGS 3-3, IFPROFILE 2-2"),
    ("OUTBOUND_ICMP_ERROR_V6", "newest", 8, 32, "LPORT 34-29, RPORT 28-22, IFPROFILE 2-2"),
    ("IPFORWARD_V4", "newest", 5, 30, "ADDR 59-42, IF 41-41, SOURCE_INTERFACE_INDEX 39-31, FLAGS 2-2"),
    ("IPFORWARD_V6", "newest", 5, 34, "ADDR 59-37, DESTINATION_SUB_INTERFACE_INDEX 10-3, IFPROFILE 1-1"),
]


@pytest.mark.parametrize(("name", "fields", "one_bit", "units", "slots"), LAYOUTS)
def test_layouts(name: str, fields: FieldList, one_bit: int, units: int, slots: str) -> None:
    found = layout(_layer(name, fields))
    assert (sum(1 for s in found if not s.units), sum(s.units for s in found)) == (one_bit, units)
    edges = {s.name: f"{s.name} {s.shift + s.width - 1}-{s.shift}" for s in found}
    assert ", ".join(edges[slot.split()[0]] for slot in slots.split(", ")) == slots


@pytest.mark.parametrize("fields", ["newest", "older"])
def test_slots_follow_each_other_and_fill_the_60_bits_wherever_one_of_them_can_grow(
    fields: FieldList,
) -> None:
    for layer in catalog.layers(fields).values():
        slots = layout(layer)
        edge = 0
        for slot in reversed(slots):
            assert (slot.shift, slot.width >= 1) == (edge, True), (layer.key, slot.name)
            assert slot.units or slot.width == 1
            edge += slot.width
        assert edge == (60 if any(s.units for s in slots) else len(slots))


# -- worked examples (auto-weights.md 5) -------------------------------------------------------------------------------

APP, USER = _condition("ALE_APP_ID", blob(b"a\0\0\0")), _condition("ALE_USER_ID", EMPTY)
PORT = _condition("IP_LOCAL_PORT", u16(7))
UDP = _condition("IP_PROTOCOL", u8(17))
FLAGS = _condition("FLAGS", u32(1), MatchType.FLAGS_NONE_SET)
PROFILES = (_condition("ORIGINAL_PROFILE_ID", u32(1)), _condition("CURRENT_PROFILE_ID", u32(1)))
LL10 = Value(DataType.V6_ADDR_MASK, V6Mask(bytes.fromhex("fe80") + bytes(14), 10))


def _v4(text: int, bits: int) -> Condition:
    return _condition(
        "IP_REMOTE_ADDRESS",
        Value(DataType.V4_ADDR_MASK, V4Mask(text, (0xFFFFFFFF << 32 - bits) & 0xFFFFFFFF)),
    )


EXAMPLES = [
    pytest.param("ALE_AUTH_LISTEN_V4", "newest", (), 0x0, id="no condition weighs nothing"),
    pytest.param("ALE_AUTH_LISTEN_V4", "older", (APP,), 0x80, id="an app is one bit"),
    pytest.param("ALE_AUTH_LISTEN_V4", "newest", (PORT,), 0x3FFFFF00, id="an exact port fills its slot"),
    pytest.param(
        "ALE_AUTH_LISTEN_V4", "newest", (APP, USER, _range("IP_LOCAL_PORT", u16(8554), u16(8558))),
        0x36B658C0, id="a range of five ports a little less",
    ),
    pytest.param(
        "ALE_AUTH_LISTEN_V6", "newest", (APP, PORT, _condition("IP_LOCAL_INTERFACE", u64(1))),
        0xBFFFF80, id="app, port and interface",
    ),
    pytest.param(
        "ALE_RESOURCE_ASSIGNMENT_V4", "newest", (APP, USER, _range("IP_LOCAL_PORT", u16(5000), u16(5020)), UDP),
        0xB9B3FF000000000, id="ports stand on top at bind",
    ),
    pytest.param("ALE_RESOURCE_ASSIGNMENT_V4", "older", (UDP, FLAGS), 0x3FE000100000, id="protocol and flags at bind"),
    pytest.param(
        "ALE_AUTH_CONNECT_V4", "newest", (_condition("IP_LOCAL_INTERFACE", u64(1)),),
        0x8000000000000, id="an interface is one bit",
    ),
    pytest.param(
        "ALE_AUTH_CONNECT_V4", "newest", (_condition("IP_REMOTE_ADDRESS", u32(1)),),
        0x400000000000000, id="one of two addresses reaches half the slot",
    ),
    pytest.param(
        "ALE_AUTH_CONNECT_V4", "newest", (APP, USER, UDP, _range("IP_REMOTE_PORT", u16(1), u16(65535))),
        0x380E000000000, id="nearly any port still counts one",
    ),
    pytest.param(
        "ALE_AUTH_CONNECT_V4", "older",
        (_condition("ALE_PACKAGE_ID", EMPTY), _range("IP_REMOTE_ADDRESS", u32(0), u32(0xFFFFFFFF)), *PROFILES, USER),
        0x30000007F8, id="the full range counts nothing",
    ),
    pytest.param(
        "ALE_AUTH_CONNECT_V4", "newest",
        (APP, USER, FLAGS, _condition("ARRIVAL_TUNNEL_TYPE", u32(1)), PORT, UDP, _v4(0x0A000000, 24), _v4(0xE0000000, 4)),
        0x383C07080000000, id="two prefixes add up",
    ),
    pytest.param(
        "ALE_AUTH_RECV_ACCEPT_V6", "newest",
        (UDP, _condition("IP_REMOTE_ADDRESS", LL10), _condition("IP_LOCAL_ADDRESS", LL10), PORT,
         _condition("IP_REMOTE_PORT", u16(9))),
        0x141C18000000000, id="both addresses add up",
    ),
    pytest.param(
        "ALE_AUTH_RECV_ACCEPT_V4", "newest", (_range("IP_LOCAL_PORT", u16(67), u16(68)), *PROFILES, UDP),
        0x6F000000007F0, id="the port shares its slot with the ICMP type",
    ),
    pytest.param(
        "ALE_AUTH_RECV_ACCEPT_V4", "older", (_condition("NEXTHOP_INTERFACE_TYPE", u32(1)), FLAGS),
        0x820000000, id="interface types share one bit",
    ),
    pytest.param(
        "ALE_AUTH_RECV_ACCEPT_V6", "newest", (APP, _condition("ICMP_TYPE", u16(1)), UDP),
        0x1C04000000000, id="an ICMP type is the local port",
    ),
    pytest.param(
        "ALE_FLOW_ESTABLISHED_V4", "newest",
        (UDP, _condition("IP_PROTOCOL", u8(6)), _condition("DIRECTION", u32(0)), _condition("DIRECTION", u32(1))),
        0xFC00007FC0, id="two exact values are capped at all ones",
    ),
    pytest.param(
        "OUTBOUND_ICMP_ERROR_V4", "newest",
        (FLAGS, _condition("NEXTHOP_INTERFACE_PROFILE_ID", u32(1)), _condition("ICMP_TYPE", u16(3)),
         _range("ICMP_CODE", u16(0), u16(3))),
        0x7FDE00000C, id="ICMP type and code where they are ports",
    ),
    pytest.param(
        "ALE_AUTH_CONNECT_V4", "newest",
        tuple(_range("IP_REMOTE_ADDRESS", u32(n << 28), u32((n << 28) + 0xFFFFFFF)) for n in range(3)),
        0x400000000000000, id="three wide ranges count as one exact address",
    ),
    pytest.param(
        "ALE_AUTH_CONNECT_V4", "newest", (_condition("EMBEDDED_PROTOCOL", u8(1)),), 0x0, id="a field the layer lacks counts nothing"
    ),
    pytest.param("INBOUND_MAC_FRAME_NATIVE_FAST", "newest", (), NO_FIELDS, id="a layer without fields has a weight of its own"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "fields", "conditions", "expected"), EXAMPLES)
def test_worked_examples(name: str, fields: FieldList, conditions: tuple[Condition, ...], expected: int) -> None:
    assert hex(low60(_layer(name, fields), conditions)) == hex(expected)


@pytest.mark.parametrize(
    ("weight", "expected"),
    [
        pytest.param(EMPTY, 0x80, id="no weight is automatic"),
        pytest.param(u8(0), 0x80, id="range 0 is the same"),
        pytest.param(u8(10), 0xA000000000000080, id="a range gives the top four bits"),
        pytest.param(u8(15), 0xF000000000000080, id="15 is the highest range"),
        pytest.param(u64(5), 5, id="64 bits stand as they are"),
        pytest.param(u64((1 << 64) - 1), (1 << 64) - 1, id="all 64 of them"),
    ],
)
def test_the_weight_asked_for_and_what_comes_of_it(weight: Value, expected: int) -> None:
    assert effective_weight(_filter(weight, (APP,)), _layer("ALE_AUTH_LISTEN_V4")) == expected


@pytest.mark.parametrize(
    ("weight", "found"),
    [
        pytest.param(u8(16), "weight 16 of type UINT8", id="16 is no range"),
        pytest.param(u32(1), "weight 1 of type UINT32", id="32 bits are no weight"),
    ],
)
def test_weights_that_windows_refuses(weight: Value, found: str) -> None:
    with pytest.raises(PolicyError) as caught:
        effective_weight(_filter(weight), _layer("ALE_AUTH_LISTEN_V4"))
    assert str(caught.value) == (
        f"filter 0 'f': found {found}, wanted EMPTY, UINT8 from 0 to 15, or UINT64 (FWP_E_INVALID_WEIGHT)"
    )


# -- measures ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("match", "operand", "expected"),
    [
        pytest.param(MatchType.EQUAL, 7, 1.0, id="one value"),
        pytest.param(MatchType.GREATER, 0x7FFF, 1 / 16, id="greater lets half pass"),
        pytest.param(MatchType.GREATER_OR_EQUAL, 0x8000, 1 / 16, id="at least lets half pass"),
        pytest.param(MatchType.LESS, 0x8000, 1 / 16, id="less lets half pass"),
        pytest.param(MatchType.LESS_OR_EQUAL, 0x7FFF, 1 / 16, id="at most lets half pass"),
        pytest.param(MatchType.GREATER, 0xFFFF, 1.0, id="greater than all lets none pass"),
        pytest.param(MatchType.LESS, 0, 1.0, id="less than none lets none pass"),
        pytest.param(MatchType.FLAGS_ALL_SET, 0x3, 2 / 16, id="two bits set"),
        pytest.param(MatchType.FLAGS_NONE_SET, 0x7, 3 / 16, id="three bits clear"),
        pytest.param(MatchType.FLAGS_ANY_SET, 0x1, 1 / 16, id="one bit of one"),
        pytest.param(MatchType.FLAGS_ALL_SET, 0x0, 0.0, id="no bit is no condition"),
    ],
)
def test_a_match_weighs_as_the_set_that_it_denotes(match: MatchType, operand: int, expected: float) -> None:
    assert measure(_condition("IP_LOCAL_PORT", u16(operand), match), 16) == pytest.approx(expected)


def test_not_equal_weighs_next_to_nothing_but_not_nothing() -> None:
    assert 0 < measure(_condition("IP_LOCAL_PORT", u16(7), MatchType.NOT_EQUAL), 16) < 0.001


def test_a_slot_wider_than_a_float_stays_in_its_bits() -> None:
    conditions = [_condition("IP_REMOTE_ADDRESS", u32(0x0A000001))]
    assert low60(_layer("NAME_RESOLUTION_CACHE_V4"), conditions) == (1 << 60) - 16  # 56 ones above four yes/no slots


# -- laws --------------------------------------------------------------------------------------------------------------

_LAYERS = st.sampled_from([x for x in catalog.layers().values() if x.fields])


@given(_LAYERS, st.data())
def test_a_weight_has_60_bits_and_does_not_hang_on_the_order_of_conditions(layer: Layer, data: st.DataObject) -> None:
    fields = data.draw(st.lists(st.sampled_from(layer.fields), max_size=6))
    conditions = [Condition(f.key, MatchType.EQUAL, EMPTY) for f in fields]
    weight = low60(layer, conditions)
    assert 0 <= weight < 1 << 60
    assert weight == low60(layer, list(reversed(conditions)))
    assert bool(weight) == bool(conditions)


@given(st.integers(0, 0xFFFF), st.integers(0, 0xFFFF), st.integers(0, 0xFFFF))
def test_a_narrower_range_never_weighs_less(a: int, b: int, c: int) -> None:
    low, middle, high = sorted((a, b, c))
    layer = _layer("ALE_AUTH_RECV_ACCEPT_V4")
    narrow = low60(layer, [_range("IP_LOCAL_PORT", u16(low), u16(middle))])
    assert narrow >= low60(layer, [_range("IP_LOCAL_PORT", u16(low), u16(high))])
