"""The vectors of conditions.md 8 that ask whether a condition holds. Those about adding are in tests/model."""

from __future__ import annotations

import ipaddress

import pytest

from tamiz.engine.access import access_formula
from tamiz.engine.engine import Engine
from tamiz.engine.match import meets
from tamiz.formats.sddl import parse_sddl
from tamiz.model._tables import FIELD, DataType, MatchType
from tamiz.model.conditions import Condition
from tamiz.model.decisions import Action
from tamiz.model.errors import Place
from tamiz.model.facts import NOT_EMPTY, UNKNOWN, Fact, KnownBits, Unknown
from tamiz.model.formula import FALSE, TRUE
from tamiz.model.keys import FieldKey
from tamiz.model.security import SecurityDescriptor, Token
from tamiz.model.sids import ALL_PACKAGES, EVERYONE, NULL_SID, Sid
from tamiz.model.values import (
    EMPTY,
    Range,
    V4Mask,
    V6Mask,
    Value,
    app_id,
    blob,
    sid_value,
    token_value,
    u8,
    u16,
    u32,
    u64,
)
from tests.engine.build import CONNECT, build

M = MatchType
ANY = FieldKey("FWPM_CONDITION_ANY")  # `meets` does not look at the field


def sd(text: str) -> Value:
    return Value(DataType.SECURITY_DESCRIPTOR_TYPE, parse_sddl(text, Place("vector"), "the descriptor"))


def v6(text: str) -> bytes:
    return ipaddress.IPv6Address(text).packed


def array16(text: str) -> Value:
    return Value(DataType.BYTE_ARRAY16_TYPE, v6(text))


def v4_mask(text: str) -> Value:
    network = ipaddress.IPv4Network(text)
    return Value(DataType.V4_ADDR_MASK, V4Mask(int(network.network_address), int(network.netmask)))


def v6_mask(text: str) -> Value:
    network = ipaddress.IPv6Network(text)
    return Value(DataType.V6_ADDR_MASK, V6Mask(network.network_address.packed, network.prefixlen))


def between(low: Value, high: Value) -> Value:
    return Value(DataType.RANGE_TYPE, Range(low, high))


def text(path: str) -> Value:
    return blob((path + "\0").encode("utf-16-le"))


def token(*sids: str, app_container: bool = False) -> Value:
    present = frozenset({EVERYONE, *map(Sid.parse, sids)})
    return token_value(Token(present, complete=True, app_container=app_container))


BA = "S-1-5-32-544"
CAPABILITY = "O:LSD:(A;;CC;;;S-1-15-3-1)(A;;CC;;;WD)(A;;CC;;;AN)"
AC = str(ALL_PACKAGES)

