"""The law of the unknown: what is decided in all worlds at once is what each world decides by itself.

A random policy is asked with some fields unknown; the answer must be the set of answers that the plain, fully known
engine gives over every value that can make a difference: each constant of the policy, its neighbours, EMPTY.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tamiz.engine.callouts import ANSWERS, Absent, Behaviour, Call, Callouts, ClassifyOut
from tamiz.engine.engine import Engine
from tamiz.engine.worlds import Worlds
from tamiz.model._tables import FIELD, CalloutFlags, DataType, FilterFlags, MatchType
from tamiz.model.conditions import Condition
from tamiz.model.facts import NOT_EMPTY, UNKNOWN, Fact, Unknown
from tamiz.model.keys import CalloutKey, FieldKey, FilterKey, SublayerKey
from tamiz.model.objects import ActionType, Callout, Filter, Sublayer
from tamiz.model.policy import Policy
from tamiz.model.reading import Reading
from tamiz.model.sids import NULL_SID, Sid
from tamiz.model.values import EMPTY, Range, Value, blob, sid_value, u16, u32
from tests.engine.build import CONNECT, key

M = MatchType
PORT, FLAGS, APP, PACKAGE = (
    FieldKey(f) for f in (FIELD.IP_REMOTE_PORT, FIELD.FLAGS, FIELD.ALE_APP_ID, FIELD.ALE_PACKAGE_ID)
)
EMPTINESS = Value(DataType.EMPTY)


def between(low: int, high: int) -> Value:
    return Value(DataType.RANGE_TYPE, Range(u16(min(low, high)), u16(max(low, high))))


def text(name: str) -> Value:
    return blob(name.encode("utf-16-le"))


PORTS = st.integers(0, 6)
ORDERED = (M.EQUAL, M.NOT_EQUAL, M.LESS, M.GREATER, M.LESS_OR_EQUAL, M.GREATER_OR_EQUAL)
APPS = ("a.exe", "b.exe", "c.com")
PACKAGES = (NULL_SID, Sid(15, (2, 7)))
CONDITIONS = st.one_of(
    st.builds(Condition, st.just(PORT), st.sampled_from(ORDERED), PORTS.map(u16)),
    st.builds(Condition, st.just(PORT), st.just(M.RANGE), st.builds(between, PORTS, PORTS)),
    st.builds(Condition, st.just(PORT), st.just(M.EQUAL), st.just(EMPTINESS)),
    st.builds(
        Condition,
        st.just(FLAGS),
        st.sampled_from((M.FLAGS_ALL_SET, M.FLAGS_ANY_SET, M.FLAGS_NONE_SET)),
        st.integers(0, 7).map(u32),
    ),
    st.builds(Condition, st.just(APP), st.sampled_from(ORDERED), st.sampled_from(APPS).map(text)),
    st.builds(
        Condition, st.just(APP), st.sampled_from((M.PREFIX, M.NOT_PREFIX)), st.sampled_from((".exe", "b.exe")).map(text)
    ),
    st.builds(
        Condition, st.just(PACKAGE), st.sampled_from((M.EQUAL, M.NOT_EQUAL)), st.sampled_from(PACKAGES).map(sid_value)
    ),
)
# every value that the policies above can tell apart, and one that none of them names
DOMAIN: dict[FieldKey, tuple[Value, ...]] = {
    PORT: (EMPTY, *(u16(n) for n in range(8)), u16(9)),
    FLAGS: (EMPTY, *(u32(n) for n in range(8))),
    APP: (EMPTY, *map(text, (*APPS, "0", "0.exe", "aa.exe", "ab.exe", "bb", "b.exf", "bb.exe", "d.exe", "z", ".exe"))),
    PACKAGE: (EMPTY, *(sid_value(s) for s in (*PACKAGES, Sid(15, (2, 8))))),
}

ACTIONS = st.sampled_from(
    (ActionType.PERMIT, ActionType.PERMIT, ActionType.BLOCK, ActionType.CALLOUT_UNKNOWN, ActionType.CALLOUT_TERMINATING)
)
MODIFIERS = st.sampled_from(
    (FilterFlags(0), FilterFlags.CLEAR_ACTION_RIGHT, FilterFlags.PERMIT_IF_CALLOUT_UNREGISTERED)
)


@st.composite
def policies(draw: st.DrawFn, with_callouts: bool) -> Policy:
    filters, callouts = [], []
    for number in range(1, draw(st.integers(1, 5)) + 1):
        action = draw(
            ACTIONS if with_callouts and not callouts else st.sampled_from((ActionType.PERMIT, ActionType.BLOCK))
        )
        callout = CalloutKey(key(0xC000)) if action.is_callout else None
        if callout:
            callouts.append(Callout(callout, "driver", CONNECT, flags=CalloutFlags.REGISTERED))
        filters.append(
            Filter(
                FilterKey(key(number)), f"f{number}", CONNECT, SublayerKey(key(0x5000 + draw(st.integers(1, 3)))), action,
                tuple(draw(st.lists(CONDITIONS, max_size=3))), number, effective_weight=draw(st.integers(0, 3)),
                flags=draw(MODIFIERS), callout=callout,
            )
        )  # fmt: skip
    sublayers = tuple(Sublayer(SublayerKey(key(0x5000 + n)), str(n), weight=n) for n in (1, 2, 3))
    return Policy(tuple(filters), sublayers, callouts=tuple(callouts))


def answers(policy: Policy) -> Iterator[Engine]:
    """The engine for every answer of the policy's callout, if it has one."""
    if not policy.callouts:
        yield Engine(policy)
        return
    for answer in ANSWERS:
        if isinstance(answer, ClassifyOut):
            yield Engine(policy, callouts=Callouts({policy.callouts[0].key: always(answer)}))


