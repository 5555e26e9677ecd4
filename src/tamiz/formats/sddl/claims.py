"""Resource attributes (RA entries), as text and as bytes: `("Project",TS,0x0,"Windows","SQL")`.

Source: MS-DTYP 2.5.1.1 for the text, 2.4.10.1 (CLAIM_SECURITY_ATTRIBUTE_RELATIVE_V1) for the bytes. Both readers raise
`ValueError`, which says what is wrong.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from tamiz.formats.sddl.expressions import decode_name, encode_name, read_octets
from tamiz.formats.sddl.names import read_sid
from tamiz.model.errors import shorten
from tamiz.model.security import Claim, DomainAlias, Trustee, sid_text
from tamiz.model.sids import Sid

_VALUES: Final = 4096  # values of one claim that are read: more do not fit into an entry
_HEAD: Final = re.compile(r'\s*\(\s*"([^"\0]*)"\s*,\s*(T[IUSDXB])\s*,\s*(0x[0-9a-f]{1,8}|[0-9]{1,10})\s*', re.I | re.A)
_ITEM: Final = re.compile(r'\s*,\s*("[^"\0]*"|[^",()]*(?:\([^"()]*\))?)\s*', re.ASCII)
_INTEGER: Final = re.compile(r"[+-]?(?:0x[0-9a-f]{1,16}|[0-9]{1,22})", re.ASCII | re.IGNORECASE)
_OCTETS: Final = re.compile(r"#?([0-9a-f]*)", re.ASCII | re.IGNORECASE)

Scalar = str | int | bytes | Trustee


def read_claim(text: str) -> Claim:
    """The claim in the seventh field of an RA entry, its parentheses included."""
    head = _HEAD.match(text)
    if head is None:
        raise ValueError(f'resource attribute {shorten(text)!r} is not of the form ("name",type,flags,values)')
    kind = _KINDS[head[2].upper()]
    items, at = [], head.end()
    while item := _ITEM.match(text, at):
        items.append(item[1].strip())
        at = item.end()
    if text[at:].strip() != ")" or len(items) > _VALUES:
        raise ValueError(f"resource attribute: {shorten(text[at:], 24)!r}, wanted a comma or the end")
    flags = int(head[3], 16 if head[3][:2].lower() == "0x" else 10)
    values = tuple(kind.read(item) for item in items)
    return Claim(_name(decode_name(head[1])), head[2].upper(), flags & 0xFFFFFFFF, values)


def claim_text(claim: Claim) -> str:
    """The seventh field of an RA entry."""
    shown = "".join("," + _KINDS[claim.type].write(value) for value in claim.values)
    return f'("{encode_name("@", claim.name)[1:]}",{claim.type},0x{claim.flags:x}{shown})'


def claim_bytes(claim: Claim) -> bytes:
    """CLAIM_SECURITY_ATTRIBUTE_RELATIVE_V1: header, offsets, name, values, without gaps as Windows writes it."""
    kind = _KINDS[claim.type]
    name = _wide(claim.name)
    at = 16 + 4 * len(claim.values)
    parts, offsets, start = [name], [], at + len(name)
    for value in claim.values:
        parts.append(kind.pack(value))
        offsets.append(start)
        start += len(parts[-1])
    head = struct.pack("<IHHII", at, kind.number, 0, claim.flags, len(claim.values))
    return head + struct.pack(f"<{len(offsets)}I", *offsets) + b"".join(parts)


def claim_from_bytes(data: bytes) -> Claim:
    """The claim of those bytes, which may end with padding."""
    if len(data) < 16:
        raise ValueError(f"resource attribute of {len(data)} bytes, wanted at least 16")
    name, number, _, flags, count = struct.unpack_from("<IHHII", data)
    letters = next((k for k, kind in _KINDS.items() if kind.number == number), None)
    if letters is None:
        raise ValueError(f"resource attribute of type {number:#x}, which is unknown")
    if count > min(_VALUES, (len(data) - 16) // 4):
        raise ValueError(f"resource attribute of {count} values in {len(data)} bytes")
    offsets = struct.unpack_from(f"<{count}I", data, 16)
    values = tuple(_KINDS[letters].unpack(data, offset) for offset in offsets)
    return Claim(_name(_narrow(data, name)), letters, flags, values)


def _name(name: str) -> str:
    encode_name("@", name)
    return name


# -- values --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Kind:
    number: int
    read: Callable[[str], Scalar]
    write: Callable[[Scalar], str]
    pack: Callable[[Scalar], bytes]
    unpack: Callable[[bytes, int], Scalar]


def _text(item: str) -> str:
    if len(item) < 2 or not item.startswith('"') or not item.endswith('"'):
        raise ValueError(f"resource attribute: {shorten(item)!r}, wanted a text in quotation marks")
    return item[1:-1]


def _integer(low: int, high: int) -> Callable[[str], int]:
    def read(item: str) -> int:
        if _INTEGER.fullmatch(item) is None:
            raise ValueError(f"resource attribute: {shorten(item)!r}, wanted a number")
        digits = item.lstrip("+-")
        base = 16 if digits[:2].lower() == "0x" else 8 if digits[0] == "0" else 10
        value = int(digits, base) * (-1 if item[0] == "-" else 1)
        if not low <= value <= high:
            raise ValueError(f"resource attribute: {value}, wanted {low} to {high}")
        return value

    return read


def _octets(item: str) -> bytes:
    match = _OCTETS.fullmatch(item)
    if match is None:
        raise ValueError(f"resource attribute: {shorten(item)!r}, wanted bytes in hexadecimal")
    return read_octets(match[1])


def _sid(item: str) -> Trustee:
    inner = item[4:-1] if item[:4].upper() == "SID(" and item.endswith(")") else item
    return read_sid(inner.strip())


def _sid_text(value: Scalar) -> str:
    assert isinstance(value, Sid | DomainAlias)
    return f"SID({sid_text(value)})"


def _decimal(value: Scalar) -> str:
    assert isinstance(value, int)
    return str(value)


def _quoted(value: Scalar) -> str:
    assert isinstance(value, str)
    return f'"{value}"'


def _wide(value: Scalar) -> bytes:
    assert isinstance(value, str)
    return (value + "\0").encode("utf-16-le")


def _narrow(data: bytes, offset: int) -> str:
    end = offset
    while data[end : end + 2] not in (b"\0\0", b""):
        end += 2
    if end + 2 > len(data):
        raise ValueError(f"resource attribute: the text at {offset} has no end")
    text = data[offset:end].decode("utf-16-le")
    if '"' in text:
        raise ValueError(
            f"resource attribute: the text {shorten(text)!r} has a quotation mark, which SDDL cannot write"
        )
    return text


def _hex(value: Scalar) -> str:
    assert isinstance(value, bytes)
    return value.hex()


def _counted(value: Scalar) -> bytes:
    assert isinstance(value, bytes)
    return struct.pack("<I", len(value)) + value


def _uncounted(data: bytes, offset: int) -> bytes:
    if offset + 4 > len(data):
        raise ValueError(f"resource attribute: a value at {offset} of {len(data)} bytes")
    (size,) = struct.unpack_from("<I", data, offset)
    if offset + 4 + size > len(data):
        raise ValueError(f"resource attribute: a value of {size} bytes at {offset} of {len(data)}")
    return data[offset + 4 : offset + 4 + size]


def _packed_sid(value: Scalar) -> bytes:
    assert isinstance(value, Sid | DomainAlias)
    if isinstance(value, DomainAlias):
        raise ValueError(f"{value} hangs on the SID of a domain, which is not known")
    return _counted(value.to_bytes())


def _fixed(layout: str) -> tuple[Callable[[Scalar], bytes], Callable[[bytes, int], int]]:
    size = struct.calcsize(layout)

    def unpack(data: bytes, offset: int) -> int:
        if offset + size > len(data):
            raise ValueError(f"resource attribute: a value at {offset} of {len(data)} bytes")
        return int(struct.unpack_from(layout, data, offset)[0])

    return lambda value: struct.pack(layout, value), unpack


_KINDS: Final[Mapping[str, _Kind]] = {
    "TI": _Kind(1, _integer(-(1 << 63), (1 << 63) - 1), _decimal, *_fixed("<q")),
    "TU": _Kind(2, _integer(0, (1 << 64) - 1), _decimal, *_fixed("<Q")),
    "TS": _Kind(3, _text, _quoted, _wide, _narrow),
    "TD": _Kind(5, _sid, _sid_text, _packed_sid, lambda data, at: Sid.from_bytes(_uncounted(data, at))),
    "TB": _Kind(6, _integer(0, 1), _decimal, *_fixed("<Q")),
    "TX": _Kind(16, _octets, _hex, _counted, _uncounted),
}
