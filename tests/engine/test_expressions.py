"""Conditional expressions in Windows' three-valued logic [MS-DTYP 2.4.4.17.6 and .7]."""

from __future__ import annotations

import pytest

from tamiz.engine.expressions import Claims, Verdict, evaluate
from tamiz.formats.sddl import parse_sddl
from tamiz.model.errors import Place
from tamiz.model.formula import FALSE, TRUE, Atom, Formula, all_of, any_of, constant, negate
from tamiz.model.security import Attribute, Expression, Literals, Relation, Token, Trustee
from tamiz.model.sids import ADMINISTRATORS, EVERYONE, Sid

YES, NO, UNKNOWN = Verdict(TRUE, FALSE), Verdict(FALSE, TRUE), Verdict(FALSE, FALSE)

ATTRIBUTES = {
    "n": (3,),
    "zero": (0,),
    "word": ("Blue",),
    "empty": ("",),
    "many": ("red", "Blue"),
    "numbers": (1, 2, 3),
    "bytes": (b"\x01",),
    "group": (ADMINISTRATORS,),
    "valueless": (),
    "@USER.n": (4,),
    "WIN://SYSAPPID": ("Example.App_1", "App"),
}
CLAIMS = (
    '(RA;;;;;WD;("n",TI,0,3))(RA;;;;;WD;("exact",TS,0x2,"blue"))(RA;;;;;WD;("twice",TS,0,"a","A"))'
    '(RA;;;;;WD;("off",TI,0x10,1))(RA;;;;;WD;("colours",TS,0,"red","blue"))'
)


def member(trustee: Trustee) -> Formula:
    return constant(trustee == EVERYONE)


def verdict(text: str, attributes: dict[str, tuple[str | int | bytes | Sid, ...]] | None) -> Verdict:
    descriptor = parse_sddl(f"D:(XA;;CC;;;WD;({text}))S:{CLAIMS}", Place("test"), "x")
    (ace,) = descriptor.dacl or ()
    assert ace.condition is not None
    return evaluate(ace.condition, Claims.of(Token(attributes=attributes), descriptor), member)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        pytest.param("n == 3", YES, id="equal numbers"),
        pytest.param("n == 0x3", YES, id="in another base"),
        pytest.param("n == 4", NO, id="other numbers"),
        pytest.param("n != 4", YES, id="not equal"),
        pytest.param("n < 4", YES, id="less"),
        pytest.param("n >= 4", NO, id="not at least"),
        pytest.param('word == "BLUE"', YES, id="texts in any case"),
        pytest.param('word > "apple"', YES, id="texts in order"),
        pytest.param("@Resource.exact == @Resource.exact", YES, id="a case-sensitive claim equals itself"),
        pytest.param("word == @Resource.exact", NO, id="a case-sensitive claim minds the case"),
        pytest.param('N == 3 && WORD == "blue"', YES, id="names in any case"),
        pytest.param("n == @Resource.n", YES, id="two attributes"),
        pytest.param("@User.n == @Resource.n", NO, id="two other attributes"),
        # absent attributes, types that differ
        pytest.param("lost == 3", UNKNOWN, id="an absent attribute"),
        pytest.param("valueless == 3", UNKNOWN, id="one without values"),
        pytest.param("n == @User.lost", UNKNOWN, id="an absent one at the right"),
        pytest.param('n == "3"', UNKNOWN, id="a number and a text"),
        pytest.param('n == "3" || n == 3', UNKNOWN, id="which spoils the whole expression"),
        pytest.param("lost == 3 || n == 3", YES, id="as an absent attribute does not"),
        pytest.param("numbers < 3", UNKNOWN, id="a list has no order"),
        pytest.param("group < SID(BA)", UNKNOWN, id="nor has a SID"),
        pytest.param("bytes == #01 && bytes < #02", YES, id="bytes have one"),
        # sets
        pytest.param("numbers == {3, 2, 1, 1}", YES, id="equal as sets"),
        pytest.param("numbers != {1, 2}", YES, id="different sets"),
        pytest.param('many Contains "BLUE"', YES, id="contains one"),
        pytest.param('many Contains {"blue", "green"}', NO, id="contains not all"),
        pytest.param('many Any_of {"blue", "green"}', YES, id="any of them"),
        pytest.param('many Not_Contains {"blue", "green"}', YES, id="does not contain all"),
        pytest.param('many Not_Any_of {"green"}', YES, id="none of them"),
        pytest.param("many == @Resource.colours", YES, id="a list and a claim"),
        pytest.param('WIN://SYSAPPID Contains "example.app_1"', YES, id="the form of real filters"),
        pytest.param("group Contains SID(BA)", YES, id="SIDs"),
        # names alone
        pytest.param("n", YES, id="a number other than 0"),
        pytest.param("zero", NO, id="the number 0"),
        pytest.param("word", YES, id="a text"),
        pytest.param("empty", NO, id="an empty text"),
        pytest.param("lost", UNKNOWN, id="an absent name"),
        pytest.param("many", UNKNOWN, id="a list"),
        pytest.param("bytes", UNKNOWN, id="bytes alone"),
        # existence
        pytest.param("Exists n", YES, id="it exists"),
        pytest.param("Exists lost", NO, id="it does not"),
        pytest.param("Not_Exists lost", YES, id="it does not exist"),
        pytest.param("Exists @Resource.off", NO, id="a disabled claim is not there"),
        pytest.param("Exists @Resource.twice", NO, id="nor one that repeats a value"),
        # membership
        pytest.param("Member_of SID(WD)", YES, id="a member"),
        pytest.param("Member_of {SID(WD), SID(BA)}", NO, id="not of all"),
        pytest.param("Member_of_Any {SID(WD), SID(BA)}", YES, id="of any"),
        pytest.param("Not_Member_of {SID(WD), SID(BA)}", YES, id="not a member of all"),
        pytest.param("Not_Member_of_Any {SID(WD)}", NO, id="not of none"),
        pytest.param("Member_of 3 || n", UNKNOWN, id="membership of a number spoils the whole expression"),
        # logic
        pytest.param("!(zero)", YES, id="not false"),
        pytest.param("!(lost)", UNKNOWN, id="not unknown"),
        pytest.param("n && lost", UNKNOWN, id="true and unknown"),
        pytest.param("zero && lost", NO, id="false and unknown"),
        pytest.param("zero || lost", UNKNOWN, id="false or unknown"),
        pytest.param("n || lost", YES, id="true or unknown"),
        pytest.param("zero || n && !(zero)", YES, id="precedence"),
    ],
)
def test_a_token_of_which_the_attributes_are_told(text: str, wanted: Verdict) -> None:
    assert verdict(text, ATTRIBUTES) == wanted


