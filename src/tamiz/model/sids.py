"""Security identifiers, and the ones that are computed or well known."""

from __future__ import annotations

import hashlib
import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

_TEXT = re.compile(r"S-1-(\d{1,15}|0x[0-9A-F]{1,12})((?:-\d{1,10}){1,15})", re.ASCII | re.IGNORECASE)
_MAX_AUTHORITY: Final = (1 << 48) - 1
_MAX_PART: Final = (1 << 32) - 1


@dataclass(frozen=True, slots=True)
class Sid:
    """A SID of revision 1: an identifier authority (48 bits) and 1 to 15 subauthorities (32 bits each)."""

    authority: int
    parts: tuple[int, ...]

    def __post_init__(self) -> None:
        if not 0 <= self.authority <= _MAX_AUTHORITY:
            raise ValueError(f"SID authority {self.authority}, wanted 0 to {_MAX_AUTHORITY}")
        if not 1 <= len(self.parts) <= 15 or not all(0 <= part <= _MAX_PART for part in self.parts):
            raise ValueError(f"SID subauthorities {self.parts!r}, wanted 1 to 15 numbers of 32 bits")

    def __str__(self) -> str:
        head = f"0x{self.authority:X}" if self.authority > _MAX_PART else str(self.authority)
        return "-".join(("S-1", head, *map(str, self.parts)))

    @classmethod
    def parse(cls, text: str) -> Sid:
        """The SID of its printed form `S-1-...`; `ValueError` for anything else."""
        match = _TEXT.fullmatch(text)
        if match is None:
            raise ValueError(f"{text!r} is not a SID of the form S-1-...")
        head = match[1]
        authority = int(head, 16) if head.lower().startswith("0x") else int(head)
        return cls(authority, tuple(int(part) for part in match[2][1:].split("-")))

    @classmethod
    def from_bytes(cls, data: bytes) -> Sid:
        """The SID in `data`, which it fills; `ValueError` where it does not."""
        if len(data) < 12 or data[0] != 1 or len(data) != 8 + 4 * data[1]:
            raise ValueError(f"{len(data)} bytes {data[:8].hex()}..., wanted a SID of revision 1")
        parts = struct.unpack_from(f"<{data[1]}I", data, 8)
        return cls(int.from_bytes(data[2:8], "big"), parts)

    def to_bytes(self) -> bytes:
        head = bytes((1, len(self.parts))) + self.authority.to_bytes(6, "big")
        return head + struct.pack(f"<{len(self.parts)}I", *self.parts)

    @property
    def is_package(self) -> bool:
        """An app container's package SID, or ALL APPLICATION PACKAGES and its like: S-1-15-2-..."""
        return self.authority == 15 and self.parts[0] == 2

    @property
    def is_capability(self) -> bool:
        """A capability: S-1-15-3-..."""
        return self.authority == 15 and self.parts[0] == 3

    @property
    def is_service(self) -> bool:
        """A service's SID: S-1-5-80-..."""
        return self.authority == 5 and self.parts[0] == 80


def service_sid(name: str) -> Sid:
    """The SID of a Windows service, which is computed, not looked up (conditions.md 4.6 [O])."""
    digest = hashlib.sha1(name.upper().encode("utf-16-le", "surrogatepass"), usedforsecurity=False).digest()
    return Sid(5, (80, *struct.unpack("<5I", digest)))


NULL_SID: Final = Sid(0, (0,))  # ALE_PACKAGE_ID of a process outside any app container (conditions.md 4.5)
EVERYONE: Final = Sid(1, (0,))
OWNER_RIGHTS: Final = Sid(3, (4,))
ANONYMOUS: Final = Sid(5, (7,))
AUTHENTICATED_USERS: Final = Sid(5, (11,))
LOCAL_SYSTEM: Final = Sid(5, (18,))
LOCAL_SERVICE: Final = Sid(5, (19,))
NETWORK_SERVICE: Final = Sid(5, (20,))
ADMINISTRATORS: Final = Sid(5, (32, 544))
ALL_PACKAGES: Final = Sid(15, (2, 1))
ALL_RESTRICTED_PACKAGES: Final = Sid(15, (2, 2))

# The SIDs that SDDL has two letters for [MS-DTYP 2.5.1.1; the newer ones: sddl.h]
ALIASES: Final[Mapping[str, Sid]] = {
    "WD": Sid(1, (0,)),
    "CO": Sid(3, (0,)),
    "CG": Sid(3, (1,)),
    "OW": Sid(3, (4,)),
    "NU": Sid(5, (2,)),
    "IU": Sid(5, (4,)),
    "SU": Sid(5, (6,)),
    "AN": Sid(5, (7,)),
    "ED": Sid(5, (9,)),
    "PS": Sid(5, (10,)),
    "AU": Sid(5, (11,)),
    "RC": Sid(5, (12,)),
    "SY": Sid(5, (18,)),
    "LS": Sid(5, (19,)),
    "NS": Sid(5, (20,)),
    "WR": Sid(5, (33,)),
    "BA": Sid(5, (32, 544)),
    "BU": Sid(5, (32, 545)),
    "BG": Sid(5, (32, 546)),
    "PU": Sid(5, (32, 547)),
    "AO": Sid(5, (32, 548)),
    "SO": Sid(5, (32, 549)),
    "PO": Sid(5, (32, 550)),
    "BO": Sid(5, (32, 551)),
    "RE": Sid(5, (32, 552)),
    "RU": Sid(5, (32, 554)),
    "RD": Sid(5, (32, 555)),
    "NO": Sid(5, (32, 556)),
    "MU": Sid(5, (32, 558)),
    "LU": Sid(5, (32, 559)),
    "IS": Sid(5, (32, 568)),
    "CY": Sid(5, (32, 569)),
    "ER": Sid(5, (32, 573)),
    "CD": Sid(5, (32, 574)),
    "RA": Sid(5, (32, 575)),
    "ES": Sid(5, (32, 576)),
    "MS": Sid(5, (32, 577)),
    "HA": Sid(5, (32, 578)),
    "AA": Sid(5, (32, 579)),
    "RM": Sid(5, (32, 580)),
    "UD": Sid(5, (84, 0, 0, 0, 0, 0)),
    "AC": Sid(15, (2, 1)),
    "LW": Sid(16, (4096,)),
    "ME": Sid(16, (8192,)),
    "MP": Sid(16, (8448,)),
    "HI": Sid(16, (12288,)),
    "SI": Sid(16, (16384,)),
    "AS": Sid(18, (1,)),
    "SS": Sid(18, (2,)),
}
LETTERS: Final[Mapping[Sid, str]] = {sid: letters for letters, sid in ALIASES.items()}

# Groups and users that hang on the SID of a domain or machine: SDDL letters -> last subauthority [MS-DTYP 2.5.1.1]
DOMAIN_RIDS: Final[Mapping[str, int]] = {
    "RO": 498,
    "LA": 500,
    "LG": 501,
    "DA": 512,
    "DU": 513,
    "DG": 514,
    "DC": 515,
    "DD": 516,
    "CA": 517,
    "SA": 518,
    "EA": 519,
    "PA": 520,
    "CN": 522,
    "AP": 525,
    "KA": 526,
    "EK": 527,
    "RS": 553,
}
