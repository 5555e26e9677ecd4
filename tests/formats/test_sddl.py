"""SDDL: what is read, how it is written, what is refused."""

from __future__ import annotations

import re
from html import unescape
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tamiz.formats.sddl import INVALID, MAX_TEXT, parse_sddl, write_sddl
from tamiz.formats.sddl.binary import read_security, write_security
from tamiz.model.errors import InputError, Place
from tamiz.model.security import (
    Ace,
    AceFlags,
    AceType,
    Attribute,
    Claim,
    DomainAlias,
    Existence,
    Expression,
    Junction,
    Literals,
    Membership,
    Negation,
    Number,
    Relation,
    SecurityDescriptor,
)
from tamiz.model.sids import (
    ADMINISTRATORS,
    ALIASES,
    ANONYMOUS,
    DOMAIN_RIDS,
    EVERYONE,
    LOCAL_SYSTEM,
    Sid,
)
from tests.descriptors import descriptors
from tests.shared import shared

PLACE = Place("policy.xml", line=7)


def read(text: str) -> SecurityDescriptor:
    return parse_sddl(text, PLACE, "filter 'x'")


def only(text: str) -> Ace:
    """The one entry of a DACL."""
    (ace,) = read(f"D:{text}").dacl or ()
    return ace


def allow(sid: Sid = EVERYONE) -> Ace:
    return Ace(AceType.ALLOW, AceFlags(0), 1, sid)


# -- the parts of a descriptor ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "descriptor"),
    [
        pytest.param("", SecurityDescriptor(), id="nothing at all"),
        pytest.param("D:", SecurityDescriptor(dacl=()), id="an empty DACL"),
        pytest.param("D:(A;;CC;;;WD)", SecurityDescriptor(dacl=(allow(),)), id="one entry"),
        pytest.param(
            "O:SYG:S-1-5-32-544D:",
            SecurityDescriptor(LOCAL_SYSTEM, ADMINISTRATORS, dacl=()),
            id="owner and group, in letters and digits",
        ),
        pytest.param(
            "D:NO_ACCESS_CONTROL",
            SecurityDescriptor(dacl_flags=("NO_ACCESS_CONTROL",)),
            id="a null DACL",
        ),
        pytest.param(
            "D:(A;;CC;;;AN)S:NO_ACCESS_CONTROL",
            SecurityDescriptor(dacl=(allow(ANONYMOUS),), sacl_flags=("NO_ACCESS_CONTROL",)),
            id="a null SACL after a DACL",
        ),
        pytest.param(
            "D:PARAI(A;;CC;;;WD)S:AI",
            SecurityDescriptor(None, None, (allow(),), (), ("P", "AR", "AI"), ("AI",)),
            id="flags",
        ),
        pytest.param("D:AIP", SecurityDescriptor(dacl=(), dacl_flags=("P", "AI")), id="flags in another order"),
        pytest.param("D:PS:", SecurityDescriptor(dacl=(), sacl=(), dacl_flags=("P",)), id="P is no part of S:"),
        pytest.param(" O: SY D: (A;;CC;;;WD) ", SecurityDescriptor(LOCAL_SYSTEM, dacl=(allow(),)), id="spaces"),
        pytest.param("O:s-1-5-0x12D:", SecurityDescriptor(LOCAL_SYSTEM, dacl=()), id="a hexadecimal SID before D:"),
        pytest.param("O:DAG:LA", SecurityDescriptor(DomainAlias("DA"), DomainAlias("LA")), id="aliases of a domain"),
    ],
)
def test_the_parts_of_a_descriptor(text: str, descriptor: SecurityDescriptor) -> None:
    assert read(text) == descriptor
    assert read(text).text == text
    assert read(write_sddl(descriptor)) == descriptor


@pytest.mark.parametrize("letters", [*ALIASES, *DOMAIN_RIDS])
def test_every_alias_comes_back(letters: str) -> None:
    text = f"O:{letters}D:(A;;CC;;;{letters})"
    assert write_sddl(read(text)) == text
    assert read(text.replace(letters, letters.lower())) == read(text)