OPEN = Atom("n == 3")


@pytest.mark.parametrize(
    ("text", "true"),
    [
        pytest.param("n == 3", OPEN, id="an atom of the expression's name"),
        pytest.param(
            "!(n == 3)",
            all_of((negate(OPEN), Atom("n == 3 has an answer"))),
            id="false is more than not true",
        ),
        pytest.param("n == 3 && Member_of SID(BA)", FALSE, id="what is known counts"),
        pytest.param("n == 3 || Member_of SID(WD)", TRUE, id="on both sides"),
        pytest.param("n == 3 || n == 3", OPEN, id="one thing is one atom"),
        pytest.param("Exists n", Atom("Exists n"), id="existence"),
        pytest.param("Not_Exists n", negate(Atom("Exists n")), id="and its opposite are one atom"),
        pytest.param("n || m", any_of((Atom("n"), Atom("m"))), id="names alone"),
        pytest.param("@Resource.n == 3", TRUE, id="resource attributes are known"),
        pytest.param("@User.n == @Resource.lost", FALSE, id="and known to be absent"),
        pytest.param("Device_Member_of SID(BA)", Atom("Device_Member_of SID(BA)"), id="devices are not"),
        pytest.param(
            "Not_Device_Member_of SID(BA)",
            negate(Atom("Device_Member_of SID(BA)")),
            id="nor what they are not in",
        ),
    ],
)
def test_a_token_of_which_they_are_not_told(text: str, true: Formula) -> None:
    assert verdict(text, None).true == true


def test_a_group_of_an_unknown_domain_may_equal_any_sid() -> None:
    expression: Expression = Relation("==", Attribute("group"), Literals((EVERYONE,)))
    assert verdict(str(expression), ATTRIBUTES) == NO
    assert verdict("group == SID(DA)", ATTRIBUTES).true == Atom("group == SID(DA)")
