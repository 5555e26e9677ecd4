"""Classes of values: within one class every condition of the layer gives the same answer."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tamiz.engine.classes import Classes
from tamiz.engine.match import meets
from tamiz.model._tables import FIELD, DataType, MatchType
from tamiz.model.conditions import Condition
from tamiz.model.values import Range, V4Mask, V6Mask, Value, u16, u32

M = MatchType
ORDER = (M.EQUAL, M.NOT_EQUAL, M.LESS, M.LESS_OR_EQUAL, M.GREATER, M.GREATER_OR_EQUAL)
PORT = st.integers(0, 65_535)


def port(match: MatchType, value: Value) -> Condition:
    return Condition(FIELD.IP_REMOTE_PORT, match, value)


def between(a: int, b: int) -> Condition:
    return port(M.RANGE, Value(DataType.RANGE_TYPE, Range(u16(min(a, b)), u16(max(a, b)))))


PORTS = st.one_of(st.builds(port, st.sampled_from(ORDER), PORT.map(u16)), st.builds(between, PORT, PORT))


@given(st.lists(PORTS, max_size=6), PORT, PORT)
def test_ports_of_one_class_meet_the_same_conditions(conditions: list[Condition], a: int, b: int) -> None:
    classes = Classes(conditions)
    if classes.of(a) == classes.of(b):
        assert [meets(c, u16(a)) for c in conditions] == [meets(c, u16(b)) for c in conditions]


def network(address: int, prefix: int) -> Condition:
    mask = (0xFFFFFFFF << (32 - prefix)) & 0xFFFFFFFF
    return Condition(FIELD.IP_REMOTE_ADDRESS, M.EQUAL, Value(DataType.V4_ADDR_MASK, V4Mask(address, mask)))


ADDRESS = st.integers(0, 0xFFFFFFFF)


@given(st.lists(st.builds(network, ADDRESS, st.integers(0, 32)), max_size=5), ADDRESS, st.integers(0, 40))
def test_addresses_of_one_class_are_in_the_same_networks(conditions: list[Condition], a: int, step: int) -> None:
    b = min(a + step, 0xFFFFFFFF)
    classes = Classes(conditions)
    if classes.of(a) == classes.of(b):
        assert [meets(c, u32(a)) for c in conditions] == [meets(c, u32(b)) for c in conditions]


@pytest.mark.parametrize(
    ("inside", "outside"), [("2001:db8::1", "2001:db7:ffff::1"), ("2001:db8:ffff::", "2001:db9::")]
)
def test_an_ipv6_network_has_two_ends(inside: str, outside: str) -> None:
    prefix = V6Mask(ipaddress.IPv6Address("2001:db8::").packed, 32)
    classes = Classes([Condition(FIELD.IP_REMOTE_ADDRESS, M.EQUAL, Value(DataType.V6_ADDR_MASK, prefix))])
    of = {text: classes.of(int(ipaddress.IPv6Address(text))) for text in (inside, outside, "2001:db8::2")}
    assert of[inside] == of["2001:db8::2"] != of[outside]


def test_a_field_without_conditions_is_one_class() -> None:
    assert Classes([]).of(1) == Classes([]).of(65_535)


def test_flags_are_not_cut_into_intervals() -> None:
    classes = Classes([port(M.FLAGS_ALL_SET, u16(1))])
    assert [classes.of(n) for n in (1, 2, 3)] == [1, 2, 3]


def test_a_mask_with_gaps_is_not_an_interval() -> None:
    gaps = Condition(FIELD.IP_REMOTE_ADDRESS, M.EQUAL, Value(DataType.V4_ADDR_MASK, V4Mask(0x0A000500, 0xFF00FF00)))
    classes = Classes([gaps])
    assert len({classes.of(n) for n in (0x0A000501, 0x0A010501, 0x0A000601)}) == 3
