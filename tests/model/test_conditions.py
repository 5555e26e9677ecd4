"""Which match type fits which data type, and the error for what does not fit (spec conditions.md 2, 2.1, 3 and 8)."""

from __future__ import annotations

from typing import Any

import pytest

from tamiz.model import catalog
from tamiz.model._tables import FIELD, LAYER
from tamiz.model._tables import DataType as T
from tamiz.model._tables import MatchType as M
from tamiz.model.conditions import MATCHES, Condition, check
from tamiz.model.errors import PolicyError
from tamiz.model.keys import FieldKey, LayerKey
from tamiz.model.security import SecurityDescriptor
from tamiz.model.sids import NULL_SID
from tamiz.model.values import EMPTY, Range, V4Mask, V6Mask, Value, blob, sid_value, u8, u16, u32, u64

# The table of the page, written out: rows match types, columns data types in the order of FWP_DATA_TYPE; x: fits
CELLS = """
                        EMPTY U8 U16 U32 U64 I8 I16 I32 I64 FLT DBL A16 BLOB SID SD TI TAI STR MAC V4M V6M RNG
EQUAL                     x   x  x   x   x   x  x   x   x   x   x   x   x    x   x  x  x   x   x   x   x   .
GREATER                   .   x  x   x   x   x  x   x   x   .   .   x   x    .   .  .  .   x   .   .   .   .
LESS                      .   x  x   x   x   x  x   x   x   .   .   x   x    .   .  .  .   x   .   .   .   .
GREATER_OR_EQUAL          .   x  x   x   x   x  x   x   x   .   .   x   x    .   .  .  .   x   .   .   .   .
LESS_OR_EQUAL             .   x  x   x   x   x  x   x   x   .   .   x   x    .   .  .  .   x   .   .   .   .
RANGE                     .   .  .   .   .   .  .   .   .   .   .   .   .    .   .  .  .   .   .   .   .   x
FLAGS_ALL_SET             .   x  x   x   x   .  .   .   .   .   .   .   .    .   .  .  .   .   .   .   .   .
FLAGS_ANY_SET             .   x  x   x   x   .  .   .   .   .   .   .   .    .   .  .  .   .   .   .   .   .
FLAGS_NONE_SET            .   x  x   x   x   .  .   .   .   .   .   .   .    .   .  .  .   .   .   .   .   .
EQUAL_CASE_INSENSITIVE    .   .  .   .   .   .  .   .   .   .   .   .   .    .   .  .  .   x   .   .   .   .
NOT_EQUAL                 .   x  x   x   x   x  x   x   x   .   .   x   x    x   .  .  .   x   .   .   .   .
PREFIX                    .   .  .   .   .   .  .   .   .   .   .   .   x    .   .  .  .   x   .   .   .   .
NOT_PREFIX                .   .  .   .   .   .  .   .   .   .   .   .   x    .   .  .  .   x   .   .   .   .
"""


def cells() -> list[Any]:
    rows = [line.split() for line in CELLS.strip().splitlines()[1:]]
    assert [row[0] for row in rows] == [m.name for m in M]
    return [
        pytest.param(M[row[0]], data_type, cell == "x", id=f"{row[0]} with {data_type.name}")
        for row in rows
        for data_type, cell in zip(sorted(T), row[1:], strict=True)
    ]


@pytest.mark.parametrize(("match", "data_type", "fits"), cells())
def test_each_match_type_fits_the_data_types_of_the_table(match: M, data_type: T, fits: bool) -> None:
    assert (data_type in MATCHES[match]) is fits


@pytest.mark.parametrize(("match", "data_type", "fits"), cells())
def test_a_match_type_that_does_not_fit_is_refused(match: M, data_type: T, fits: bool) -> None:
    """Whatever else is wrong, the error is about the match type exactly where the table says that it does not fit."""
    from tests.model.test_values import SAMPLES

    value = Value(data_type, SAMPLES[data_type][0])
    assert (error(FIELD.IP_PROTOCOL, match, value) == "FWP_E_MATCH_TYPE_MISMATCH") is not fits


