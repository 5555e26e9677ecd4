"""Self-relative security descriptors: the bytes of a condition's FWP_SECURITY_DESCRIPTOR_TYPE blob [MS-DTYP 2.4.6].

Written as Windows writes one that it reads from SDDL: header, SACL, DACL, owner, group. What a byte order, an offset
or a size makes impossible is refused with ERROR_INVALID_SECURITY_DESCR, as is the absolute form (conditions.md 2.1).
"""

from __future__ import annotations

import struct
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Final

from tamiz.formats.sddl import INVALID, write_sddl
from tamiz.formats.sddl.bytecode import expression_bytes, expression_from_bytes
from tamiz.formats.sddl.claims import claim_bytes, claim_from_bytes
from tamiz.formats.sddl.names import ACL_FLAGS
from tamiz.model.errors import InputError, Place
from tamiz.model.security import NO_ACCESS_CONTROL, Ace, AceFlags, AceType, SecurityDescriptor, Trustee
from tamiz.model.sids import Sid

_HEADER: Final = struct.Struct("<BBHIIII")
_ACL: Final = struct.Struct("<BBHHH")
_ACE: Final = struct.Struct("<BBHI")
_MAX_ACL: Final = 0xFFFC

_SELF_RELATIVE: Final = 0x8000
_PRESENT: Final = {"D": 0x0004, "S": 0x0010}
_CONTROL: Final[Mapping[str, Mapping[str, int]]] = {
    "D": {"P": 0x1000, "AR": 0x0100, "AI": 0x0400},
    "S": {"P": 0x2000, "AR": 0x0200, "AI": 0x0800},
}
_TYPES: Final[Mapping[int, AceType]] = {
    0x00: AceType.ALLOW,
    0x01: AceType.DENY,
    0x02: AceType.AUDIT,
    0x03: AceType.ALARM,
    0x05: AceType.ALLOW_OBJECT,
    0x06: AceType.DENY_OBJECT,
    0x07: AceType.AUDIT_OBJECT,
    0x08: AceType.ALARM_OBJECT,
    0x09: AceType.ALLOW_CALLBACK,
    0x0A: AceType.DENY_CALLBACK,
    0x0B: AceType.ALLOW_CALLBACK_OBJECT,
    0x0C: AceType.DENY_CALLBACK_OBJECT,
    0x0D: AceType.AUDIT_CALLBACK,
    0x0F: AceType.AUDIT_CALLBACK_OBJECT,
    0x11: AceType.MANDATORY_LABEL,
    0x12: AceType.RESOURCE_ATTRIBUTE,
    0x13: AceType.SCOPED_POLICY,
    0x14: AceType.TRUST_LABEL,
    0x15: AceType.ACCESS_FILTER,
}
_CODES: Final[Mapping[AceType, int]] = {kind: code for code, kind in _TYPES.items()}


def read_security(data: bytes, place: Place, subject: str) -> SecurityDescriptor:
    """The descriptor in a self-relative blob; its `text` is the SDDL that Windows would print for it.

    `InputError` with the code ERROR_INVALID_SECURITY_DESCR, naming `place` and `subject`, for anything else.
    """
    try:
        return _descriptor(data)
    except ValueError as error:
        found = f"{len(data)} bytes, of which {error}"
        raise InputError(place, subject, found, "a self-relative security descriptor", INVALID) from None


def write_security(descriptor: SecurityDescriptor, place: Place, subject: str) -> bytes:
    """The self-relative form.

    `InputError` for a descriptor that has none: it names an account of a domain that is not known (`DA`), or an
    ACL of it exceeds 64 KiB.
    """
    try:
        return _bytes(descriptor)
    except ValueError as error:
        wanted = "one that has a binary form"
        raise InputError(place, subject, f"a security descriptor, of which {error}", wanted, INVALID) from None


# -- reading -------------------------------------------------------------------------------------------------------


def _descriptor(data: bytes) -> SecurityDescriptor:
    if len(data) < _HEADER.size:
        raise ValueError(f"the header needs {_HEADER.size}")
    revision, _, control, owner, group, sacl, dacl = _HEADER.unpack_from(data)
    if revision != 1:
        raise ValueError(f"the revision is {revision}, wanted 1")
    if not control & _SELF_RELATIVE:
        raise ValueError("the form is absolute")
    found = SecurityDescriptor(
        _sid_at(data, owner),
        _sid_at(data, group),
        _acl_at(data, dacl) if control & _PRESENT["D"] else None,
        _acl_at(data, sacl) if control & _PRESENT["S"] else None,
        _acl_flags("D", control, dacl),
        _acl_flags("S", control, sacl),
    )
    return replace(found, text=write_sddl(found))


def _acl_flags(letter: str, control: int, offset: int) -> tuple[str, ...]:
    """The flags of an ACL that is present; without a place it is a null one."""
    if not control & _PRESENT[letter]:
        return ()
    bits = _CONTROL[letter]
    said = tuple(flag for flag in ACL_FLAGS if control & bits.get(flag, 0))
    return said if offset else (*said, NO_ACCESS_CONTROL)


def _sid_at(data: bytes, offset: int) -> Sid | None:
    return _sid(data[offset:]) if offset else None


