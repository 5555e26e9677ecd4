"""Security descriptors as text: SDDL, `O:SYG:SYD:(A;;CC;;;WD)` [MS-DTYP 2.5.1].

Reading keeps the text in the descriptor; writing gives the form that Windows prints, so that a printed descriptor
comes out as it went in. Case and spaces are as free as Windows leaves them; aliases that hang on a domain's SID
(DA, LA, ...) stay aliases.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from tamiz.formats.sddl.claims import claim_text, read_claim
from tamiz.formats.sddl.expressions import read_expression
from tamiz.formats.sddl.names import (
    ACL_FLAGS,
    flags_text,
    mask_text,
    read_flags,
    read_mask,
    read_sid,
)
from tamiz.model.errors import InputError, Place, shorten
from tamiz.model.security import NO_ACCESS_CONTROL, Ace, AceType, SecurityDescriptor, Trustee, sid_text

INVALID: Final = "ERROR_INVALID_SECURITY_DESCR"
MAX_TEXT: Final = 1 << 18  # characters; an ACL has at most 64 KiB
MAX_ENTRIES: Final = 65527 // 20  # the shortest entries an ACL can hold

_SPACES: Final = "\t\n\v\f\r "
_SPACE: Final = re.compile(r"[\t-\r ]*", re.ASCII)
_PART: Final = re.compile(r"([OGDS]):")
_OWNER: Final = re.compile(r"[\t-\r ]*([A-Z]{2}|S-1[-0-9A-FX]+?)[\t-\r ]*(?=[OGDS]:|\Z)", re.ASCII | re.IGNORECASE)
_FLAGS: Final = re.compile(r"(?:[\t-\r ]*(?:NO_ACCESS_CONTROL|AR|AI|P))*", re.ASCII)
_FLAG: Final = re.compile(r"NO_ACCESS_CONTROL|AR|AI|P")
_PIECE: Final = re.compile(r'"[^"]*"|[()]|[^"()]+')
_GUID: Final = re.compile(r"(?:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})?", re.ASCII)
_TYPES: Final[Mapping[str, AceType]] = {kind.value: kind for kind in AceType}


def parse_sddl(text: str, place: Place, subject: str) -> SecurityDescriptor:
    """The descriptor that `text` spells.

    `InputError` with the code ERROR_INVALID_SECURITY_DESCR, naming `place` and `subject`, for what Windows would
    not read, and for text beyond `MAX_TEXT` characters.
    """
    try:
        return _Reader(text).descriptor()
    except ValueError as error:
        found = f"{shorten(text)!r}, of which {error}"
        raise InputError(place, subject, found, "a security descriptor in SDDL", INVALID) from None


def write_sddl(descriptor: SecurityDescriptor) -> str:
    """The descriptor as Windows prints it."""
    parts = []
    if descriptor.owner is not None:
        parts.append(f"O:{sid_text(descriptor.owner)}")
    if descriptor.group is not None:
        parts.append(f"G:{sid_text(descriptor.group)}")
    for letter, acl, flags in (
        ("D", descriptor.dacl, descriptor.dacl_flags),
        ("S", descriptor.sacl, descriptor.sacl_flags),
    ):
        if acl is not None or flags:
            parts.append(f"{letter}:{''.join(flags)}{''.join(map(write_ace, acl or ()))}")
    return "".join(parts)


def write_ace(ace: Ace) -> str:
    """One entry, parentheses included."""
    label = ace.type is AceType.MANDATORY_LABEL
    fields = [
        ace.type.value,
        flags_text(ace.flags),
        mask_text(ace.mask, label=label),
        *ace.guids,
        sid_text(ace.trustee),
    ]
    if ace.condition is not None:
        fields.append(f"({ace.condition})")
    if ace.claim is not None:
        fields.append(claim_text(ace.claim))
    return f"({';'.join(fields)})"


class _Reader:
    """A cursor over the text of a descriptor; everything it refuses is a `ValueError`."""

    def __init__(self, text: str) -> None:
        if len(text) > MAX_TEXT:
            raise ValueError(f"the length is {len(text)} characters, more than {MAX_TEXT}")
        self.text = text
        self.at = 0

    def space(self) -> None:
        match = _SPACE.match(self.text, self.at)
        self.at = match.end() if match is not None else self.at

    def descriptor(self) -> SecurityDescriptor:
        trustees: dict[str, Trustee] = {}
        lists: dict[str, tuple[tuple[str, ...], tuple[Ace, ...] | None]] = {}
        self.space()
        while self.at < len(self.text):
            letter = self.part()
            if letter in trustees or letter in lists:
                raise ValueError(f"{letter}: stands there twice")
            if letter in "OG":
                trustees[letter] = self.trustee()
            else:
                lists[letter] = self.acl()
            self.space()
        (dacl_flags, dacl), (sacl_flags, sacl) = (lists.get(letter, ((), None)) for letter in "DS")
        return SecurityDescriptor(trustees.get("O"), trustees.get("G"), dacl, sacl, dacl_flags, sacl_flags, self.text)

    def part(self) -> str:
        match = _PART.match(self.text, self.at)
        if match is None:
            raise ValueError(f"{shorten(self.text[self.at :], 24)!r} at {self.at} begins with none of O: G: D: S:")
        self.at = match.end()
        return match[1]

    def trustee(self) -> Trustee:
        match = _OWNER.match(self.text, self.at)
        if match is None:
            raise ValueError(f"{shorten(self.text[self.at :], 24)!r} at {self.at} is not a SID")
        self.at = match.end()
        return read_sid(match[1])

    def acl(self) -> tuple[tuple[str, ...], tuple[Ace, ...] | None]:
        """The flags and entries of an ACL; None for the entries of NO_ACCESS_CONTROL, a null ACL."""
        match = _FLAGS.match(self.text, self.at)
        said = _FLAG.findall(match[0]) if match is not None else []
        self.at = match.end() if match is not None else self.at
        flags = tuple(flag for flag in ACL_FLAGS if flag in said)
        entries: list[Ace] = []
        self.space()
        while self.text.startswith("(", self.at):
            entries.append(self.entry())
            self.space()
        if len(entries) > MAX_ENTRIES:
            raise ValueError(f"{len(entries)} entries, more than an ACL can hold")
        if NO_ACCESS_CONTROL in flags:
            if entries:
                raise ValueError("entries after NO_ACCESS_CONTROL")
            return flags, None
        return flags, tuple(entries)

    def entry(self) -> Ace:
        start, depth = self.at, 0
        for piece in _PIECE.finditer(self.text, start):
            depth += {"(": 1, ")": -1}.get(piece[0], 0)
            if depth == 0:
                self.at = piece.end()
                return read_ace(self.text[start + 1 : self.at - 1])
        raise ValueError(f"the entry {shorten(self.text[start:], 24)!r} at {start} has no end")


def read_ace(body: str) -> Ace:
    """The entry between two parentheses; `ValueError` says what is wrong with it."""
    raw = body.split(";", 6)
    if len(raw) < 6:
        raise ValueError(f"the entry {shorten(body, 24)!r} has {len(raw)} fields, wanted 6 or 7")
    fields = [field.strip(_SPACES) for field in raw]
    kind = _TYPES.get(fields[0].upper())
    if kind is None:
        raise ValueError(f"{shorten(fields[0], 24)!r} is not a type of entry")
    guids = (_guid(fields[3], kind), _guid(fields[4], kind))
    ace = Ace(kind, read_flags(fields[1]), read_mask(raw[2].lstrip(_SPACES)), read_sid(fields[5]), guids=guids)
    return _with_seventh(ace, fields[6] if len(fields) == 7 else None)


def _with_seventh(ace: Ace, field: str | None) -> Ace:
    """The entry with its expression or claim, which is there exactly when the type asks for it."""
    wanted = ace.type.is_conditional or ace.type is AceType.RESOURCE_ATTRIBUTE
    if (field is not None) is not wanted:
        raise ValueError(f"an entry of type {ace.type.value} {'without' if wanted else 'with'} a seventh field")
    if field is None:
        return ace
    head = (ace.type, ace.flags, ace.mask, ace.trustee)
    if ace.type is AceType.RESOURCE_ATTRIBUTE:
        return Ace(*head, claim=read_claim(field))
    if not field.startswith("(") or not field.endswith(")"):
        raise ValueError(f"the expression {shorten(field, 24)!r} is not in parentheses")
    return Ace(*head, condition=read_expression(field[1:-1]), guids=ace.guids)


def _guid(text: str, kind: AceType) -> str:
    lower = text.lower()
    if _GUID.fullmatch(lower) is None or (lower and not kind.is_object):
        raise ValueError(f"{shorten(text, 24)!r} is no object type of an entry of type {kind.value}")
    return lower
