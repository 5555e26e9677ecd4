"""Security descriptors and the tokens that are checked against them (spec conditions.md 4.6).

`SecurityDescriptor` is what a condition holds, `Token` what is known of a process's token. The access check itself is
`tamiz.engine.access`; the text form `tamiz.formats.sddl`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, IntFlag
from typing import Final, Union

from tamiz.model.sids import LETTERS, Sid

NO_ACCESS_CONTROL: Final = "NO_ACCESS_CONTROL"  # the flag of a null ACL
MATCH_FILTER: Final = 0x1  # FWP_ACTRL_MATCH_FILTER, printed CC


class AceType(Enum):
    """The kinds of access control entry, by their SDDL letters [MS-DTYP 2.5.1.1].

    ZD and ZU are letters of ours: Windows has these two kinds, but no SDDL for them.
    """

    ALLOW = "A"
    DENY = "D"
    AUDIT = "AU"
    ALARM = "AL"
    ALLOW_CALLBACK = "XA"
    DENY_CALLBACK = "XD"
    AUDIT_CALLBACK = "XU"
    ALLOW_OBJECT = "OA"
    DENY_OBJECT = "OD"
    AUDIT_OBJECT = "OU"
    ALARM_OBJECT = "OL"
    ALLOW_CALLBACK_OBJECT = "ZA"
    DENY_CALLBACK_OBJECT = "ZD"
    AUDIT_CALLBACK_OBJECT = "ZU"
    MANDATORY_LABEL = "ML"
    RESOURCE_ATTRIBUTE = "RA"
    SCOPED_POLICY = "SP"
    TRUST_LABEL = "TL"
    ACCESS_FILTER = "FL"

    @property
    def is_object(self) -> bool:
        """Whether its entries have object types."""
        return self.value[0] in "OZ"

    @property
    def is_conditional(self) -> bool:
        """Whether its entries can have an expression: the callback kinds, and access filters."""
        return self.value[0] in "XZ" or self is AceType.ACCESS_FILTER


class AceFlags(IntFlag):
    """ACE_HEADER flags, by their SDDL letters."""

    OI = 0x01
    CI = 0x02
    NP = 0x04
    IO = 0x08
    ID = 0x10
    CR = 0x20
    SA = 0x40
    FA = 0x80


@dataclass(frozen=True, slots=True)
class DomainAlias:
    """An SDDL abbreviation whose SID hangs on the machine's or domain's own SID (LA, DA, DU, ...): not known here."""

    letters: str

    def __str__(self) -> str:
        return self.letters


Trustee = Union[Sid, DomainAlias]


def sid_text(trustee: Trustee) -> str:
    """The two letters SDDL has for it, else `S-1-...`."""
    if isinstance(trustee, DomainAlias):
        return trustee.letters
    return LETTERS.get(trustee) or str(trustee)


# -- conditional expressions (XA, XD) -----------------------------------------------------------------------------
# `str` of each is its SDDL.


@dataclass(frozen=True, slots=True)
class Attribute:
    """An attribute name as SDDL spells it, prefix included: `WIN://SYSAPPID`, `@User.x`; `%0020` is a space."""

    name: str

    def __str__(self) -> str:
        return self.name

    @property
    def is_resource(self) -> bool:
        """`@Resource.x`: a claim in the descriptor's own SACL."""
        return self.name.casefold().startswith("@resource.")


@dataclass(frozen=True, slots=True)
class Number:
    """A signed number of 64 bits, and how it was written: its sign ("", "+" or "-"), its base (8, 10 or 16).

    Without a sign, octal and hexadecimal digits are the 64 bits themselves; a negative decimal has its sign.
    """

    value: int
    sign: str = ""
    base: int = 10

    def __post_init__(self) -> None:
        if not -(1 << 63) <= self.value < 1 << 63:
            raise ValueError(f"number {self.value}, wanted one of 64 bits")
        wrong = {"+": self.value < 0, "-": self.value > 0, "": self.value < 0 and self.base == 10}
        if wrong[self.sign]:
            raise ValueError(f"number {self.value} with the sign {self.sign!r}")

    def __str__(self) -> str:
        digits = abs(self.value) if self.sign else self.value % (1 << 64)
        return self.sign + _BASES[self.base].format(digits)


_BASES: Final = {8: "0{:o}", 10: "{}", 16: "0x{:x}"}

Literal = Union[str, Number, bytes, Trustee]


@dataclass(frozen=True, slots=True)
class Literals:
    """A literal, or a composite one in braces: texts, numbers, SIDs, bytes."""

    items: tuple[Literal, ...]
    composite: bool = False

    def __str__(self) -> str:
        shown = ", ".join(map(literal_text, self.items))
        return f"{{{shown}}}" if self.composite else shown