HOLDS = [
    ("1: a port at both ends of a range", u16(80), M.RANGE, between(u16(80), u16(80)), True),
    ("2: a port beyond a range", u16(81), M.RANGE, between(u16(80), u16(80)), False),
    ("5: all flags set", u32(5), M.FLAGS_ALL_SET, u32(4), True),
    ("6: not all flags set", u32(5), M.FLAGS_ALL_SET, u32(6), False),
    ("7: any flag set", u32(5), M.FLAGS_ANY_SET, u32(6), True),
    ("8: none of the flags set", u32(5), M.FLAGS_NONE_SET, u32(2), True),
    ("9: one of the flags is set", u32(5), M.FLAGS_NONE_SET, u32(6), False),
    ("11: an address in a network", u32(0xC0A80107), M.EQUAL, v4_mask("192.168.1.0/24"), True),
    ("12: an address outside it", u32(0xC0A80207), M.EQUAL, v4_mask("192.168.1.0/24"), False),
    ("13: every address is in 0.0.0.0/0", u32(0xFFFFFFFF), M.EQUAL, v4_mask("0.0.0.0/0"), True),
    ("15: an IPv6 address in a network", array16("2001:db8::1"), M.EQUAL, v6_mask("2001:db8::/32"), True),
    ("an IPv6 address outside it", array16("2001:db9::1"), M.EQUAL, v6_mask("2001:db8::/32"), False),
    ("every IPv6 address is in ::/0", array16("ff02::1"), M.EQUAL, v6_mask("::/0"), True),
    ("17: an app id, its NUL included", text(r"\device\x"), M.EQUAL, blob(app_id(r"\Device\X")), True),
    ("18: the same without its NUL", text(r"\device\x"), M.EQUAL, blob(r"\device\x".encode("utf-16-le")), False),
    ("19: PREFIX tests the end", text(r"c:\x\tool.exe"), M.PREFIX, text("tool.exe"), True),
    ("20: PREFIX does not test the beginning", text(r"c:\x\tool.exe"), M.PREFIX, text(r"c:\x"), False),
    ("NOT_PREFIX is its opposite", text(r"c:\x\tool.exe"), M.NOT_PREFIX, text(r"c:\x"), True),
    ("21: a group that is granted", token(BA), M.EQUAL, sd("D:(A;;0x1;;;BA)"), True),
    ("22: a token without the group", token(), M.EQUAL, sd("D:(A;;0x1;;;BA)"), False),
    ("23: a deny entry first", token(BA), M.EQUAL, sd("D:(D;;0x1;;;WD)(A;;0x1;;;BA)"), False),
    ("24: another right", token(), M.EQUAL, sd("D:(A;;0x2;;;WD)"), False),
    ("25: a null DACL grants all", token(), M.EQUAL, sd("D:NO_ACCESS_CONTROL"), True),
    ("an empty DACL grants nothing", token(), M.EQUAL, sd("D:"), False),
    ("26: EMPTY equals EMPTY", EMPTY, M.EQUAL, EMPTY, True),
    ("a value does not equal EMPTY", u8(0), M.EQUAL, EMPTY, False),
    ("27: EMPTY equals no number", EMPTY, M.EQUAL, u64(5), False),
    ("28: EMPTY meets no negation either", EMPTY, M.NOT_EQUAL, sid_value(Sid.parse(BA)), False),
    ("EMPTY has none of no flags", EMPTY, M.FLAGS_NONE_SET, u32(1), False),
    ("EMPTY is no token", EMPTY, M.EQUAL, sd("D:NO_ACCESS_CONTROL"), False),
    ("29: no app container", sid_value(NULL_SID), M.NOT_EQUAL, sid_value(NULL_SID), False),
    ("30: an app container", sid_value(Sid.parse("S-1-15-2-7")), M.NOT_EQUAL, sid_value(NULL_SID), True),
    ("31: flags of a protocol number", u8(6), M.FLAGS_ALL_SET, u8(2), True),
    ("35: IPv6 addresses are in order", array16("::80"), M.RANGE, between(array16("::1"), array16("::ff")), True),
    ("36: an app container with the capability", token(AC, "S-1-15-3-1", app_container=True), M.EQUAL, sd(CAPABILITY), True),
    ("37: an app container with another", token(AC, "S-1-15-3-3", app_container=True), M.EQUAL, sd(CAPABILITY), False),
    ("38: an ordinary token", token(), M.EQUAL, sd(CAPABILITY), True),
    ("flags: all of none are set", u32(0), M.FLAGS_ALL_SET, u32(0), True),
    ("flags: any of none is not", u32(7), M.FLAGS_ANY_SET, u32(0), False),
    ("text without case", Value(DataType.UNICODE_STRING_TYPE, "AbC"), M.EQUAL_CASE_INSENSITIVE,
     Value(DataType.UNICODE_STRING_TYPE, "aBc"), True),
    ("a blob sorts after its own beginning", blob(b"ab"), M.GREATER, blob(b"a"), True),
    ("signed numbers sort by their sign", Value(DataType.INT32, -5), M.LESS, Value(DataType.INT32, 3), True),
]  # fmt: skip


@pytest.mark.parametrize(
    ("value", "match", "wanted", "holds"), [pytest.param(v, m, w, h, id=name) for name, v, m, w, h in HOLDS]
)
def test_a_known_field(value: Value, match: MatchType, wanted: Value, holds: bool) -> None:
    assert meets(Condition(ANY, match, wanted), value) == (TRUE if holds else FALSE)


# -- three values ----------------------------------------------------------------------------------------------------

USER, FLAGS, APP, PACKAGE, PORT, LOCAL, PROFILE = (
    FieldKey(f)
    for f in (
        FIELD.ALE_USER_ID, FIELD.FLAGS, FIELD.ALE_APP_ID, FIELD.ALE_PACKAGE_ID, FIELD.IP_REMOTE_PORT,
        FIELD.IP_LOCAL_ADDRESS, FIELD.CURRENT_PROFILE_ID,
    )
)  # fmt: skip
YES, NO, MAYBE = Action.BLOCK, Action.PERMIT, Action.DEPENDS


def judged(condition: Condition, fact: Fact) -> Action:
    """Whether a filter with one condition blocks."""
    engine: Engine = build("S9:B", conditions={"S9.1": (condition,)}).engine()
    return engine.classify(CONNECT, {condition.field: fact}).action


