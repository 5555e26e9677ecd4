"""Security descriptors and the tokens that are checked against them (spec conditions.md 4.6).

`SecurityDescriptor` is what a condition holds, `Token` what is known of a process's token. The access check itself is
`tamiz.engine.access`; the text form `tamiz.formats.sddl`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, IntFlag
from typing import Final, Union

from tamiz.model.sids import Sid

MATCH_FILTER: Final = 0x1  # FWP_ACTRL_MATCH_FILTER, printed CC


class AceType(Enum):
    """The kinds of access control entry, by their SDDL letters [MS-DTYP 2.5.1.1]."""

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
    ALLOW_CALLBACK_OBJECT = "ZA"
    MANDATORY_LABEL = "ML"
    RESOURCE_ATTRIBUTE = "RA"
    SCOPED_POLICY = "SP"


class AceFlags(IntFlag):
    """ACE_HEADER flags, by their SDDL letters."""

    OI = 0x01
    CI = 0x02
    NP = 0x04
    IO = 0x08
    ID = 0x10
    SA = 0x40
    FA = 0x80


@dataclass(frozen=True, slots=True)
class DomainAlias:
    """An SDDL abbreviation whose SID hangs on the machine's or domain's own SID (LA, DA, DU, ...): not known here."""

    letters: str

    def __str__(self) -> str:
        return self.letters


Trustee = Union[Sid, DomainAlias]

# -- conditional expressions (XA, XD) -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Attribute:
    """An attribute name, prefix included: `WIN://SYSAPPID`, `@User.x`."""

    name: str


@dataclass(frozen=True, slots=True)
class Literals:
    """A literal, or a composite one in braces: texts, numbers, SIDs, bytes."""

    items: tuple[str | int | bytes | Trustee, ...]
    composite: bool = False


@dataclass(frozen=True, slots=True)
class Relation:
    """`left operator right`: ==, !=, <, <=, >, >=, Contains, Any_of, Not_Contains, Not_Any_of."""

    operator: str
    left: Attribute
    right: Attribute | Literals


@dataclass(frozen=True, slots=True)
class Membership:
    """Member_of and its seven relatives, over a set of SIDs."""

    operator: str
    sids: Literals


@dataclass(frozen=True, slots=True)
class Existence:
    """`Exists name`, `Not_Exists name`, or a bare attribute used as a truth value (operator "")."""

    operator: str
    attribute: Attribute


@dataclass(frozen=True, slots=True)
class Negation:
    operand: Expression


@dataclass(frozen=True, slots=True)
class Junction:
    """`&&` or `||` over two or more operands."""

    operator: str
    operands: tuple[Expression, ...]


Expression = Union[Relation, Membership, Existence, Negation, Junction]

# -- descriptors ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Ace:
    """One entry. `guids`: object type and inherited object type of an object ACE; `extra`: the text of a resource
    attribute's claim, kept whole."""

    type: AceType
    flags: AceFlags
    mask: int
    trustee: Trustee
    condition: Expression | None = None
    guids: tuple[str, str] = ("", "")
    extra: str = ""


@dataclass(frozen=True, slots=True)
class SecurityDescriptor:
    """A security descriptor; `dacl` None is a null DACL (everything is granted), () an empty one (nothing is).

    `text` is the SDDL it was read from, so that nothing is lost; it takes no part in comparisons.
    """

    owner: Trustee | None = None
    group: Trustee | None = None
    dacl: tuple[Ace, ...] | None = None
    sacl: tuple[Ace, ...] | None = None
    dacl_flags: tuple[str, ...] = ()
    sacl_flags: tuple[str, ...] = ()
    text: str = field(default="", compare=False)

    def __str__(self) -> str:
        return self.text


AttributeValue = tuple[str | int | bytes | Sid, ...]


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