def always(answer: ClassifyOut) -> Behaviour:
    def behave(call: Call) -> ClassifyOut:
        # a callout that writes nothing leaves the right as it found it
        return replace(answer, right=call.right) if answer.action is None else answer

    return behave


Result = tuple[object, object, object, bool]


def one_by_one(policy: Policy, known: dict[FieldKey, Fact]) -> tuple[set[Result], set[object]]:
    """What each world decides: (action, right, filter, vetoed), and the actions alone."""
    unknown = [field for field, fact in known.items() if isinstance(fact, Unknown)]
    found: set[Result] = set()
    for engine in answers(policy):
        for values in product(*(DOMAIN[field] for field in unknown)):
            decision = engine.classify(CONNECT, {**known, **dict(zip(unknown, values, strict=True))}, contexts=())
            (only,) = decision.possible
            found.add((only.action, only.right, only.filter and only.filter.id, only.vetoed))
    return found, {action for action, *_ in found}


FACTS = st.fixed_dictionaries(
    {field: st.one_of(st.just(UNKNOWN), st.sampled_from(values)) for field, values in DOMAIN.items()}
).filter(lambda facts: sum(isinstance(f, Unknown) for f in facts.values()) <= 2)


@settings(max_examples=150, deadline=None)
@given(st.booleans().flatmap(policies), FACTS)
def test_all_worlds_at_once_are_the_worlds_one_by_one(policy: Policy, facts: dict[FieldKey, Fact]) -> None:
    results, actions = one_by_one(policy, facts)
    decision = Engine(policy).classify(CONNECT, facts, contexts=(), explain=True)
    found = {(p.action, p.right, p.filter and p.filter.id, p.vetoed) for p in decision.possible}
    assert found == results
    assert ({decision.action} == actions) if len(actions) == 1 else decision.action.value == "depends"
    assert bool(decision.depends_on) is (len(actions) == 2)


@settings(max_examples=60, deadline=None)
@given(policies(False), FACTS)
def test_what_a_decision_depends_on_decides(policy: Policy, facts: dict[FieldKey, Fact]) -> None:
    """Naming every field of `depends_on` leaves nothing open between the actions; a field that is not named decides nothing."""
    decision = Engine(policy).classify(CONNECT, facts)
    engine = Engine(policy)
    for field, fact in facts.items():
        if isinstance(fact, Unknown) and field not in decision.depends_on:
            for value in DOMAIN[field]:
                assert engine.classify(CONNECT, {**facts, field: value}).action is decision.action


@settings(max_examples=40, deadline=None)
@given(policies(False), FACTS, st.randoms(use_true_random=False))
def test_the_order_in_which_filters_are_listed_does_not_matter(
    policy: Policy, facts: dict[FieldKey, Fact], random: object
) -> None:
    shuffled = list(policy.filters)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    for reading in Reading:
        first = Engine(policy, reading).classify(CONNECT, facts)
        again = Engine(replace(policy, filters=tuple(shuffled)), reading).classify(CONNECT, facts)
        assert first.action is again.action and set(first.possible) == set(again.possible)


def test_an_absent_callout_is_among_the_answers() -> None:
    assert set(Absent) <= set(ANSWERS)


# -- exactness: what is told in part, and texts by their ends ---------------------------------------------------------


def ends_in(suffix: str, match: MatchType = M.PREFIX) -> Condition:
    return Condition(APP, match, text(suffix))


BLOCKS, PERMITS = ActionType.BLOCK, ActionType.PERMIT