def _sid(data: bytes) -> Sid:
    """The SID at the beginning of `data`."""
    size = 8 + 4 * data[1] if len(data) > 1 else 8
    return Sid.from_bytes(data[:size])


def _acl_at(data: bytes, offset: int) -> tuple[Ace, ...] | None:
    if offset == 0:
        return None
    if offset + _ACL.size > len(data):
        raise ValueError(f"an ACL at {offset} does not fit")
    revision, _, size, count, _ = _ACL.unpack_from(data, offset)
    if revision not in (2, 3, 4) or size < _ACL.size or offset + size > len(data):
        raise ValueError(f"the ACL at {offset} has revision {revision} and size {size}")
    return tuple(_aces(data[offset : offset + size], count))


def _aces(acl: bytes, count: int) -> Iterator[Ace]:
    at = _ACL.size
    for _ in range(count):
        if at + _ACE.size > len(acl):
            raise ValueError(f"an ACL of {count} entries ends at entry {at}")
        size = struct.unpack_from("<H", acl, at + 2)[0]
        if size < _ACE.size or size % 4 or at + size > len(acl):
            raise ValueError(f"an entry has size {size}")
        yield _ace(acl[at : at + size])
        at += size


def _ace(data: bytes) -> Ace:
    code, flags, _, mask = _ACE.unpack_from(data)
    kind = _TYPES.get(code)
    if kind is None:
        raise ValueError(f"an entry has the unknown type {code:#04x}")
    guids, at = _guids(data) if kind.is_object else (("", ""), _ACE.size)
    trustee = _sid(data[at:])
    rest = data[at + 8 + 4 * len(trustee.parts) :]
    condition = expression_from_bytes(rest) if kind.is_conditional else None
    claim = claim_from_bytes(rest) if kind is AceType.RESOURCE_ATTRIBUTE else None
    return Ace(kind, AceFlags(flags), mask, trustee, condition, guids, claim)


def _guids(data: bytes) -> tuple[tuple[str, str], int]:
    """Both object types of an object entry, and where they end."""
    present = struct.unpack_from("<I", data.ljust(12, b"\0"), _ACE.size)[0]
    at, found = _ACE.size + 4, ["", ""]
    for n in range(2):
        if present >> n & 1:
            if at + 16 > len(data):
                raise ValueError("an object type of an entry does not fit")
            found[n] = str(uuid.UUID(bytes_le=data[at : at + 16]))
            at += 16
    return (found[0], found[1]), at


# -- writing -------------------------------------------------------------------------------------------------------


def _bytes(descriptor: SecurityDescriptor) -> bytes:
    control = _SELF_RELATIVE | _control("D", descriptor.dacl, descriptor.dacl_flags)
    control |= _control("S", descriptor.sacl, descriptor.sacl_flags)
    parts = {
        "sacl": _acl_bytes(descriptor.sacl),
        "dacl": _acl_bytes(descriptor.dacl),
        "owner": _sid_bytes(descriptor.owner),
        "group": _sid_bytes(descriptor.group),
    }
    offsets, at = {}, _HEADER.size
    for name, part in parts.items():
        offsets[name] = at if part else 0
        at += len(part)
    order = (offsets[name] for name in ("owner", "group", "sacl", "dacl"))
    return _HEADER.pack(1, 0, control, *order) + b"".join(parts.values())


def _control(letter: str, acl: tuple[Ace, ...] | None, flags: tuple[str, ...]) -> int:
    bits = _CONTROL[letter]
    present = _PRESENT[letter] if acl is not None or flags else 0
    return present | sum(bits.get(flag, 0) for flag in flags)


def _sid_bytes(trustee: Trustee | None) -> bytes:
    if trustee is None:
        return b""
    if not isinstance(trustee, Sid):
        raise ValueError(f"{trustee} hangs on the SID of a domain, which is not known")
    return trustee.to_bytes()


def _acl_bytes(acl: tuple[Ace, ...] | None) -> bytes:
    if acl is None:
        return b""
    entries = b"".join(map(_ace_bytes, acl))
    size = _ACL.size + len(entries)
    if size > _MAX_ACL:
        raise ValueError(f"an ACL would take {size} bytes")
    revision = 4 if any(ace.type.is_object for ace in acl) else 2
    return _ACL.pack(revision, 0, size, len(acl), 0) + entries


def _ace_bytes(ace: Ace) -> bytes:
    rest = _object_bytes(ace) if ace.type.is_object else b""
    rest += _sid_bytes(ace.trustee)
    if ace.condition is not None:
        rest += expression_bytes(ace.condition)
    if ace.claim is not None:
        rest += claim_bytes(ace.claim)
    rest += bytes(-len(rest) % 4)
    size = _ACE.size + len(rest)
    if size > _MAX_ACL:
        raise ValueError(f"an entry would take {size} bytes")
    return _ACE.pack(_CODES[ace.type], ace.flags, size, ace.mask) + rest


def _object_bytes(ace: Ace) -> bytes:
    present = sum(1 << n for n, guid in enumerate(ace.guids) if guid)
    return struct.pack("<I", present) + b"".join(uuid.UUID(guid).bytes_le for guid in ace.guids if guid)