# -- entries ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mask", "number", "printed"),
    [
        pytest.param("CC", 0x1, "CC", id="the right to match a filter"),
        pytest.param("0x1", 0x1, "CC", id="the same in hexadecimal"),
        pytest.param("CCRC", 0x20001, "CCRC", id="with READ_CONTROL"),
        pytest.param("RCCC", 0x20001, "CCRC", id="in another order"),
        pytest.param("", 0, "", id="no right"),
        pytest.param("010", 8, "SW", id="octal"),
        pytest.param("16", 16, "RP", id="decimal"),
        pytest.param("0x200", 0x200, "0x200", id="a bit without letters"),
        pytest.param("FA", 0x1F01FF, "FA", id="all of a file"),
        pytest.param("KA", 0xF003F, "CCDCLCSWRPWPSDRCWDWO", id="all of a registry key"),
        pytest.param("GRGWGXGA", 0xF0000000, "GAGXGWGR", id="generic rights"),
        pytest.param("-1", 0xFFFFFFFF, "0xffffffff", id="a negative number"),
        pytest.param("0x123456789", 0xFFFFFFFF, "0xffffffff", id="more than 32 bits are all bits, as in Windows"),
        pytest.param("cc rc", 0x20001, "CCRC", id="lower case and a space"),
    ],
)
def test_masks(mask: str, number: int, printed: str) -> None:
    ace = only(f"(A;;{mask};;;WD)")
    assert ace.mask == number
    assert write_sddl(SecurityDescriptor(dacl=(ace,))) == f"D:(A;;{printed};;;WD)"


def test_the_rights_of_a_mandatory_label_have_letters_of_their_own() -> None:
    text = "S:(ML;;NWNX;;;LW)"
    assert [ace.mask for ace in read(text).sacl or ()] == [5]
    assert write_sddl(read(text)) == text


@pytest.mark.parametrize(
    ("flags", "value"),
    [
        pytest.param("", 0, id="none"),
        pytest.param("NP", 0x04, id="no propagation, as in real filters"),
        pytest.param("OICINPIOID", 0x1F, id="inheritance"),
        pytest.param("SAFA", 0xC0, id="audit"),
        pytest.param("ioCI", 0x0A, id="in any case"),
    ],
)
def test_flags_of_an_entry(flags: str, value: int) -> None:
    assert only(f"(A;{flags};CC;;;WD)").flags == AceFlags(value)


@pytest.mark.parametrize("kind", [k for k in AceType if not k.is_conditional and k is not AceType.RESOURCE_ATTRIBUTE])
def test_plain_types(kind: AceType) -> None:
    assert only(f"({kind.value};;CC;;;WD)") == Ace(kind, AceFlags(0), 1, EVERYONE)


@pytest.mark.parametrize("kind", [k for k in AceType if k.is_conditional])
def test_conditional_types(kind: AceType) -> None:
    assert only(f"({kind.value};;CC;;;WD;(a))").condition == Existence("", Attribute("a"))


OBJECT, INHERITED = "00299570-246d-11d0-a768-00aa006e0529", "bf967aba-0de6-11d0-a285-00aa003049e2"


@pytest.mark.parametrize(
    "guids",
    [
        pytest.param(("", ""), id="none"),
        pytest.param((OBJECT, ""), id="the object's"),
        pytest.param(("", INHERITED), id="the inherited object's"),
        pytest.param((OBJECT, INHERITED), id="both"),
    ],
)
def test_object_types(guids: tuple[str, str]) -> None:
    ace = only(f"(OA;;CC;{';'.join(guids).upper()};WD)")
    assert ace.guids == guids
    assert write_sddl(SecurityDescriptor(dacl=(ace,))) == f"D:(OA;;CC;{';'.join(guids)};WD)"


# -- expressions ------------------------------------------------------------------------------------------------

A, B, C = (Existence("", Attribute(name)) for name in "abc")