def error(field: FieldKey, match: M, value: Value, layer: LayerKey = LAYER.ALE_AUTH_CONNECT_V4) -> str | None:
    """The FWP_E_* code that adding the condition at `layer` gives, None where it is accepted."""
    try:
        check(Condition(field, match, value), catalog.layers()[layer], "filter 'x'")
    except PolicyError as problem:
        assert catalog.error_code(problem.code) is not None
        return problem.code
    return None


V6 = bytes(15) + b"\x01"
PORT, PROTOCOL, ADDRESS = FIELD.IP_REMOTE_PORT, FIELD.IP_PROTOCOL, FIELD.IP_REMOTE_ADDRESS
CONNECT_V6, PACKET_V4 = LAYER.ALE_AUTH_CONNECT_V6, LAYER.INBOUND_IPPACKET_V4


def ranged(low: Value, high: Value) -> Value:
    return Value(T.RANGE_TYPE, Range(low, high))


def network(address: int, mask: int) -> Value:
    return Value(T.V4_ADDR_MASK, V4Mask(address, mask))


@pytest.mark.parametrize(
    ("field", "match", "value", "code"),
    [
        pytest.param(PORT, M.RANGE, ranged(u16(80), u16(80)), None, id="1: a range of one is accepted"),
        pytest.param(PORT, M.RANGE, ranged(u16(90), u16(80)), "FWP_E_INVALID_RANGE", id="3: 90-80 is no range"),
        pytest.param(PORT, M.RANGE, ranged(u16(80), u32(90)), "FWP_E_INVALID_RANGE", id="4: ends of two types"),
        pytest.param(FIELD.INTERFACE_TYPE, M.EQUAL, u16(6), "FWP_E_TYPE_MISMATCH", id="10: UINT16 at a UINT32"),
        pytest.param(ADDRESS, M.EQUAL, network(0xC0A80100, 0xFFFFFF00), None, id="11: a network is accepted"),
        pytest.param(ADDRESS, M.EQUAL, network(0, 0), None, id="13: the network of all is accepted"),
        pytest.param(
            ADDRESS, M.EQUAL, network(0, 0xFF00FF00), "FWP_E_INVALID_NET_MASK", id="14: 255.0.255.0 is no mask"
        ),
        pytest.param(
            FIELD.INTERFACE_TYPE, M.EQUAL, network(0, 0), "FWP_E_TYPE_MISMATCH", id="16: a mask wants an address"
        ),
        pytest.param(PROTOCOL, M.FLAGS_ALL_SET, u8(6), None, id="31: flags on any unsigned integer"),
        pytest.param(
            FIELD.ALE_APP_ID, M.FLAGS_ANY_SET, blob(b"x"), "FWP_E_MATCH_TYPE_MISMATCH", id="32: flags on a blob"
        ),
        pytest.param(
            FIELD.ALE_APP_ID, M.EQUAL_CASE_INSENSITIVE, blob(b"x"), "FWP_E_MATCH_TYPE_MISMATCH",
            id="33: ignoring case on a blob",
        ),
        pytest.param(
            ADDRESS, M.NOT_EQUAL, network(0, 0), "FWP_E_MATCH_TYPE_MISMATCH", id="a mask stands with EQUAL only"
        ),
        pytest.param(PORT, M.EQUAL, ranged(u16(1), u16(2)), "FWP_E_MATCH_TYPE_MISMATCH", id="a range with EQUAL"),
        pytest.param(PORT, M.RANGE, u16(1), "FWP_E_MATCH_TYPE_MISMATCH", id="a range that is no range"),
        pytest.param(PORT, M.RANGE, ranged(u32(1), u32(2)), "FWP_E_TYPE_MISMATCH", id="a range of another type"),
        pytest.param(
            FIELD.ALE_PACKAGE_ID, M.RANGE, ranged(sid_value(NULL_SID), sid_value(NULL_SID)), "FWP_E_INVALID_RANGE",
            id="SIDs have no order",
        ),
        pytest.param(FIELD.ALE_PACKAGE_ID, M.NOT_EQUAL, sid_value(NULL_SID), None, id="NOT_EQUAL with a SID"),
        pytest.param(
            FIELD.ALE_USER_ID, M.EQUAL, Value(T.SECURITY_DESCRIPTOR_TYPE, SecurityDescriptor()), None,
            id="a token is checked against a descriptor",
        ),
        pytest.param(
            FIELD.ALE_USER_ID, M.EQUAL, sid_value(NULL_SID), "FWP_E_TYPE_MISMATCH",
            id="a SID at a token is for enumerating only",
        ),
        pytest.param(
            FIELD.ALE_APP_ID, M.EQUAL, Value(T.SECURITY_DESCRIPTOR_TYPE, SecurityDescriptor()),
            "FWP_E_TYPE_MISMATCH", id="a descriptor at a blob",
        ),
        pytest.param(PORT, M.EQUAL, EMPTY, None, id="EMPTY is accepted at any field"),
        pytest.param(PORT, M.NOT_EQUAL, EMPTY, "FWP_E_MATCH_TYPE_MISMATCH", id="EMPTY stands with EQUAL only"),
        pytest.param(FIELD.IP_LOCAL_INTERFACE, M.EQUAL, u64(1), None, id="an interface is a UINT64"),
        pytest.param(
            FieldKey("FWPM_CONDITION_ICMP_TYPE"), M.EQUAL, u16(8), None, id="the ICMP type is the local port's field"
        ),
        pytest.param(FIELD.VLAN_ID, M.EQUAL, u16(1), "FWP_E_CONDITION_NOT_FOUND", id="a field of other layers"),
    ],
)  # fmt: skip
def test_what_windows_says_to_a_condition_at_connect(field: FieldKey, match: M, value: Value, code: str | None) -> None:
    assert error(field, match, value) == code


