"""Damage to security descriptors: as SDDL, and as the self-relative bytes of a condition's blob.

What is accepted must come back: written and read again it is the same descriptor.
"""

from __future__ import annotations

from tamiz.formats.sddl import parse_sddl, write_sddl
from tamiz.formats.sddl.binary import read_security, write_security
from tamiz.model.errors import InputError, Place
from tamiz.model.security import SecurityDescriptor

ALLOWED = (InputError,)

_PLACE = Place("fuzz")
_SUBJECT = "the descriptor"
_TEXTS = (
    "D:(A;;CC;;;WD)",
    "O:LSD:(A;;CC;;;S-1-15-3-1)(A;;CC;;;WD)(A;;CC;;;AN)",
    "O:SYG:BAD:PAI(D;OICIIO;GA;;;AN)(A;NP;CCRC;;;S-1-5-80-1-2-3-4-5)S:NO_ACCESS_CONTROL",
    "D:NO_ACCESS_CONTROLS:ARAI(ML;;NWNX;;;LW)(AU;SAFA;0x1f01ff;;;WD)(TL;;0x3;;;S-1-19-512-4096)",
    "D:(OA;;CR;00299570-246d-11d0-a768-00aa006e0529;;PS)(OD;CI;WP;;bf967aba-0de6-11d0-a285-00aa003049e2;BU)",
    'D:(XA;;CC;;;WD;(WIN://SYSAPPID Contains "Example.App_123"))(XD;;FX;;;SY;(!(Exists @USER.clear%0020ance)))',
    "D:(XA;;;;;BA;((@USER.a >= @RESOURCE.b && x) || (Not_Member_of_Any {SID(BA), SID(S-1-5-9)})))"
    'S:(RA;;;;;WD;("b",TI,0x0,1,-2))(RA;;;;;WD;("c",TS,0x1,"x","y"))(RA;;;;;WD;("d",TX,0x0,00ff,12))',
    'D:(XA;;CC;;;WD;(@DEVICE.n == {1, -0x2, +07, #00ff, "t"}))S:(RA;;;;;WD;("e",TD,0x0,SID(BA)))(SP;;;;;S-1-17-1)',
    "D:(A;;CC;;;DA)(ZA;;CC;;;LA;(a == 1))",
)
TOKENS = (
    *(
        b"(A;;CC;;;WD)",
        b"D:",
        b"S:",
        b"O:",
        b"G:",
        b"NO_ACCESS_CONTROL",
        b"S-1-5-",
        b"SID(",
        b"!(",
        b"((",
        b"))",
    ),
    *(
        b" && ",
        b" || ",
        b"Member_of ",
        b"Contains ",
        b"Exists ",
        b"@RESOURCE.",
        b"%0020",
        b'"',
        b"{",
        b"}",
        b"#",
    ),
    *(
        b"artx",
        b"\x50",
        b"\x51",
        b"\xf8",
        b"\xf9",
        b"\xa0",
        b"\xa1",
        b"\xa2",
        b"\x89",
        b"0xffffffffffffffff",
        b"-",
    ),
)


def seeds() -> list[bytes]:
    """The texts, and the bytes of those that have a binary form (the last names accounts of a domain)."""
    binary = [write_security(_text(text), _PLACE, _SUBJECT) for text in _TEXTS[:-1]]
    return [*(text.encode() for text in _TEXTS), *binary]


def target(data: bytes) -> None:
    """Reads `data` as bytes where it begins like a descriptor's, else as text."""
    binary = data[:1] in (b"\x00", b"\x01")
    found = _binary(data) if binary else _text(data.decode("utf-8", "surrogateescape"))
    if not found.dacl and not found.sacl:
        # good, but the pool of further seeds would soon hold little else
        raise InputError(_PLACE, _SUBJECT, "no entry", "some")
    _same(found, _text(write_sddl(found)))
    _same(found, _binary(write_security(found, _PLACE, _SUBJECT)))


def _binary(data: bytes) -> SecurityDescriptor:
    return read_security(data, _PLACE, _SUBJECT)


def _text(text: str) -> SecurityDescriptor:
    return parse_sddl(text, _PLACE, _SUBJECT)


def _same(a: SecurityDescriptor, b: SecurityDescriptor) -> None:
    if a != b:
        raise AssertionError(f"{write_sddl(a)!r} came back as {write_sddl(b)!r}")