@pytest.mark.parametrize(
    ("text", "expression"),
    [
        pytest.param(
            'WIN://SYSAPPID Contains "Example.App_8wekyb3d8bbwe"',
            Relation("Contains", Attribute("WIN://SYSAPPID"), Literals(("Example.App_8wekyb3d8bbwe",))),
            id="the form of real filters",
        ),
        pytest.param("a", A, id="a name alone"),
        pytest.param("a&&b||c", Junction("||", (Junction("&&", (A, B)), C)), id="&& binds closer than ||"),
        pytest.param("a || b && c", Junction("||", (A, Junction("&&", (B, C)))), id="also at the right"),
        pytest.param("a && b && c", Junction("&&", (A, B, C)), id="a chain"),
        pytest.param("(a && b) && c", Junction("&&", (A, B, C)), id="a chain with needless parentheses"),
        pytest.param("a && (b && c)", Junction("&&", (A, Junction("&&", (B, C)))), id="a chain to the right"),
        pytest.param("!(a)", Negation(A), id="a negation"),
        pytest.param("! ! (a)", Negation(Negation(A)), id="twice, with spaces"),
        pytest.param("!@User.b", Negation(Existence("", Attribute("@USER.b"))), id="of a prefixed name"),
        pytest.param("Exists a", Existence("Exists", Attribute("a")), id="an existence"),
        pytest.param("not_exists @device.a", Existence("Not_Exists", Attribute("@DEVICE.a")), id="in any case"),
        pytest.param(
            "Member_of{SID(BA), sid(S-1-5-7)}",
            Membership("Member_of", Literals((ADMINISTRATORS, ANONYMOUS), composite=True)),
            id="a membership",
        ),
        pytest.param(
            "Not_Device_Member_of_Any (SID(DA))",
            Membership("Not_Device_Member_of_Any", Literals((DomainAlias("DA"),))),
            id="the longest of its relatives, with a domain's group in parentheses",
        ),
        pytest.param(
            "@User.a==@Resource.b",
            Relation("==", Attribute("@USER.a"), Attribute("@RESOURCE.b")),
            id="two names",
        ),
        pytest.param("a<=-0x1F", Relation("<=", Attribute("a"), Literals((Number(-31, "-", 16),))), id="signed hex"),
        pytest.param("a != +017", Relation("!=", Attribute("a"), Literals((Number(15, "+", 8),))), id="signed octal"),
        pytest.param(
            "a == 0xffffffffffffffff",
            Relation("==", Attribute("a"), Literals((Number(-1, base=16),))),
            id="64 bits",
        ),
        pytest.param("a Any_of {}", Relation("Any_of", Attribute("a"), Literals((), composite=True)), id="no values"),
        pytest.param(
            'a Any_of {"x", 2, #0f, SID(WD)}',
            Relation("Any_of", Attribute("a"), Literals(("x", Number(2), b"\x0f", EVERYONE), composite=True)),
            id="all types",
        ),
        pytest.param(
            "a == #123",
            Relation("==", Attribute("a"), Literals((b"\x01\x23",))),
            id="an odd number of digits",
        ),
        pytest.param('a == ")(;"', Relation("==", Attribute("a"), Literals((")(;",))), id="signs in a text"),
        pytest.param("@User.a%0020b", Existence("", Attribute("@USER.a%0020b")), id="an escaped space in a name"),
        pytest.param("@User.%0061-#;", Existence("", Attribute("@USER.a-#;")), id="signs that need no escape"),
        pytest.param("%0061%0040", Existence("", Attribute("a%0040")), id="an escape that is needed in a plain name"),
        pytest.param("@User.%D83D%DE00", Existence("", Attribute("@USER.%d83d%de00")), id="a pair of surrogates"),
    ],
)
def test_expressions(text: str, expression: Expression) -> None:
    assert only(f"(XA;;CC;;;WD;({text}))").condition == expression
    assert only(f"(XA;;CC;;;WD;({expression}))").condition == expression


@pytest.mark.parametrize(
    ("text", "claim"),
    [
        pytest.param('("n",TI,0,-1,+07,0x10)', Claim("n", "TI", 0, (-1, 7, 16)), id="signed numbers"),
        pytest.param('("n",TU,0x3,18446744073709551615)', Claim("n", "TU", 3, ((1 << 64) - 1,)), id="an unsigned one"),
        pytest.param('( "n" , ts , 0 , "a" , "b,)(" )', Claim("n", "TS", 0, ("a", "b,)(")), id="texts and spaces"),
        pytest.param('("n",TD,0,SID(BA),WD)', Claim("n", "TD", 0, (ADMINISTRATORS, EVERYONE)), id="SIDs"),
        pytest.param('("n",TX,0,00ff,#1)', Claim("n", "TX", 0, (b"\x00\xff", b"\x01")), id="bytes"),
        pytest.param('("n",TB,0,0,1)', Claim("n", "TB", 0, (0, 1)), id="truth values"),
        pytest.param('("a%0020b",TS,0)', Claim("a b", "TS", 0, ()), id="an escaped name, and no values"),
    ],
)
def test_resource_attributes(text: str, claim: Claim) -> None:
    (ace,) = read(f"S:(RA;;;;;WD;{text})").sacl or ()
    assert ace.claim == claim
    assert read(write_sddl(SecurityDescriptor(sacl=(ace,)))).sacl == (ace,)


