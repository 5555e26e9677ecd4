"""Values of the policy language: from what TOML has to a `Value` of the field's data type.

One table, data type -> converter (`_CONVERTERS`); what a value looks like is decided by the *field* at the *layer*,
since one name may have two types (an address at V4 and at V6 layers, ALE_USER_ID at the name-resolution layers). A
value of the other IP family is no error here: it is `OtherFamily`, and the filter is then not made for that layer.
"""

from __future__ import annotations

import ipaddress
import re
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from tamiz.formats import appid
from tamiz.formats.sddl import parse_sddl
from tamiz.formats.toml.names import FAMILY_NAMES, VALUE_NAMES, field_word, nearest, value_names
from tamiz.formats.toml.table import Spot, from_hex, shown, whole
from tamiz.model import sids
from tamiz.model._tables import DataType, FieldKind
from tamiz.model.errors import InputError
from tamiz.model.layers import Field, Layer
from tamiz.model.security import MATCH_FILTER, Ace, AceFlags, AceType, SecurityDescriptor
from tamiz.model.sids import Sid, service_sid
from tamiz.model.values import UNSIGNED, V4Mask, V6Mask, Value, app_id, blob

T = DataType


@dataclass
class Volumes:
    """The file's volume map, and the drive letters that it lacks, each with where it was first wanted."""

    map: Mapping[str, str] = field(default_factory=dict)
    missing: dict[str, Spot] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Target:
    """What a value is for: a field of a layer; `volumes` resolve the paths of applications."""

    field: Field
    layer: Layer
    volumes: Volumes


class OtherFamily(Exception):
    """The value belongs to layers of the other IP version: `spot`, `found`, `wanted` say so if no layer is left."""

    def __init__(self, spot: Spot, found: str, wanted: str) -> None:
        self.spot, self.found, self.wanted = spot, found, wanted
        super().__init__(found)


def convert(raw: Any, target: Target, spot: Spot) -> Value:
    """`raw` as a value of the target's type. Raises `InputError`, or `OtherFamily`."""
    if isinstance(raw, dict):
        return _constructed(raw, target, spot)
    return _CONVERTERS.get(target.field.type, _never)(raw, target, spot)


def flag_bits(raw: Any, target: Target, spot: Spot) -> Value:
    """One flag or a list of them, names or numbers, as one flag word."""
    items = list(enumerate(raw)) if isinstance(raw, list) else [(None, raw)]
    bits = 0
    for n, item in items:
        at = spot if n is None else spot.down(n)
        value = convert(item, target, at)
        if not isinstance(value.data, int):
            raise at.error(value.type.name, f"flags of type {target.field.type.name}", "FWP_E_MATCH_TYPE_MISMATCH")
        bits |= value.data
    return Value(target.field.type, bits)


# -- numbers ---------------------------------------------------------------------------------------------------------


def _unsigned(raw: Any, target: Target, spot: Spot) -> int:
    limit = (1 << UNSIGNED[target.field.type]) - 1
    number = _named(raw, target, spot) if isinstance(raw, str) else whole(raw)
    number = whole(raw) if number is None else number
    if number is None or not 0 <= number <= limit:
        names = value_names(target.field.key)
        wanted = f"a number from 0 to {limit}"
        if names and isinstance(raw, str):
            wanted = nearest(raw, names, wanted + " or a name")
        raise spot.error(shown(raw), wanted)
    return number


def _named(raw: str, target: Target, spot: Spot) -> int | None:
    short = target.field.key.short
    by_family = FAMILY_NAMES.get(short, {}).get(raw)
    if by_family is None:
        return VALUE_NAMES.get(short, {}).get(raw)
    if target.layer.ip_version in by_family:
        return by_family[target.layer.ip_version]
    versions = " and ".join(f"IPv{v}" for v in by_family)
    raise OtherFamily(spot, f"'{raw}', which is {versions} only", f"a name for {target.layer.key}")


def _number(raw: Any, target: Target, spot: Spot) -> Value:
    return Value(target.field.type, _unsigned(raw, target, spot))


