"""The names SDDL gives to rights and flags, and how it spells SIDs [MS-DTYP 2.5.1.1]."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from tamiz.model.security import NO_ACCESS_CONTROL, AceFlags, DomainAlias, Trustee
from tamiz.model.sids import ALIASES, DOMAIN_RIDS, Sid

# Letters of the bits of a mask, lowest bit first: the order in which Windows prints them.
RIGHTS: Final[Mapping[str, int]] = {
    "CC": 0x00000001,
    "DC": 0x00000002,
    "LC": 0x00000004,
    "SW": 0x00000008,
    "RP": 0x00000010,
    "WP": 0x00000020,
    "DT": 0x00000040,
    "LO": 0x00000080,
    "CR": 0x00000100,
    "SD": 0x00010000,
    "RC": 0x00020000,
    "WD": 0x00040000,
    "WO": 0x00080000,
    "GA": 0x10000000,
    "GX": 0x20000000,
    "GW": 0x40000000,
    "GR": 0x80000000,
}
# Whole masks with a name: of files, which Windows also prints, of registry keys, and of mandatory labels.
_FILES: Final[Mapping[str, int]] = {"FA": 0x1F01FF, "FR": 0x120089, "FW": 0x120116, "FX": 0x1200A0}
_KEYS: Final[Mapping[str, int]] = {"KA": 0xF003F, "KR": 0x20019, "KW": 0x20006, "KX": 0x20019}
_LABELS: Final[Mapping[str, int]] = {"NW": 0x1, "NR": 0x2, "NX": 0x4}
_READ: Final[Mapping[str, int]] = {**RIGHTS, **_FILES, **_KEYS, **_LABELS}
_LIMIT: Final = 0xFFFFFFFF

# ACL flags; the control bits stand in `binary`
ACL_FLAGS: Final = ("P", "AR", "AI", NO_ACCESS_CONTROL)

_SID: Final = re.compile(r"S-1((?:-(?:0X[0-9A-F]+|[0-9]+)){2,16})", re.ASCII | re.IGNORECASE)
_GAP: Final = re.compile(r"[\t-\r ]+([A-Z]{2})", re.ASCII | re.IGNORECASE)  # spaces before the name of a right
_NUMBER: Final = re.compile(r"(-?)(?:0x([0-9a-f]+)|0([0-7]*)|([1-9][0-9]*))", re.ASCII | re.IGNORECASE)


def read_sid(text: str) -> Trustee:
    """The SID of two letters or of `S-1-...`, whose numbers may be hexadecimal; `ValueError` for anything else.

    As in Windows, a subauthority beyond 32 bits is the highest there is [O].
    """
    upper = text.upper()
    if upper in ALIASES:
        return ALIASES[upper]
    if upper in DOMAIN_RIDS:
        return DomainAlias(upper)
    match = _SID.fullmatch(text)
    if match is None or len(text) > 256:
        raise ValueError(f"{text!r} is neither S-1-... nor the letters of a SID")
    numbers = [int(part, 16 if part[:2].upper() == "0X" else 10) for part in match[1][1:].split("-")]
    return Sid(numbers[0], tuple(min(number, _LIMIT) for number in numbers[1:]))


def read_mask(text: str) -> int:
    """An access mask in letters or as a number; `ValueError` for anything else.

    As Windows does, a number beyond 32 bits counts as all bits, and a sign negates what it stands before [O].
    """
    number = _NUMBER.fullmatch(text)
    if number is not None and len(text) <= 64:
        value = min(_number(number), _LIMIT)
        return -value & _LIMIT if number[1] else value
    mask = 0
    for letters in pairs(_GAP.sub(r"\1", text)):
        if letters not in _READ:
            raise ValueError(f"{text!r} is no access mask: {letters!r} is not the name of a right")
        mask |= _READ[letters]
    return mask


def _number(match: re.Match[str]) -> int:
    if match[2] is not None:
        return int(match[2], 16)
    return int(match[3] or "0", 8) if match[4] is None else int(match[4])


def mask_text(mask: int, *, label: bool = False) -> str:
    """An access mask as Windows prints it: letters if they say it all, else hexadecimal. `label`: of an ML entry."""
    whole = next((letters for letters, value in _FILES.items() if value == mask), None)
    if whole is not None and not label:
        return whole
    letters = _LABELS if label else RIGHTS
    if mask & ~sum(letters.values()):
        return f"0x{mask:x}"
    return "".join(name for name, bit in letters.items() if mask & bit)


def read_flags(text: str) -> AceFlags:
    """The flags of an entry; `ValueError` for letters that are none."""
    flags = AceFlags(0)
    for letters in pairs(text):
        if letters not in AceFlags.__members__:
            raise ValueError(f"{text!r} are no flags of an entry: {letters!r} is unknown")
        flags |= AceFlags[letters]
    return flags


def flags_text(flags: AceFlags) -> str:
    return "".join(name for name, bit in AceFlags.__members__.items() if flags & bit)


def pairs(text: str) -> list[str]:
    """`text` in upper case, two letters at a time."""
    upper = text.upper()
    return [upper[n : n + 2] for n in range(0, len(upper), 2)]
