"""The access check: what a token is granted, and what it hangs on when the token is known in part."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tamiz.engine.access import access_formula
from tamiz.engine.expressions import Claims, Verdict, evaluate
from tamiz.formats.sddl import parse_sddl
from tamiz.model.errors import Place
from tamiz.model.formula import (
    FALSE,
    TRUE,
    And,
    Atom,
    Constant,
    Formula,
    Not,
    Or,
    all_of,
    any_of,
    constant,
    negate,
)
from tamiz.model.security import (
    Ace,
    AceFlags,
    AceType,
    Attribute,
    Existence,
    Expression,
    Junction,
    Literals,
    Negation,
    Number,
    Relation,
    SecurityDescriptor,
    Token,
)
from tamiz.model.sids import ADMINISTRATORS, ANONYMOUS, EVERYONE, LOCAL_SYSTEM, Sid
from tests.descriptors import expressions


def sd(text: str) -> SecurityDescriptor:
    return parse_sddl(text, Place("test"), "the descriptor")


def token(*sids: str | Sid, **known: object) -> Token:
    """A token of which all SIDs are told, outside any app container unless `known` says otherwise."""
    present = frozenset(Sid.parse(s) if isinstance(s, str) else s for s in sids)
    return replace(Token(present, complete=True, app_container=False), **known)  # type: ignore[arg-type]


def container(*sids: str | Sid, **known: object) -> Token:
    return token(*sids, app_container=True, **known)


def truth(formula: Formula, atoms: Mapping[str, bool]) -> bool:
    """The value of a formula in one world."""
    if isinstance(formula, Constant):
        return formula.value
    if isinstance(formula, Atom):
        return atoms[formula.name]
    if isinstance(formula, Not):
        return not truth(formula.operand, atoms)
    values = [truth(operand, atoms) for operand in formula.operands]
    return all(values) if isinstance(formula, And) else any(values)


def names(formula: Formula) -> set[str]:
    if isinstance(formula, Atom):
        return {formula.name}
    if isinstance(formula, Not):
        return names(formula.operand)
    operands = formula.operands if isinstance(formula, And | Or) else ()
    return {name for operand in operands for name in names(operand)}


# -- tokens that are known --------------------------------------------------------------------------------------

USER, CAPABILITY, PRIVATE, PACKAGE = (
    "S-1-5-21-1-2-3-1001",
    "S-1-15-3-1",
    "S-1-15-3-3",
    "S-1-15-2-1-2-3-4-5-6-7",
)
CAPABILITY_FILTER = "O:LSD:(A;;CC;;;S-1-15-3-1)(A;;CC;;;WD)(A;;CC;;;AN)"
WORLD = token(EVERYONE)


@pytest.mark.parametrize(
    ("text", "subject", "granted"),
    [
        # conditions.md section 8
        pytest.param("D:(A;;0x1;;;BA)", token(ADMINISTRATORS), True, id="21: a token with administrators"),
        pytest.param("D:(A;;0x1;;;BA)", WORLD, False, id="22: a token without them"),
        pytest.param(
            "D:(D;;0x1;;;WD)(A;;0x1;;;BA)",
            token(EVERYONE, ADMINISTRATORS),
            False,
            id="23: denied before it is allowed",
        ),
        pytest.param("D:(A;;0x2;;;WD)", WORLD, False, id="24: another right"),
        pytest.param("D:NO_ACCESS_CONTROL", WORLD, True, id="25: a null DACL"),
        pytest.param(
            CAPABILITY_FILTER,
            container(EVERYONE, CAPABILITY, "S-1-15-2-1"),
            True,
            id="36: a container with capability",
        ),
        pytest.param(CAPABILITY_FILTER, container(EVERYONE, PRIVATE, "S-1-15-2-1"), False, id="37: with another one"),
        pytest.param(CAPABILITY_FILTER, WORLD, True, id="38: an ordinary token"),
        # field-evidence.md K1: what Windows did with containers
        pytest.param(CAPABILITY_FILTER, container(EVERYONE, PACKAGE), False, id="K1 case 2: a container without any"),
        pytest.param(
            "O:LSD:(A;;CC;;;S-1-15-3-3)(A;;CC;;;WD)(A;;CC;;;AN)",
            container(EVERYONE, PACKAGE, CAPABILITY),
            False,
            id="K1 case 3: a container with the internet, where the private network is asked",
        ),
        pytest.param(
            "O:LSD:(A;;CC;;;S-1-15-3-2)(A;;CC;;;S-1-15-3-3)(A;;CC;;;WD)(A;;CC;;;AN)",
            container(EVERYONE, PACKAGE, PRIVATE),
            True,
            id="K1: one of two capabilities is enough",
        ),
        # the order of entries
        pytest.param("D:", WORLD, False, id="an empty DACL"),
        pytest.param("O:SY", WORLD, True, id="no DACL"),
        pytest.param("D:(A;;CC;;;WD)(D;;CC;;;WD)", WORLD, True, id="allowed before it is denied"),
        pytest.param("D:(D;;CC;;;BA)(A;;CC;;;WD)", WORLD, True, id="denied to others"),
        pytest.param("D:(D;;RC;;;WD)(A;;CC;;;WD)", WORLD, True, id="denied another right"),
        pytest.param("D:(A;IO;CC;;;WD)", WORLD, False, id="an entry that only is inherited"),
        pytest.param("D:(D;IO;CC;;;WD)(A;;CC;;;WD)", WORLD, True, id="a denial that only is inherited"),
        pytest.param("D:(A;NP;CC;;;WD)", WORLD, True, id="other flags do not matter"),
        pytest.param("D:(AU;SA;CC;;;WD)", WORLD, False, id="an audit entry grants nothing"),
        # generic rights
        pytest.param("D:(A;;GA;;;WD)", WORLD, True, id="GENERIC_ALL"),
        pytest.param("D:(A;;GX;;;WD)", WORLD, True, id="GENERIC_EXECUTE"),
        pytest.param("D:(A;;GRGW;;;WD)", WORLD, False, id="GENERIC_READ and GENERIC_WRITE"),
        pytest.param("D:(D;;GA;;;WD)(A;;CC;;;WD)", WORLD, False, id="GENERIC_ALL denied"),
        # groups for denying only
        pytest.param(
            "D:(A;;CC;;;BA)",
            token(deny_only=frozenset({ADMINISTRATORS})),
            False,
            id="deny-only grants nothing",
        ),
        pytest.param(
            "D:(D;;CC;;;BA)(A;;CC;;;WD)",
            token(EVERYONE, deny_only=frozenset({ADMINISTRATORS})),
            False,
            id="deny-only denies",
        ),
        # object entries
        pytest.param("D:(OA;;CC;;;WD)", WORLD, True, id="an object entry without a type"),
        pytest.param("D:(OA;;CC;00299570-246d-11d0-a768-00aa006e0529;;WD)", WORLD, False, id="with one"),
        pytest.param(
            "D:(OD;;CC;00299570-246d-11d0-a768-00aa006e0529;;WD)(A;;CC;;;WD)",
            WORLD,
            False,
            id="denied with a type",
        ),
        # the owner
        pytest.param("O:WDD:", WORLD, False, id="the owner has no right to match"),
        pytest.param("O:WDD:(A;;CC;;;OW)", WORLD, True, id="OWNER RIGHTS speaks of the owner"),
        pytest.param("O:SYD:(A;;CC;;;OW)", WORLD, False, id="and of nobody else"),
        pytest.param("D:(A;;CC;;;OW)", WORLD, False, id="without an owner, of nobody"),
        # restricted tokens
        pytest.param("D:(A;;CC;;;WD)", token(EVERYONE, restricted=frozenset({EVERYONE})), True, id="both passes"),
        pytest.param("D:(A;;CC;;;WD)", token(EVERYONE, restricted=frozenset({ANONYMOUS})), False, id="the first only"),
        pytest.param("D:(A;;CC;;;AN)", token(EVERYONE, restricted=frozenset({ANONYMOUS})), False, id="the second only"),
        pytest.param(
            "D:(A;;CC;;;WD)(A;;CC;;;AN)",
            token(EVERYONE, restricted=frozenset({ANONYMOUS})),
            True,
            id="each pass by another entry",
        ),
        pytest.param(
            "D:(D;;CC;;;AN)(A;;CC;;;WD)(A;;CC;;;SY)",
            token(EVERYONE, restricted=frozenset({ANONYMOUS, LOCAL_SYSTEM})),
            False,
            id="a restricting SID denies",
        ),
        # containers
        pytest.param(
            "D:(A;;CC;;;WD)", container(EVERYONE, PACKAGE), False, id="a container with the user's grant only"
        ),
        pytest.param(f"D:(A;;CC;;;{PACKAGE})", container(EVERYONE, PACKAGE), False, id="with the package's grant only"),
        pytest.param(f"D:(A;;CC;;;{PACKAGE})(A;;CC;;;WD)", container(EVERYONE, PACKAGE), True, id="with both"),
        pytest.param(
            "D:(A;;CC;;;AC)(A;;CC;;;WD)", container(EVERYONE, "S-1-15-2-1"), True, id="as one of all packages"
        ),
        pytest.param("D:(A;;CC;;;AC)(A;;CC;;;WD)", container(EVERYONE, PACKAGE), False, id="less privileged"),
        pytest.param("D:(A;;CC;;;S-1-15-2-2)(A;;CC;;;WD)", container(EVERYONE), True, id="all restricted packages"),
        pytest.param("D:NO_ACCESS_CONTROL", container(EVERYONE, PACKAGE), True, id="a null DACL"),
        pytest.param(
            f"D:(D;;CC;;;{PACKAGE})(A;;CC;;;AC)(A;;CC;;;WD)",
            container(EVERYONE, PACKAGE, "S-1-15-2-1"),
            True,
            id="a denial to its package does not count",
        ),
        pytest.param("D:(D;;CC;;;WD)(A;;CC;;;AC)", container(EVERYONE, "S-1-15-2-1"), False, id="one to its user does"),
        pytest.param(
            "D:(A;;CC;;;AC)(A;;CC;;;WD)",
            container(EVERYONE, "S-1-15-2-1", restricted=frozenset({EVERYONE})),
            True,
            id="a restricted container: packages need no second pass",
        ),
        pytest.param("D:(A;;CC;;;AC)", token(EVERYONE), False, id="packages are not ordinary tokens"),
    ],
)
def test_a_token_that_is_known(text: str, subject: Token, granted: bool) -> None:
    assert access_formula(sd(text), subject) == constant(granted)


def test_every_right_asked_must_be_granted() -> None:
    descriptor = sd("D:(A;;CC;;;WD)(D;;CCDC;;;WD)")
    assert access_formula(descriptor, WORLD, 0x1) == TRUE
    assert access_formula(descriptor, WORLD, 0x3) == FALSE
    assert access_formula(descriptor, WORLD, 0x2) == FALSE


# -- conditional entries ----------------------------------------------------------------------------------------

APP = 'WIN://SYSAPPID Contains "Example.App_1"'


@pytest.mark.parametrize(
    ("text", "attributes", "granted"),
    [
        pytest.param(f"(XA;;CC;;;WD;({APP}))", {"WIN://SYSAPPID": ("Example.App_1", "x")}, True, id="allowed if true"),
        pytest.param(f"(XA;;CC;;;WD;({APP}))", {"WIN://SYSAPPID": ("Another_1",)}, False, id="not if false"),
        pytest.param(f"(XA;;CC;;;WD;({APP}))", {}, False, id="not if unknown"),
        pytest.param(
            f"(XD;;CC;;;WD;({APP}))(A;;CC;;;WD)",
            {"WIN://SYSAPPID": ("example.app_1",)},
            False,
            id="denied if true",
        ),
        pytest.param(f"(XD;;CC;;;WD;({APP}))(A;;CC;;;WD)", {"WIN://SYSAPPID": ("Another_1",)}, True, id="not if false"),
        pytest.param(f"(XD;;CC;;;WD;({APP}))(A;;CC;;;WD)", {}, False, id="denied if unknown"),
        pytest.param(f"(XA;;CC;;;WD;(!({APP})))", {}, False, id="the negation of unknown is unknown"),
        pytest.param("(XA;;CC;;;BA;(a))", {"a": (1,)}, False, id="true, but of another trustee"),
        pytest.param("(ZA;;CC;;;WD;(a))", {"a": (1,)}, True, id="in an object entry"),
    ],
)
def test_conditional_entries(text: str, attributes: dict[str, tuple[str | int, ...]], granted: bool) -> None:
    subject = token(EVERYONE, attributes=attributes)
    assert access_formula(sd(f"D:{text}"), subject) == constant(granted)


def test_an_expression_over_attributes_that_were_not_told_is_an_atom() -> None:
    assert access_formula(sd(f"D:(XA;;CC;;;WD;({APP}))"), WORLD) == Atom(APP)


def test_a_resource_attribute_is_read_from_the_descriptor() -> None:
    text = 'D:(XA;;CC;;;WD;(@User.level >= @Resource.level))S:(RA;;;;;WD;("level",TI,0,3))'
    for level, granted in ((2, False), (3, True)):
        assert access_formula(sd(text), token(EVERYONE, attributes={"@USER.level": (level,)})) == constant(granted)


# -- tokens that are known in part ------------------------------------------------------------------------------

IN_WORLD, IN_CAPABILITY, CONTAINER = (
    Atom("is in S-1-1-0"),
    Atom("is in S-1-15-3-1"),
    Atom("is an app container"),
)


@pytest.mark.parametrize(
    ("text", "subject", "formula"),
    [
        pytest.param(
            "D:(A;;CC;;;WD)",
            None,
            all_of((negate(CONTAINER), IN_WORLD)),
            id="nothing known: Everyone is open too",
        ),
        pytest.param(
            "D:(A;;CC;;;S-1-15-3-1)(A;;CC;;;WD)",
            None,
            any_of(
                (
                    all_of((negate(CONTAINER), IN_WORLD)),
                    all_of((CONTAINER, all_of((IN_CAPABILITY, IN_WORLD)))),
                )
            ),
            id="39: a capability filter hangs on the container, the capability and Everyone",
        ),
        pytest.param("D:NO_ACCESS_CONTROL", None, TRUE, id="a null DACL grants everybody"),
        pytest.param("D:", None, FALSE, id="an empty DACL grants nobody"),
        pytest.param("D:(A;;CC;;;WD)", Token(app_container=False), IN_WORLD, id="Everyone is not taken for granted"),
        pytest.param(
            "D:(A;;CC;;;WD)",
            Token(frozenset({EVERYONE}), app_container=False),
            TRUE,
            id="unless it is said to be there",
        ),
        pytest.param(
            "D:(A;;CC;;;WD)",
            Token(absent=frozenset({EVERYONE}), app_container=False),
            FALSE,
            id="or not to be there",
        ),
        pytest.param("D:(A;;CC;;;AC)(A;;CC;;;S-1-15-3-1)", Token(app_container=False), FALSE, id="no package outside"),
        pytest.param(
            "D:(A;;CC;;;S-1-15-3-1)(A;;CC;;;WD)",
            Token(frozenset({EVERYONE, Sid.parse(PACKAGE)})),
            IN_CAPABILITY,
            id="a package in the token says that it is a container's",
        ),
        pytest.param(
            "D:(D;;CC;;;BA)(A;;CC;;;WD)",
            Token(frozenset({EVERYONE}), app_container=False),
            negate(any_of((Atom("is in S-1-5-32-544"), Atom("only denies with S-1-5-32-544")))),
            id="a denial hangs on deny-only groups too",
        ),
        pytest.param("D:(A;;CC;;;DA)", Token(app_container=False), Atom("is in DA"), id="a group of an unknown domain"),
        pytest.param("D:(A;;CC;;;DA)", token(USER), FALSE, id="which a complete token cannot be in"),
        pytest.param(
            "D:(A;;CC;;;DA)",
            token("S-1-5-21-1-2-3-512"),
            Atom("is in DA"),
            id="unless a SID of it could be it",
        ),
        pytest.param(
            "D:(A;;CC;;;DA)",
            token(EVERYONE, restricted=frozenset({EVERYONE})),
            FALSE,
            id="a restricted token in no group of a domain",
        ),
    ],
)
def test_a_token_that_is_known_in_part(text: str, subject: Token | None, formula: Formula) -> None:
    assert access_formula(sd(text), subject) == formula


# -- laws -------------------------------------------------------------------------------------------------------

POOL = [Sid.parse(t) for t in ("S-1-1-0", "S-1-5-7", "S-1-5-32-544", "S-1-3-4", "S-1-15-2-1", "S-1-15-2-2", CAPABILITY)]
TYPES = [
    AceType.ALLOW,
    AceType.DENY,
    AceType.ALLOW_OBJECT,
    AceType.ALLOW_CALLBACK,
    AceType.DENY_CALLBACK,
    AceType.AUDIT,
]


@st.composite
def acls(draw: st.DrawFn) -> tuple[Ace, ...]:
    found = []
    for kind in draw(st.lists(st.sampled_from(TYPES), max_size=5)):
        condition = draw(expressions) if kind.is_conditional else None
        flags, mask = draw(st.sampled_from((0, 0, 0, 8, 4))), draw(st.sampled_from((1, 1, 3, 2, 0x10000000)))
        found.append(Ace(kind, AceFlags(flags), mask, draw(st.sampled_from(POOL)), condition))
    return tuple(found)


checked = st.builds(SecurityDescriptor, st.none() | st.sampled_from(POOL), st.none(), st.none() | acls(), st.none())


@st.composite
def complete(draw: st.DrawFn) -> Token:
    contained = draw(st.booleans())
    held = draw(st.frozensets(st.sampled_from([s for s in POOL if contained or s.authority != 15])))
    deny = frozenset(sid for sid in held if sid.authority != 15 and draw(st.booleans()))
    attributes = draw(st.dictionaries(st.sampled_from(("a", "@USER.a", "@DEVICE.a")), st.just((1,))))
    restricted = draw(st.none() | st.frozensets(st.sampled_from(POOL)))
    return Token(held - deny, frozenset(), True, contained, deny, restricted, attributes)


def windows(descriptor: SecurityDescriptor, subject: Token) -> bool:
    """The check as Windows does it, entry by entry, for a token of which all is known and plain entries."""
    if descriptor.dacl is None:
        return True

    def walk(enabled: frozenset[Sid], denying: frozenset[Sid], packages: frozenset[Sid]) -> tuple[bool, bool]:
        user = package = False
        for ace in descriptor.dacl or ():
            sid = descriptor.owner if ace.trustee == Sid(3, (4,)) and descriptor.owner else ace.trustee
            if ace.flags & AceFlags.IO or not ace.mask & 0x10000001:
                continue
            if ace.type in (AceType.ALLOW, AceType.ALLOW_OBJECT):
                user = user or sid in enabled
                package = package or sid in packages
            elif ace.type is AceType.DENY and sid in denying and not user:
                return False, package
        return user, package

    people = frozenset(sid for sid in subject.present if sid.authority != 15)
    packages = (subject.present - people) | {Sid(15, (2, 2))}
    granted, boxed = walk(people, people | subject.deny_only, packages)
    if subject.restricted is not None:
        outside = frozenset(s for s in subject.restricted if not (subject.app_container and s.authority == 15))
        granted = granted and walk(outside, outside, frozenset())[0]
    return granted and (boxed or not subject.app_container)


@given(checked, complete())
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_a_complete_token_is_judged_as_windows_does(descriptor: SecurityDescriptor, subject: Token) -> None:
    plain = tuple(ace for ace in descriptor.dacl or () if not ace.type.is_conditional)
    descriptor = replace(descriptor, dacl=None if descriptor.dacl is None else plain)
    if descriptor.owner is not None and descriptor.owner.authority == 15:
        descriptor = replace(descriptor, owner=None)
    assert access_formula(descriptor, subject) == constant(windows(descriptor, subject))


OTHERS = ("Device_Member_of", "is in ", "only denies with ")


def world(subject: Token) -> dict[str, bool]:
    """What each atom says of the SIDs of a token as they really are."""
    atoms = {"is an app container": bool(subject.app_container)}
    for sid in POOL:
        atoms |= {f"is in {sid}": sid in subject.present, f"only denies with {sid}": sid in subject.deny_only}
    return atoms


@st.composite
def weakened(draw: st.DrawFn, subject: Token) -> Token:
    """Some of the SIDs of a complete token are forgotten, those that are not in it among them."""
    kept = draw(st.frozensets(st.sampled_from(POOL)))
    absent = frozenset(POOL) - subject.present - subject.deny_only
    return replace(
        subject,
        present=subject.present & kept,
        deny_only=subject.deny_only & kept,
        absent=absent & kept,
        complete=False,
        app_container=draw(st.sampled_from((subject.app_container, None))),
    )


@given(checked, complete(), st.data())
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_sids_that_are_forgotten_are_in_the_formula(
    descriptor: SecurityDescriptor, subject: Token, data: st.DataObject
) -> None:
    certain = access_formula(descriptor, subject)
    formula = access_formula(descriptor, data.draw(weakened(subject)))
    # what else a formula may hang on: groups of the device, and SIDs that no token here has
    others = {name: False for name in names(certain) | names(formula) if name.startswith(OTHERS)}
    assert truth(formula, others | world(subject)) == truth(certain, others)


NUMBER, TEXT = Attribute("n"), Attribute("@USER.t")
typed: st.SearchStrategy[Expression] = st.recursive(
    st.one_of(
        st.builds(Existence, st.sampled_from(("", "Exists", "Not_Exists")), st.sampled_from((NUMBER, TEXT))),
        st.builds(Relation, st.sampled_from(("==", "<", ">=")), st.just(NUMBER), st.just(Literals((Number(1),)))),
        st.builds(Relation, st.sampled_from(("==", "Contains")), st.just(TEXT), st.just(Literals(("x",)))),
    ),
    lambda inner: st.one_of(
        st.builds(Negation, inner),
        st.builds(lambda op, *both: Junction(op, both), st.sampled_from(("&&", "||")), inner, inner),
    ),
    max_leaves=5,
)


def leaves(expression: Expression) -> list[Expression]:
    if isinstance(expression, Negation):
        return leaves(expression.operand)
    if isinstance(expression, Junction):
        return [leaf for operand in expression.operands for leaf in leaves(operand)]
    return [expression]


@settings(deadline=None)
@given(
    st.sampled_from((AceType.ALLOW_CALLBACK, AceType.DENY_CALLBACK)),
    typed,
    st.fixed_dictionaries(
        {}, optional={"n": st.sampled_from(((0,), (1,))), "@user.T": st.sampled_from((("X",), ("y",)))}
    ),
)
def test_attributes_that_are_forgotten_are_in_the_formula(
    kind: AceType, expression: Expression, attributes: dict[str, tuple[str | int, ...]]
) -> None:
    entries = (Ace(kind, AceFlags(0), 1, EVERYONE, expression), Ace(AceType.ALLOW, AceFlags(0), 1, ANONYMOUS))
    descriptor = SecurityDescriptor(dacl=entries)
    subject = token(EVERYONE, ANONYMOUS, attributes=attributes)
    atoms = {}
    for leaf in (*leaves(expression), Existence("Exists", NUMBER), Existence("Exists", TEXT)):
        verdict = evaluate(leaf, Claims.of(subject, descriptor), lambda sid: FALSE)
        atoms |= {str(leaf): verdict.true == TRUE, f"{leaf} has an answer": verdict != Verdict(FALSE, FALSE)}
    formula = access_formula(descriptor, replace(subject, attributes=None))
    assert constant(truth(formula, atoms)) == access_formula(descriptor, subject)