def _number_or_v4(raw: Any, target: Target, spot: Spot) -> Value:
    if target.field.kind is FieldKind.IP_ADDRESS:
        return _address(raw, target, spot)
    return _number(raw, target, spot)


# -- addresses -------------------------------------------------------------------------------------------------------

_ADDRESS = re.compile(r"[0-9A-Fa-f:.]{2,45}", re.ASCII)
_FAMILY: Final = {T.UINT32: 4, T.BYTE_ARRAY16_TYPE: 6}


def _address(raw: Any, target: Target, spot: Spot) -> Value:
    if not isinstance(raw, str):
        raise spot.error(shown(raw), "an address as a string, such as '198.51.100.7' or 'fe80::/10'")
    text, slash, mask = raw.partition("/")
    packed = packed_address(text)
    if packed is None:
        raise spot.error(shown(raw), "an IPv4 or IPv6 address, alone, with /prefix or with /mask")
    version = 4 if len(packed) == 4 else 6
    if version != _FAMILY[target.field.type]:
        raise _other_family(raw, version, target, spot)
    if slash:
        return _masked(packed, mask, raw, spot)
    return Value(T.UINT32, int.from_bytes(packed, "big")) if version == 4 else Value(T.BYTE_ARRAY16_TYPE, packed)


def packed_address(text: str) -> bytes | None:
    """4 or 16 bytes; None where `text` is no address."""
    try:
        return ipaddress.ip_address(text).packed if _ADDRESS.fullmatch(text) else None
    except ValueError:
        return None


def _other_family(raw: str, version: int, target: Target, spot: Spot) -> Exception:
    found = f"{shown(raw)}, which is IPv{version}"
    wanted = f"an IPv{10 - version} address at {target.layer.key}"
    if target.layer.ip_version is None:
        return spot.error(found, wanted, "FWP_E_TYPE_MISMATCH")
    return OtherFamily(spot, found, wanted)


def _masked(packed: bytes, mask: str, raw: str, spot: Spot) -> Value:
    length = int(mask) if re.fullmatch(r"\d{1,3}", mask, re.ASCII) else None
    if len(packed) == 4:
        dotted = packed_address(mask) if length is None else None
        if dotted is not None and len(dotted) == 4:
            return Value(T.V4_ADDR_MASK, V4Mask(int.from_bytes(packed, "big"), int.from_bytes(dotted, "big")))
        if length is not None and length <= 32:
            bits = (0xFFFFFFFF << (32 - length)) & 0xFFFFFFFF
            return Value(T.V4_ADDR_MASK, V4Mask(int.from_bytes(packed, "big"), bits))
        raise spot.error(shown(raw), "a prefix length from 0 to 32 or a mask", "FWP_E_INVALID_NET_MASK")
    if length is None or length > 128:
        raise spot.error(shown(raw), "a prefix length from 0 to 128", "FWP_E_INVALID_NET_MASK")
    return Value(T.V6_ADDR_MASK, V6Mask(packed, length))


# -- bytes and texts -------------------------------------------------------------------------------------------------

_APPS: Final = frozenset({"ALE_APP_ID", "ALE_ORIGINAL_APP_ID"})
_MAC = re.compile(r"[0-9a-f]{2}([-:][0-9a-f]{2}){5}", re.ASCII | re.IGNORECASE)


def _array16(raw: Any, target: Target, spot: Spot) -> Value:
    if target.field.kind is FieldKind.IP_ADDRESS:
        return _address(raw, target, spot)
    try:
        return Value(T.BYTE_ARRAY16_TYPE, uuid.UUID(raw).bytes_le)
    except (ValueError, AttributeError, TypeError):
        raise spot.error(shown(raw), 'a GUID, or { hex = "..." } with 16 bytes') from None


def _array6(raw: Any, target: Target, spot: Spot) -> Value:
    if not isinstance(raw, str) or not _MAC.fullmatch(raw):
        raise spot.error(shown(raw), "a MAC address such as '00-00-5e-00-53-01'")
    return Value(T.BYTE_ARRAY6_TYPE, bytes.fromhex(re.sub("[-:]", "", raw)))


