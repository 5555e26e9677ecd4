"""Values are checked when they are made."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tamiz.model._tables import DataType as T
from tamiz.model.security import SecurityDescriptor, Token
from tamiz.model.sids import NULL_SID
from tamiz.model.values import (
    EMPTY,
    SIGNED,
    UNSIGNED,
    Range,
    V4Mask,
    V6Mask,
    Value,
    address,
    app_id,
    blob,
    blob_text,
    u8,
    u16,
)

V6 = bytes.fromhex("20010db8000000000000000000000001")

# data type -> (a value that it holds, a value that it does not)
SAMPLES: dict[T, tuple[Any, Any]] = {
    T.EMPTY: (None, 0),
    T.FLOAT: (0.5, 1),
    T.DOUBLE: (0.5, "0.5"),
    T.BYTE_ARRAY16_TYPE: (V6, V6[:15]),
    T.BYTE_BLOB_TYPE: (b"", "text"),
    T.SID: (NULL_SID, "S-1-0-0"),
    T.SECURITY_DESCRIPTOR_TYPE: (SecurityDescriptor(), b""),
    T.TOKEN_INFORMATION_TYPE: (Token(), NULL_SID),
    T.TOKEN_ACCESS_INFORMATION_TYPE: (Token(), NULL_SID),
    T.UNICODE_STRING_TYPE: ("text", b"text"),
    T.BYTE_ARRAY6_TYPE: (bytes(6), bytes(16)),
    T.V4_ADDR_MASK: (V4Mask(0x0A000000, 0xFF000000), V4Mask(1 << 32, 0)),
    T.V6_ADDR_MASK: (V6Mask(V6, 64), V6Mask(V6[:4], 64)),
    T.RANGE_TYPE: (Range(u16(1), u16(2)), (1, 2)),
    **{t: ((1 << bits) - 1, 1 << bits) for t, bits in UNSIGNED.items()},
    **{t: (-(1 << (bits - 1)), 1 << (bits - 1)) for t, bits in SIGNED.items()},
}


def test_every_data_type_has_a_sample() -> None:
    assert set(SAMPLES) == set(T)


@pytest.mark.parametrize("data_type", T, ids=lambda t: t.name)
def test_a_value_holds_what_its_type_says_and_nothing_else(data_type: T) -> None:
    good, bad = SAMPLES[data_type]
    assert Value(data_type, good).data == good
    with pytest.raises(ValueError, match=f"^{data_type.name} holds .*, wanted "):
        Value(data_type, bad)


@pytest.mark.parametrize(
    ("data_type", "data"),
    [
        pytest.param(T.UINT8, -1, id="an unsigned integer is not negative"),
        pytest.param(T.UINT8, True, id="a truth value is not an integer"),
        pytest.param(T.UINT16, 80.0, id="a float is not an integer"),
        pytest.param(T.INT8, -129, id="a signed integer has a lower end"),
        pytest.param(T.V4_ADDR_MASK, V4Mask(0, -1), id="a mask is not negative"),
        pytest.param(T.V6_ADDR_MASK, V6Mask(V6, 256), id="a prefix length has 8 bits"),
    ],
)
def test_a_value_out_of_range_is_refused(data_type: T, data: Any) -> None:
    with pytest.raises(ValueError, match="wanted"):
        Value(data_type, data)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        pytest.param(EMPTY, "EMPTY", id="nothing"),
        pytest.param(u8(6), "6", id="a number"),
        pytest.param(address(V6), "2001:db8::1", id="an IPv6 address"),
        pytest.param(Value(T.V4_ADDR_MASK, V4Mask(0x0A000000, 0xFF000000)), "10.0.0.0/8", id="a network"),
        pytest.param(
            Value(T.V4_ADDR_MASK, V4Mask(0x0A000001, 0xFF00FF00)), "10.0.0.1/0xff00ff00", id="a mask with holes"
        ),
        pytest.param(Value(T.V6_ADDR_MASK, V6Mask(V6, 32)), "2001:db8::1/32", id="an IPv6 network"),
        pytest.param(Value(T.RANGE_TYPE, Range(u16(80), u16(90))), "80-90", id="a range"),
        pytest.param(blob(app_id(r"\Device\X\A.exe")), r"\device\x\a.exe", id="an application id"),
        pytest.param(blob(b"\x01\x02\x03"), "010203", id="bytes that are no text"),
        pytest.param(Value(T.SID, NULL_SID), "S-1-0-0", id="a SID"),
    ],
)
def test_values_print(value: Value, text: str) -> None:
    assert str(value) == text


def test_addresses_are_host_order_numbers() -> None:
    assert address(bytes((10, 0, 0, 1))) == Value(T.UINT32, 0x0A000001)


def test_an_application_id_is_lower_case_utf16_with_its_nul() -> None:
    assert app_id("\\Device\\A") == "\\device\\a\0".encode("utf-16-le")


@given(st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1))
def test_an_application_id_reads_back_as_its_lower_case(path: str) -> None:
    assert blob_text(app_id(path)) in (path.lower(), None)
    assert path.lower().isprintable() == (blob_text(app_id(path)) is not None)


@pytest.mark.parametrize("data", [b"", b"a", b"\0\0", b"\x00\xd8", b"\x01\x00"], ids=repr)
def test_bytes_without_text_have_none(data: bytes) -> None:
    assert blob_text(data) is None


@given(st.integers(0, 32))
def test_a_mask_of_ones_and_then_zeros_is_contiguous(bits: int) -> None:
    mask = (0xFFFFFFFF << (32 - bits)) & 0xFFFFFFFF
    assert V4Mask(0, mask).contiguous


@given(st.integers(0, 0xFFFFFFFF))
def test_a_mask_is_contiguous_when_its_bits_say_so(mask: int) -> None:
    assert V4Mask(0, mask).contiguous == ("01" not in f"{mask:032b}")