def literal_text(item: Literal) -> str:
    """A literal in SDDL: `"text"`, `12`, `#0a0b`, `SID(BA)`."""
    if isinstance(item, str):
        return f'"{item}"'
    if isinstance(item, bytes):
        return f"#{item.hex()}"
    return str(item) if isinstance(item, Number) else f"SID({sid_text(item)})"


@dataclass(frozen=True, slots=True)
class Relation:
    """`left operator right`: ==, !=, <, <=, >, >=, Contains, Any_of, Not_Contains, Not_Any_of."""

    operator: str
    left: Attribute
    right: Attribute | Literals

    def __str__(self) -> str:
        return f"{self.left} {self.operator} {self.right}"


@dataclass(frozen=True, slots=True)
class Membership:
    """Member_of and its seven relatives, over a set of SIDs."""

    operator: str
    sids: Literals

    def __str__(self) -> str:
        return f"{self.operator} {self.sids}"


@dataclass(frozen=True, slots=True)
class Existence:
    """`Exists name`, `Not_Exists name`, or a bare attribute used as a truth value (operator "")."""

    operator: str
    attribute: Attribute

    def __str__(self) -> str:
        return f"{self.operator} {self.attribute}".strip()


@dataclass(frozen=True, slots=True)
class Negation:
    """`!operand`."""

    operand: Expression

    def __str__(self) -> str:
        return f"!({self.operand})"


@dataclass(frozen=True, slots=True)
class Junction:
    """`&&` or `||` over two or more operands."""

    operator: str
    operands: tuple[Expression, ...]

    def __str__(self) -> str:
        return f" {self.operator} ".join(f"({operand})" for operand in self.operands)


Expression = Union[Relation, Membership, Existence, Negation, Junction]

# -- descriptors ---------------------------------------------------------------------------------------------------


AttributeValue = tuple[Union[str, int, bytes, Trustee], ...]


@dataclass(frozen=True, slots=True)
class Claim:
    """A resource attribute (RA): `type` is TI, TU, TS, TD, TX or TB [MS-DTYP 2.5.1.1], `flags` are the claim's.

    `values`: numbers for TI, TU and TB, texts for TS, SIDs for TD, bytes for TX.
    """

    name: str
    type: str
    flags: int
    values: AttributeValue


@dataclass(frozen=True, slots=True)
class Ace:
    """One entry. `guids`: object type and inherited object type of an object ACE; `claim`: of a resource attribute."""

    type: AceType
    flags: AceFlags
    mask: int
    trustee: Trustee
    condition: Expression | None = None
    guids: tuple[str, str] = ("", "")
    claim: Claim | None = None


@dataclass(frozen=True, slots=True)
class SecurityDescriptor:
    """A security descriptor; `dacl` None is a null DACL (everything is granted), () an empty one (nothing is).

    An ACL that is None is absent, or, with the flag NO_ACCESS_CONTROL, present and null; only an ACL that is present
    has flags (P, AR, AI). `text` is the SDDL it was read from, so that nothing is lost; it takes no part in
    comparisons.
    """

    owner: Trustee | None = None
    group: Trustee | None = None
    dacl: tuple[Ace, ...] | None = None
    sacl: tuple[Ace, ...] | None = None
    dacl_flags: tuple[str, ...] = ()
    sacl_flags: tuple[str, ...] = ()
    text: str = field(default="", compare=False)

    def __post_init__(self) -> None:
        for acl, flags in ((self.dacl, self.dacl_flags), (self.sacl, self.sacl_flags)):
            if flags and (acl is None) is not (NO_ACCESS_CONTROL in flags):
                raise ValueError(f"ACL flags {flags!r} of {'no' if acl is None else 'an'} ACL")

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class Token:
    """What is known of a token.

    `present`: SIDs that are enabled in it; `deny_only`: SIDs that only deny ACEs see; `absent`: SIDs known not to be
    in it. `complete`: no other SID is in it; else a SID in none of these sets is not known. `app_container`: whether
    the process runs in one (None: not known); its package and capability SIDs stand in `present`. `restricted`: the
    restricting SIDs of a restricted token, None for an ordinary one. `attributes`: claim and security attributes, by
    full name; None: not known.
    """

    present: frozenset[Sid] = frozenset()
    absent: frozenset[Sid] = frozenset()
    complete: bool = False
    app_container: bool | None = None
    deny_only: frozenset[Sid] = frozenset()
    restricted: frozenset[Sid] | None = None
    attributes: Mapping[str, AttributeValue] | None = field(default=None, hash=False)

    def __str__(self) -> str:
        shown = ", ".join(sorted(map(str, self.present)))
        return f"token of {shown or 'nothing'}{'' if self.complete else ' and others'}"