def _blob(raw: Any, target: Target, spot: Spot) -> Value:
    if not isinstance(raw, str):
        raise spot.error(shown(raw), 'a string, or { hex = "..." }')
    if target.field.key.short not in _APPS:
        return text_blob(raw)
    try:
        found = appid.nt_path(raw, target.volumes.map)
    except InputError as error:
        raise spot.error(error.found, error.wanted) from None
    if found.paths[0].startswith("\\??\\"):
        target.volumes.missing.setdefault(found.paths[0][4:6].upper(), spot)
    return blob(found.blobs[0])


def text_blob(text: str) -> Value:
    """A blob that holds a string: UTF-16LE with its NUL."""
    return blob((text + "\0").encode("utf-16-le", "surrogatepass"))


def suffix(raw: Any, target: Target, spot: Spot) -> Value:
    """The end of a path or text, as FWP_MATCH_PREFIX compares it; the end of an application's path is in lower case."""
    if isinstance(raw, dict):
        return _constructed(raw, target, spot)
    if not isinstance(raw, str):
        raise spot.error(shown(raw), "a string")
    if target.field.type is T.UNICODE_STRING_TYPE:
        return Value(T.UNICODE_STRING_TYPE, raw)
    return blob(app_id(raw)) if target.field.key.short in _APPS else text_blob(raw)


def _string(raw: Any, target: Target, spot: Spot) -> Value:
    if not isinstance(raw, str):
        raise spot.error(shown(raw), "a string")
    return Value(T.UNICODE_STRING_TYPE, raw)


# -- security --------------------------------------------------------------------------------------------------------

SID_NAMES: Final[Mapping[str, Sid]] = {
    "none": sids.NULL_SID,  # ALE_PACKAGE_ID outside any app container (conditions.md 4.5)
    "all-packages": sids.ALL_PACKAGES,
    "everyone": sids.EVERYONE,
    "anonymous": sids.ANONYMOUS,
    "authenticated-users": sids.AUTHENTICATED_USERS,
    "system": sids.LOCAL_SYSTEM,
    "local-service": sids.LOCAL_SERVICE,
    "network-service": sids.NETWORK_SERVICE,
    "administrators": sids.ADMINISTRATORS,
}


def _sid(raw: Any, spot: Spot) -> Sid:
    if isinstance(raw, str) and raw in SID_NAMES:
        return SID_NAMES[raw]
    try:
        return Sid.parse(raw)
    except (ValueError, TypeError):
        wanted = "a SID of the form S-1-..., or one of " + ", ".join(SID_NAMES)
        raise spot.error(shown(raw), wanted) from None


def granting(granted: Iterable[Sid]) -> SecurityDescriptor:
    """The descriptor that a token with one of `granted` matches, as Windows' filters write it (conditions.md 4.6)."""
    trustees = tuple(granted)
    text = "O:LSD:" + "".join(f"(A;;CC;;;{sid})" for sid in trustees)
    dacl = tuple(Ace(AceType.ALLOW, AceFlags(0), MATCH_FILTER, sid) for sid in trustees)
    return SecurityDescriptor(owner=sids.LOCAL_SERVICE, dacl=dacl, text=text)


def _of_sids(granted: list[Sid], target: Target, spot: Spot) -> Value:
    if target.field.type is not T.SID:
        return Value(T.SECURITY_DESCRIPTOR_TYPE, granting(granted))
    if len(granted) != 1:
        raise spot.error(f"a list of {len(granted)}", "one SID at a field that is a SID; a list of conditions is OR")
    return Value(T.SID, granted[0])


def _token(raw: Any, target: Target, spot: Spot) -> Value:
    if not isinstance(raw, str) or not (raw in SID_NAMES or raw.upper().startswith("S-1-")):
        raise spot.error(shown(raw), '{ sd = "..." }, { sid = "S-1-..." }, { service = "..." } or a well-known name')
    return Value(T.SECURITY_DESCRIPTOR_TYPE, granting([_sid(raw, spot)]))


