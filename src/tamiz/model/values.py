"""FWP values: a data type and what it holds (FWP_VALUE0, FWP_CONDITION_VALUE0).

Source: spec conditions.md 1 (FWP_DATA_TYPE). Addresses and ports are host-order numbers, so 10.0.0.1 is 0x0A000001;
a 16-byte array is an IPv6 address in network order. A `Value` is checked when it is made: a value out of range, or of
the wrong Python type, is a `ValueError` that says what was found and what was wanted.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Union

from tamiz.model._tables import DataType
from tamiz.model.security import SecurityDescriptor, Token
from tamiz.model.sids import Sid


@dataclass(frozen=True, slots=True)
class V4Mask:
    """FWP_V4_ADDR_AND_MASK: address and mask, both host order."""

    address: int
    mask: int

    def __str__(self) -> str:
        bits = self.mask.bit_count()
        return f"{ipaddress.IPv4Address(self.address)}/{bits if self.contiguous else hex(self.mask)}"

    @property
    def contiguous(self) -> bool:
        """Whether the mask is ones followed by zeros; BFE refuses others (FWP_E_INVALID_NET_MASK)."""
        inverse = self.mask ^ 0xFFFFFFFF
        return inverse & (inverse + 1) == 0


@dataclass(frozen=True, slots=True)
class V6Mask:
    """FWP_V6_ADDR_AND_MASK: 16 bytes in network order, and the prefix length in bits."""

    address: bytes
    prefix: int

    def __str__(self) -> str:
        return f"{ipaddress.IPv6Address(self.address)}/{self.prefix}"


@dataclass(frozen=True, slots=True)
class Range:
    """FWP_RANGE0: both ends belong to it."""

    low: Value
    high: Value

    def __str__(self) -> str:
        return f"{self.low}-{self.high}"


Data = Union[None, int, float, bytes, str, Sid, SecurityDescriptor, Token, V4Mask, V6Mask, Range]

SIGNED: Final = {DataType.INT8: 8, DataType.INT16: 16, DataType.INT32: 32, DataType.INT64: 64}
UNSIGNED: Final = {DataType.UINT8: 8, DataType.UINT16: 16, DataType.UINT32: 32, DataType.UINT64: 64}


@dataclass(frozen=True, slots=True)
class Value:
    """FWP_VALUE0: `type` says how `data` is to be read."""

    type: DataType
    data: Data = None

    def __post_init__(self) -> None:
        wanted = _CHECKS[self.type](self.data)
        if wanted:
            raise ValueError(f"{self.type.name} holds {self.data!r}, wanted {wanted}")

    def __str__(self) -> str:
        return _text(self)


def _unsigned(bits: int) -> Callable[[Data], str | None]:
    limit = (1 << bits) - 1
    wanted = f"a number from 0 to {limit}"

    def check(data: Data) -> str | None:
        return None if type(data) is int and 0 <= data <= limit else wanted

    return check


def _signed(bits: int) -> Callable[[Data], str | None]:
    low, high = -(1 << (bits - 1)), (1 << (bits - 1)) - 1
    wanted = f"a number from {low} to {high}"

    def check(data: Data) -> str | None:
        return None if type(data) is int and low <= data <= high else wanted

    return check


def _kind(cls: type, wanted: str) -> Callable[[Data], str | None]:
    return lambda data: None if isinstance(data, cls) else wanted


def _array(size: int) -> Callable[[Data], str | None]:
    return lambda data: None if isinstance(data, bytes) and len(data) == size else f"{size} bytes"


def _v4_mask(data: Data) -> str | None:
    good = isinstance(data, V4Mask) and 0 <= data.address <= 0xFFFFFFFF and 0 <= data.mask <= 0xFFFFFFFF
    return None if good else "an IPv4 address and mask of 32 bits each"


def _v6_mask(data: Data) -> str | None:
    good = isinstance(data, V6Mask) and len(data.address) == 16 and 0 <= data.prefix <= 255
    return None if good else "an IPv6 address of 16 bytes and a prefix length of 8 bits"


_CHECKS: Final[Mapping[DataType, Callable[[Data], str | None]]] = {
    DataType.EMPTY: lambda data: None if data is None else "nothing",
    **{t: _unsigned(bits) for t, bits in UNSIGNED.items()},
    **{t: _signed(bits) for t, bits in SIGNED.items()},
    DataType.FLOAT: _kind(float, "a floating-point number"),
    DataType.DOUBLE: _kind(float, "a floating-point number"),
    DataType.BYTE_ARRAY16_TYPE: _array(16),
    DataType.BYTE_BLOB_TYPE: _kind(bytes, "bytes"),
    DataType.SID: _kind(Sid, "a SID"),
    DataType.SECURITY_DESCRIPTOR_TYPE: _kind(SecurityDescriptor, "a security descriptor"),
    DataType.TOKEN_INFORMATION_TYPE: _kind(Token, "a token"),
    DataType.TOKEN_ACCESS_INFORMATION_TYPE: _kind(Token, "a token"),
    DataType.UNICODE_STRING_TYPE: _kind(str, "text"),
    DataType.BYTE_ARRAY6_TYPE: _array(6),
    DataType.V4_ADDR_MASK: _v4_mask,
    DataType.V6_ADDR_MASK: _v6_mask,
    DataType.RANGE_TYPE: _kind(Range, "a range"),
}

EMPTY: Final = Value(DataType.EMPTY)


def u8(number: int) -> Value:
    return Value(DataType.UINT8, int(number))


def u16(number: int) -> Value:
    return Value(DataType.UINT16, int(number))


def u32(number: int) -> Value:
    return Value(DataType.UINT32, int(number))


def u64(number: int) -> Value:
    return Value(DataType.UINT64, int(number))


def blob(data: bytes) -> Value:
    return Value(DataType.BYTE_BLOB_TYPE, data)


def sid_value(sid: Sid) -> Value:
    return Value(DataType.SID, sid)


def token_value(token: Token) -> Value:
    return Value(DataType.TOKEN_ACCESS_INFORMATION_TYPE, token)


def address(packed: bytes) -> Value:
    """An address field from its packed form: 4 bytes give a UINT32, 16 bytes a BYTE_ARRAY16."""
    if len(packed) == 4:
        return Value(DataType.UINT32, int.from_bytes(packed, "big"))
    return Value(DataType.BYTE_ARRAY16_TYPE, packed)


def app_id(nt_path: str) -> bytes:
    """The blob of ALE_APP_ID: the NT device path in lower case, UTF-16LE, with its NUL (conditions.md 4.4)."""
    return (nt_path.lower() + "\0").encode("utf-16-le", "surrogatepass")


def blob_text(data: bytes) -> str | None:
    """The text of a blob that holds a UTF-16LE string, without its trailing NUL; None if it holds none."""
    if len(data) < 2 or len(data) % 2:
        return None
    text = data.decode("utf-16-le", "replace").removesuffix("\0")
    return text if text and text.isprintable() and "\ufffd" not in text else None


def _text(value: Value) -> str:
    data = value.data
    if value.type is DataType.EMPTY:
        return "EMPTY"
    if value.type is DataType.BYTE_ARRAY16_TYPE and isinstance(data, bytes):
        return str(ipaddress.IPv6Address(data))
    if isinstance(data, bytes):
        return blob_text(data) or data.hex()
    return str(data)