# -- refusals ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("X:", id="an unknown part"),
        pytest.param("d:", id="a part in lower case"),
        pytest.param("D:D:", id="a part twice"),
        pytest.param("D:(A;;CC;;;WD", id="an entry without an end"),
        pytest.param("D:(A;;CC;;;WD))", id="a parenthesis too many"),
        pytest.param("D:(A;;CC;;)", id="five fields"),
        pytest.param("D:(A;;CC;;;WD;)", id="a seventh field where none belongs"),
        pytest.param("D:(A;;CC;;;WD;(a))", id="an expression in a plain entry"),
        pytest.param("D:(XA;;CC;;;WD)", id="a conditional entry without an expression"),
        pytest.param("D:(XA;;CC;;;WD;a)", id="an expression without parentheses"),
        pytest.param("D:(XA;;CC;;;WD;())", id="an empty expression"),
        pytest.param("D:(Q;;CC;;;WD)", id="an unknown type"),
        pytest.param("D:(A;QQ;CC;;;WD)", id="an unknown flag"),
        pytest.param("D:(A;;QQ;;;WD)", id="an unknown right"),
        pytest.param("D:(A;;CCC;;;WD)", id="half a right"),
        pytest.param("D:(A;;CC ;;;WD)", id="a space after a right"),
        pytest.param("D:(A;;CC;;;QQ)", id="an unknown alias"),
        pytest.param("D:(A;;CC;;;)", id="no SID"),
        pytest.param("D:(A;;CC;;;S-1-0x1313131313131-5)", id="a SID beyond its width"),
        pytest.param("D:(OA;;CC;1234;;WD)", id="an object type that is no GUID"),
        pytest.param(f"D:(A;;CC;{OBJECT};;WD)", id="an object type in a plain entry"),
        pytest.param("D:NO_ACCESS_CONTROL(A;;CC;;;WD)", id="entries in a null DACL"),
        pytest.param("O:", id="an owner without a SID"),
        pytest.param("O:SYX", id="letters after the owner"),
        pytest.param("D:(XA;;CC;;;WD;(a == b))", id="a plain name at the right"),
        pytest.param("D:(XA;;CC;;;WD;(a ==))", id="nothing at the right"),
        pytest.param("D:(XA;;CC;;;WD;(a Exists b))", id="an operator in the wrong place"),
        pytest.param("D:(XA;;CC;;;WD;(a b))", id="two names"),
        pytest.param("D:(XA;;CC;;;WD;(!a))", id="a negation without parentheses"),
        pytest.param("D:(XA;;CC;;;WD;(a &&))", id="a junction with one side"),
        pytest.param("D:(XA;;CC;;;WD;(a == 08))", id="an octal 8"),
        pytest.param("D:(XA;;CC;;;WD;(a == 9223372036854775808))", id="a decimal of 65 bits"),
        pytest.param("D:(XA;;CC;;;WD;(a == 0x10000000000000000))", id="a hexadecimal of 65 bits"),
        pytest.param('D:(XA;;CC;;;WD;(a == "x))', id="a text without an end"),
        pytest.param("D:(XA;;CC;;;WD;(a == {1,}))", id="a list that ends with a comma"),
        pytest.param("D:(XA;;CC;;;WD;(a == {1 2}))", id="a list without a comma"),
        pytest.param("D:(XA;;CC;;;WD;(a == {1, {2}}))", id="a list in a list"),
        pytest.param("D:(XA;;CC;;;WD;(@Planet.a))", id="an unknown prefix"),
        pytest.param("D:(XA;;CC;;;WD;(@User.))", id="a prefix alone"),
        pytest.param("D:(XA;;CC;;;WD;(@User.a%00))", id="half an escape"),
        pytest.param("D:(XA;;CC;;;WD;(@User.a%0000))", id="a NUL in a name"),
        pytest.param("D:(XA;;CC;;;WD;(@User.a%d800))", id="half a pair of surrogates"),
        pytest.param("D:(XA;;CC;;;WD;(a == SID(QQ)))", id="an unknown SID in an expression"),
        pytest.param("S:(RA;;;;;WD)", id="a resource attribute without a claim"),
        pytest.param('S:(RA;;;;;WD;("n",TQ,0))', id="a claim of unknown type"),
        pytest.param('S:(RA;;;;;WD;("n",TU,0,-1))', id="a negative unsigned number"),
        pytest.param('S:(RA;;;;;WD;("n",TS,0,a))', id="a text without quotation marks"),
        pytest.param('S:(RA;;;;;WD;("n",TX,0,xy))', id="bytes that are none"),
        pytest.param('S:(RA;;;;;WD;("",TI,0,1))', id="a claim without a name"),
        pytest.param("D:(A;;CC;;;WD)\ud800", id="half a surrogate"),
    ],
)
def test_what_is_no_descriptor_is_refused(text: str) -> None:
    with pytest.raises(InputError) as refused:
        read(text)
    assert refused.value.code == INVALID
    assert (refused.value.place, refused.value.subject) == (PLACE, "filter 'x'")


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("D:" + "(" * 100_000, id="a hundred thousand parentheses"),
        pytest.param("D:(XA;;CC;;;WD;(" + "(" * 9999 + "a" + ")" * 9999 + "))", id="parentheses in an expression"),
        pytest.param("D:(XA;;CC;;;WD;(" + "!" * 99_999 + "(a)))", id="a hundred thousand negations"),
        pytest.param("D:(XA;;CC;;;WD;(a == " + "9" * 99_999 + "))", id="a number of a hundred thousand digits"),
        pytest.param("D:(A;;" + "9" * 99_999 + ";;;WD)", id="such a mask"),
        pytest.param("O:S-1-5" + "-1" * 99_999, id="a SID of a hundred thousand parts"),
        pytest.param("D:" + "(A;;CC;;;WD)" * 3277, id="more entries than an ACL holds"),
        pytest.param("O:" + " " * MAX_TEXT, id="a text beyond the limit"),
    ],
)
def test_size_is_limited(text: str) -> None:
    with pytest.raises(InputError, match=INVALID):
        read(text)