@pytest.mark.parametrize("match", M, ids=lambda m: m.name)
def test_34_a_packet_has_no_ports_whatever_the_match(match: M) -> None:
    assert error(PORT, match, u16(80), PACKET_V4) == "FWP_E_CONDITION_NOT_FOUND"


@pytest.mark.parametrize(
    ("value", "code"),
    [
        pytest.param(Value(T.V6_ADDR_MASK, V6Mask(V6, 128)), None, id="a host"),
        pytest.param(Value(T.V6_ADDR_MASK, V6Mask(V6, 129)), "FWP_E_INVALID_NET_MASK", id="129 bits are too many"),
        pytest.param(network(0, 0), "FWP_E_TYPE_MISMATCH", id="a network of the other family"),
        pytest.param(u32(1), "FWP_E_TYPE_MISMATCH", id="an address of the other family"),
    ],
)
def test_what_windows_says_to_an_address_at_connect_v6(value: Value, code: str | None) -> None:
    assert error(ADDRESS, M.EQUAL, value, CONNECT_V6) == code


def test_the_type_comes_from_the_layer_not_from_the_fields_name() -> None:
    at_cache = LAYER.NAME_RESOLUTION_CACHE_V4
    assert error(FIELD.ALE_USER_ID, M.EQUAL, sid_value(NULL_SID), at_cache) is None
    descriptor = Value(T.SECURITY_DESCRIPTOR_TYPE, SecurityDescriptor())
    assert error(FIELD.ALE_USER_ID, M.EQUAL, descriptor, at_cache) == "FWP_E_TYPE_MISMATCH"


def test_an_error_says_what_was_found_and_what_is_wanted() -> None:
    with pytest.raises(PolicyError) as caught:
        check(Condition(PORT, M.EQUAL, u32(80)), catalog.layers()[LAYER.ALE_AUTH_CONNECT_V4], "filter 'web'")
    assert str(caught.value) == (
        "filter 'web': found UINT32 at FWPM_CONDITION_IP_REMOTE_PORT, wanted UINT16 (RAW_DATA) (FWP_E_TYPE_MISMATCH)"
    )


def test_every_field_of_every_layer_takes_an_equal_of_its_own_type() -> None:
    from tests.model.test_values import SAMPLES

    for layer in catalog.layers():
        for field in catalog.layers()[layer].fields:
            assert error(field.key, M.EQUAL, Value(field.type, SAMPLES[field.type][0]), layer) is None
