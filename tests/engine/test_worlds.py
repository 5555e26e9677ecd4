"""The law of the unknown: what is decided in all worlds at once is what each world decides by itself.

A random policy is asked with some fields unknown; the answer must be the set of answers that the plain, fully known
engine gives over every value that can make a difference: each constant of the policy, its neighbours, EMPTY.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import product

from hypothesis import given, settings
from hypothesis import strategies as st

from tamiz.engine.callouts import ANSWERS, Absent, Behaviour, Call, Callouts, ClassifyOut
from tamiz.engine.engine import Engine
from tamiz.model._tables import FIELD, CalloutFlags, DataType, FilterFlags, MatchType
from tamiz.model.conditions import Condition
from tamiz.model.facts import UNKNOWN, Fact, Unknown
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