# -- values in tables: { sd = ".." } and the like --------------------------------------------------------------------


def _sd(raw: Any, target: Target, spot: Spot) -> Value:
    if not isinstance(raw, str):
        raise spot.error(shown(raw), "a security descriptor in SDDL")
    place = spot.document.place(spot.path)
    return Value(T.SECURITY_DESCRIPTOR_TYPE, parse_sddl(raw, place, f"{spot.subject}, the security descriptor"))


def _sid_value(raw: Any, target: Target, spot: Spot) -> Value:
    return _of_sids([_sid(item, at) for item, at in _each(raw, spot)], target, spot)


def _service(raw: Any, target: Target, spot: Spot) -> Value:
    named = [_text_of(item, at, "the name of a service, such as 'Dnscache'") for item, at in _each(raw, spot)]
    return _of_sids([service_sid(name) for name in named], target, spot)


def _each(raw: Any, spot: Spot) -> list[tuple[Any, Spot]]:
    if not isinstance(raw, list):
        return [(raw, spot)]
    if not raw:
        raise spot.error("an empty list", "at least one")
    return [(item, spot.down(n)) for n, item in enumerate(raw)]


def _text_of(raw: Any, spot: Spot, wanted: str) -> str:
    if not isinstance(raw, str) or not raw:
        raise spot.error(shown(raw), wanted)
    return raw


def _hex(raw: Any, target: Target, spot: Spot) -> Value:
    data = from_hex(raw) if isinstance(raw, str) else None
    if data is None:
        raise spot.error(shown(raw), "bytes as hexadecimal digits, such as '00ff'")
    sizes = {T.BYTE_ARRAY16_TYPE: 16, T.BYTE_ARRAY6_TYPE: 6}
    size = sizes.get(target.field.type, len(data))
    if len(data) != size:
        raise spot.error(f"{len(data)} bytes", f"{size} bytes")
    return Value(target.field.type if target.field.type in sizes else T.BYTE_BLOB_TYPE, data)


def _mask(raw: Any, target: Target, spot: Spot) -> Value:
    if not isinstance(raw, list) or len(raw) != 2 or not all(isinstance(part, str) for part in raw):
        raise spot.error(shown(raw), "an address and a mask, such as ['10.0.0.0', '255.0.0.0']")
    return _address("/".join(raw), target, spot)


CONSTRUCTORS: Final[Mapping[str, Callable[[Any, Target, Spot], Value]]] = {
    "sd": _sd,
    "sid": _sid_value,
    "service": _service,
    "hex": _hex,
    "mask": _mask,
}


def _constructed(raw: dict[str, Any], target: Target, spot: Spot) -> Value:
    if len(raw) != 1 or next(iter(raw)) not in CONSTRUCTORS:
        raise spot.error(shown(raw), "a value, or a table with one of " + ", ".join(CONSTRUCTORS))
    ((name, inner),) = raw.items()
    return CONSTRUCTORS[name](inner, target, spot.down(name))


def _never(raw: Any, target: Target, spot: Spot) -> Value:
    found = f"{shown(raw)} for {field_word(target.field.key)}"
    raise spot.error(found, f"{{ empty = true }}: no value of type {target.field.type.name} can be written")


_CONVERTERS: Final[Mapping[DataType, Callable[[Any, Target, Spot], Value]]] = {
    T.UINT8: _number,
    T.UINT16: _number,
    T.UINT32: _number_or_v4,
    T.UINT64: _number,
    T.BYTE_ARRAY16_TYPE: _array16,
    T.BYTE_ARRAY6_TYPE: _array6,
    T.BYTE_BLOB_TYPE: _blob,
    T.SID: lambda raw, target, spot: Value(T.SID, _sid(raw, spot)),
    T.TOKEN_INFORMATION_TYPE: _token,
    T.TOKEN_ACCESS_INFORMATION_TYPE: _token,
    T.UNICODE_STRING_TYPE: _string,
}