MAYBES = [
    ("39: a token of which nothing is known", USER, UNKNOWN, M.EQUAL, sd(CAPABILITY), MAYBE),
    ("an unknown token and a null DACL, for there may be no token", USER, UNKNOWN, M.EQUAL, sd("D:NO_ACCESS_CONTROL"), MAYBE),
    ("a token is there, and a null DACL", USER, NOT_EMPTY, M.EQUAL, sd("D:NO_ACCESS_CONTROL"), YES),
    ("40: a flag known to be clear", FLAGS, KnownBits(0, 1), M.FLAGS_NONE_SET, u32(1), YES),
    ("40: one clear and one not known", FLAGS, KnownBits(0, 1), M.FLAGS_NONE_SET, u32(9), MAYBE),
    ("a known flag decides against all", FLAGS, KnownBits(0, 1), M.FLAGS_ALL_SET, u32(9), NO),
    ("a known flag decides for any", FLAGS, KnownBits(1, 1), M.FLAGS_ANY_SET, u32(9), YES),
    ("an unknown field may be EMPTY", PORT, UNKNOWN, M.EQUAL, EMPTY, MAYBE),
    ("a field with a value is not EMPTY", PORT, NOT_EMPTY, M.EQUAL, EMPTY, NO),
    ("an unknown port in the range of all ports", PORT, NOT_EMPTY, M.RANGE, between(u16(0), u16(65535)), YES),
    ("an unknown port, EMPTY perhaps, in the range of all ports", PORT, UNKNOWN, M.RANGE, between(u16(0), u16(65535)), MAYBE),
    ("an unknown address in every network", LOCAL, NOT_EMPTY, M.EQUAL, v4_mask("0.0.0.0/0"), YES),
    ("an unknown app", APP, UNKNOWN, M.EQUAL, blob(app_id(r"\a")), MAYBE),
    ("one of few values, one of which fits", PROFILE, Unknown((u32(1), u32(2)), False), M.EQUAL, u32(1), MAYBE),
    ("one of few values, none of which fits", PROFILE, Unknown((u32(1), u32(2)), False), M.EQUAL, u32(3), NO),
    ("one of few values, all of which fit", PROFILE, Unknown((u32(1), u32(2)), False), M.LESS, u32(3), YES),
    ("one of few values, or EMPTY", PROFILE, Unknown((u32(1),), True), M.EQUAL, u32(1), MAYBE),
]  # fmt: skip


@pytest.mark.parametrize(
    ("field", "fact", "match", "wanted", "answer"),
    [pytest.param(f, x, m, w, a, id=name) for name, f, x, m, w, a in MAYBES],
)
def test_a_field_that_is_not_known(
    field: FieldKey, fact: Fact, match: MatchType, wanted: Value, answer: Action
) -> None:
    assert judged(Condition(field, match, wanted), fact) is answer


def test_two_filters_on_one_unknown_field_are_judged_together() -> None:
    """Whatever the profile is, one of the two matches."""
    condition = {"S9.1": (Condition(PROFILE, M.EQUAL, u32(1)),), "S9.2": (Condition(PROFILE, M.NOT_EQUAL, u32(1)),)}
    engine = build("S9:[B, B] ; S5:P", conditions=condition).engine()
    decision = engine.classify(CONNECT, {PROFILE: NOT_EMPTY}, explain=True)
    assert (decision.action, decision.depends_on) == (Action.BLOCK, ())
    assert decision.unsettled == (PROFILE,)
    assert {p.filter.name for p in decision.possible if p.filter} == {"S9.1", "S9.2"}


def test_a_decision_names_only_what_decides_between_actions() -> None:
    conditions = {
        "S9.1": (Condition(PROFILE, M.EQUAL, u32(1)),),
        "S9.2": (Condition(PORT, M.EQUAL, u16(53)),),
    }
    decision = build("S9:[P, P, B]", conditions=conditions).engine().classify(CONNECT, {PORT: u16(53)})
    assert (decision.action, decision.depends_on) == (Action.PERMIT, ())
    decision = build("S9:[P, P, B]", conditions=conditions).engine().classify(CONNECT, {PORT: u16(54)})
    assert (decision.action, decision.depends_on) == (Action.DEPENDS, (PROFILE,))


def test_an_unknown_package_depends_between_both_filters_of_windows() -> None:
    conditions = {
        "S9.1": (Condition(PACKAGE, M.NOT_EQUAL, sid_value(NULL_SID)),),
        "S9.2": (Condition(PACKAGE, M.EQUAL, sid_value(NULL_SID)),),
    }
    engine = build("S9:[B, P]", conditions=conditions).engine()
    assert engine.classify(CONNECT, {PACKAGE: NOT_EMPTY}).action is Action.DEPENDS
    assert engine.classify(CONNECT, {PACKAGE: sid_value(NULL_SID)}).action is Action.PERMIT
    assert engine.classify(CONNECT, {PACKAGE: sid_value(Sid.parse("S-1-15-2-9"))}).action is Action.BLOCK


def test_access_of_nothing_known_is_no_constant() -> None:
    data = sd("D:(A;;CC;;;BA)").data
    assert isinstance(data, SecurityDescriptor)
    assert access_formula(data, None) not in (TRUE, FALSE)


def test_a_range_of_another_type_than_the_field_is_not_met() -> None:
    condition = Condition(ANY, M.RANGE, Value(DataType.RANGE_TYPE, Range(array16("::1"), array16("::ff"))))
    assert meets(condition, u32(5)) is FALSE
    assert meets(condition, array16("::5")) is TRUE
