"""The nouns of security descriptors: how expressions print, what a descriptor cannot be."""

from __future__ import annotations

import pytest

from tamiz.model.security import (
    NO_ACCESS_CONTROL,
    AceType,
    Attribute,
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
    Token,
    sid_text,
)
from tamiz.model.sids import ADMINISTRATORS, EVERYONE, Sid

A, B = Existence("", Attribute("a")), Existence("", Attribute("@USER.b"))


@pytest.mark.parametrize(
    ("expression", "text"),
    [
        pytest.param(A, "a", id="a name alone"),
        pytest.param(Existence("Not_Exists", Attribute("@DEVICE.x")), "Not_Exists @DEVICE.x", id="an existence"),
        pytest.param(
            Relation("Contains", Attribute("WIN://SYSAPPID"), Literals(("App",))),
            'WIN://SYSAPPID Contains "App"',
            id="a relation with a text",
        ),
        pytest.param(
            Membership("Member_of", Literals((ADMINISTRATORS, Sid(5, (99,))), composite=True)),
            "Member_of {SID(BA), SID(S-1-5-99)}",
            id="a membership in a list",
        ),
        pytest.param(Negation(A), "!(a)", id="a negation has its parentheses"),
        pytest.param(Junction("&&", (A, Junction("||", (A, B)))), "(a) && ((a) || (@USER.b))", id="a nested junction"),
        pytest.param(
            Relation("==", Attribute("a"), Literals((b"\x0a\xff", Number(7)), composite=True)),
            "a == {#0aff, 7}",
            id="bytes and a number",
        ),
    ],
)
def test_an_expression_prints_as_sddl(expression: Expression, text: str) -> None:
    assert str(expression) == text


@pytest.mark.parametrize(
    ("number", "text"),
    [
        pytest.param(Number(12), "12", id="decimal"),
        pytest.param(Number(12, "+"), "+12", id="with its sign"),
        pytest.param(Number(-12, "-"), "-12", id="negative"),
        pytest.param(Number(255, base=16), "0xff", id="hexadecimal"),
        pytest.param(Number(8, base=8), "010", id="octal"),
        pytest.param(Number(-255, "-", 16), "-0xff", id="negative hexadecimal"),
        pytest.param(Number(-1, base=16), "0xffffffffffffffff", id="all bits, as they stand"),
        pytest.param(Number(-(1 << 63), "-"), "-9223372036854775808", id="the lowest"),
    ],
)
def test_a_number_prints_as_it_was_written(number: Number, text: str) -> None:
    assert str(number) == text


@pytest.mark.parametrize(
    ("value", "sign"),
    [
        pytest.param(1 << 63, "", id="65 bits"),
        pytest.param(-1, "+", id="minus one with a plus"),
        pytest.param(1, "-", id="one with a minus"),
        pytest.param(-1, "", id="a negative decimal without its sign"),
    ],
)
def test_a_number_that_cannot_be_written_is_refused(value: int, sign: str) -> None:
    with pytest.raises(ValueError, match="number"):
        Number(value, sign)


def test_a_domain_alias_prints_its_letters() -> None:
    assert str(DomainAlias("DA")) == sid_text(DomainAlias("DA")) == "DA"
    assert sid_text(EVERYONE) == "WD"


@pytest.mark.parametrize(
    ("kind", "of_object", "conditional"),
    [
        pytest.param(AceType.ALLOW, False, False, id="A"),
        pytest.param(AceType.ALLOW_CALLBACK, False, True, id="XA"),
        pytest.param(AceType.ALLOW_OBJECT, True, False, id="OA"),
        pytest.param(AceType.ALLOW_CALLBACK_OBJECT, True, True, id="ZA"),
        pytest.param(AceType.ALARM_OBJECT, True, False, id="OL"),
        pytest.param(AceType.ACCESS_FILTER, False, True, id="FL"),
        pytest.param(AceType.AUDIT, False, False, id="AU"),
    ],
)
def test_what_an_entry_of_a_type_can_have(kind: AceType, of_object: bool, conditional: bool) -> None:
    assert (kind.is_object, kind.is_conditional) == (of_object, conditional)


def test_a_descriptor_equals_another_of_a_different_text() -> None:
    assert SecurityDescriptor(dacl=(), text="D:") == SecurityDescriptor(dacl=(), text=" D: ")
    assert str(SecurityDescriptor(dacl=(), text=" D: ")) == " D: "


@pytest.mark.parametrize(
    ("acl", "flags"),
    [
        pytest.param(None, ("P",), id="flags of no ACL"),
        pytest.param((), (NO_ACCESS_CONTROL,), id="an empty ACL that is said to be null"),
    ],
)
def test_flags_that_contradict_the_acl_are_refused(acl: tuple[()] | None, flags: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="flags"):
        SecurityDescriptor(dacl=acl, dacl_flags=flags)


def test_a_token_says_whether_it_is_all() -> None:
    assert str(Token(frozenset({EVERYONE}), complete=True)) == "token of S-1-1-0"
    assert str(Token(frozenset({EVERYONE}))) == "token of S-1-1-0 and others"
    assert hash(Token(attributes={"a": (1,)})) == hash(Token())