def asked(fact: Fact, *filters: tuple[ActionType, tuple[Condition, ...]], field: FieldKey = APP) -> object:
    """The action of filters in one sublayer, heaviest first, when `field` is known as `fact`."""
    made = tuple(
        Filter(
            FilterKey(key(n)),
            f"f{n}",
            CONNECT,
            SublayerKey(key(0x5000)),
            action,
            conditions,
            n,
            effective_weight=99 - n,
        )
        for n, (action, conditions) in enumerate(filters, 1)
    )
    policy = Policy(made, (Sublayer(SublayerKey(key(0x5000)), "s", weight=1),))
    return Engine(policy).classify(CONNECT, {field: fact}).action.value


@pytest.mark.parametrize(
    ("fact", "filters", "action"),
    [
        pytest.param(
            UNKNOWN, [(BLOCKS, (ends_in("b.exe"), Condition(APP, M.EQUAL, EMPTY)))], "depends",
            id="the end of a text beside EMPTY, which has no end",
        ),
        pytest.param(
            NOT_EMPTY, [(BLOCKS, (ends_in("b.exe"),)), (BLOCKS, (ends_in("b.exe", M.NOT_PREFIX),))], "block",
            id="a text ends so or not so",
        ),
        pytest.param(
            UNKNOWN, [(BLOCKS, (ends_in("b.exe"),)), (BLOCKS, ())], "block", id="what comes after blocks anyway",
        ),
        pytest.param(
            NOT_EMPTY, [(PERMITS, (ends_in(".exe"),)), (BLOCKS, (ends_in("b.exe"),))], "permit",
            id="what ends in b.exe ends in .exe, so the second filter never gets it",
        ),
        pytest.param(
            NOT_EMPTY, [(PERMITS, (ends_in("b.exe"),)), (BLOCKS, (ends_in(".exe"),))], "depends",
            id="the other way about it gets the rest",
        ),
        pytest.param(
            Unknown((text("xb.exe"), text("yb.exe")), may_be_empty=False), [(BLOCKS, (ends_in("b.exe"),))], "block",
            id="whichever of two it is, both end so",
        ),
        pytest.param(
            Unknown((text("xb.exe"), text("yb.exe"))), [(BLOCKS, (ends_in("b.exe"),))], "depends", id="or it has none",
        ),
        pytest.param(
            Unknown((text("xb.exe"), text("c.com"), text("d.com")), may_be_empty=False),
            [(BLOCKS, (ends_in("b.exe", M.NOT_PREFIX),))], "depends", id="one of three does not end so",
        ),
    ],
)  # fmt: skip
def test_a_text_by_its_end(fact: Fact, filters: list[tuple[ActionType, tuple[Condition, ...]]], action: str) -> None:
    assert asked(fact, *filters) == action


def test_a_text_does_not_end_in_two_ways() -> None:
    both = Policy(
        tuple(
            Filter(
                FilterKey(key(n)), end, CONNECT, SublayerKey(key(0x5000 + n)), action, (ends_in(end),), n,
                effective_weight=1, flags=FilterFlags.CLEAR_ACTION_RIGHT,
            )
            for n, end, action in ((1, "b.exe", BLOCKS), (2, "c.exe", PERMITS))
        ),
        tuple(Sublayer(SublayerKey(key(0x5000 + n)), str(n), weight=n) for n in (1, 2)),
    )  # fmt: skip
    decision = Engine(both).classify(CONNECT, {}, explain=True)
    assert decision.action.value == "depends" and len(decision.possible) == 3  # b.exe, c.exe, neither; never both


def test_signed_numbers_are_in_the_order_of_numbers() -> None:
    worlds = Worlds({APP: [Value(DataType.INT32, n) for n in (-5, 9, 10)]})

    def holds(match: MatchType, number: int) -> object:
        return worlds.condition(Condition(APP, match, Value(DataType.INT32, number)), DataType.INT32, NOT_EMPTY)

    # above 9 and at most -5 is nothing, as above 10 and at most 9 is
    assert worlds.both(holds(M.GREATER, 9), holds(M.LESS_OR_EQUAL, -5)) is False  # type: ignore[arg-type]
    assert worlds.both(holds(M.GREATER, 10), holds(M.LESS_OR_EQUAL, 9)) is False  # type: ignore[arg-type]


def test_names_of_one_field_are_judged_as_one() -> None:
    type_, port = FieldKey("FWPM_CONDITION_ICMP_TYPE"), FieldKey(FIELD.IP_LOCAL_PORT)
    filters = [(BLOCKS, (Condition(type_, M.EQUAL, u16(8)),)), (BLOCKS, (Condition(port, M.NOT_EQUAL, u16(8)),))]
    assert asked(NOT_EMPTY, *filters, field=port) == "block"