def test_a_long_chain_is_no_nesting() -> None:
    text = " && ".join(["(a)"] * 1000)
    ace = only(f"(XA;;CC;;;WD;({text}))")
    assert isinstance(ace.condition, Junction)
    assert len(ace.condition.operands) == 1000
    assert only(f"(XA;;CC;;;WD;({ace.condition}))") == ace


@settings(deadline=None)
@given(st.text(alphabet='OGDS:(A;)XCWD!&|"{}@=SID-1 0x#%\n\ud800é', max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        descriptor = read(text)
    except InputError:
        return
    assert read(write_sddl(descriptor)) == descriptor


@given(descriptors())
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_every_descriptor_comes_back_from_its_text(descriptor: SecurityDescriptor) -> None:
    assert read(write_sddl(descriptor)) == descriptor


# -- real descriptors -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def real() -> list[str]:
    """The distinct descriptors of the dumps."""
    found = set()
    for path in shared("data/dumps").glob("*.xml"):
        data = path.read_bytes()
        text = data.decode("utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8")
        for match in re.finditer(r"<sd>\s*(?:<!\[CDATA\[(.*?)\]\]>|(.*?))\s*</sd>", text, re.DOTALL):
            found.add(match[1] if match[1] is not None else unescape(match[2]))
    return sorted(found)


@pytest.mark.shared
def test_real_descriptors_come_back_letter_by_letter(real: list[str]) -> None:
    assert len(real) == 79
    assert [write_sddl(read(text)) for text in real] == real


@pytest.mark.shared
def test_real_descriptors_come_back_through_their_bytes(real: list[str]) -> None:
    for text in real:
        data = write_security(read(text), PLACE, "x")
        assert str(read_security(data, PLACE, "x")) == text


@pytest.mark.shared
def test_another_parser_sees_the_same_entries(real: list[str]) -> None:
    sddl_parser: Any = pytest.importorskip("sddl_parser")
    compared = 0
    for text in real:
        try:
            theirs = sddl_parser.parse_sddl(text).dacl.aces
        except Exception:  # it reads no descriptor without a group
            continue
        ours = read(text).dacl or ()
        assert [(ace.mask, str(ace.trustee)) for ace in ours] == [
            (ace.rights_int, str(getattr(ace.sid, "value", ace.sid))) for ace in theirs
        ]
        compared += 1
    assert compared == 68
