"""Laws that hold for every policy: any small policy, any built-in scenario, both families, every Windows, both readings.

Policies are random: filters at the layers of the flows and their discard layers, with and without conditions, of three
sublayers, hard and soft, with callouts that permit, block, absorb, or that nobody described.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from tamiz.drive.world import MAX_STEPS, Side, Stage, play
from tamiz.engine.callouts import Behaviour, Call, Callouts, ClassifyOut
from tamiz.model import catalog
from tamiz.model._tables import FIELD, CalloutFlags, ConditionFlags, DataType, FilterFlags, MatchType
from tamiz.model.conditions import Condition
from tamiz.model.keys import CalloutKey, FieldKey, FilterKey, LayerKey, SublayerKey
from tamiz.model.objects import ActionType, Callout, Filter, Sublayer
from tamiz.model.policy import Policy
from tamiz.model.reading import Reading
from tamiz.model.trace import OUTCOMES, Step, Trace
from tamiz.model.values import Value, u8, u16, u32
from tamiz.model.windows import WindowsVersion, has_layer
from tamiz.sources.scenario import HOSTS, NAMES, built_in
from tamiz.stack.blocks import ABSORB, BLOCKS, After
from tamiz.stack.rows import base_name, layer_key
from tests.engine.build import key

# In the order in which one event meets them: a later layer of the same event never follows a block.
OUTWARD = (
    "ALE_BIND_REDIRECT", "ALE_RESOURCE_ASSIGNMENT", "ALE_AUTH_LISTEN", "ALE_CONNECT_REDIRECT", "ALE_AUTH_CONNECT",
    "ALE_FLOW_ESTABLISHED", "STREAM", "DATAGRAM_DATA", "STREAM_PACKET", "OUTBOUND_ICMP_ERROR", "OUTBOUND_TRANSPORT",
    "OUTBOUND_IPPACKET",
)  # fmt: skip
INWARD = (
    "INBOUND_IPPACKET", "INBOUND_TRANSPORT", "INBOUND_ICMP_ERROR", "ALE_AUTH_RECV_ACCEPT", "ALE_AUTH_CONNECT",
    "ALE_FLOW_ESTABLISHED", "STREAM_PACKET", "STREAM", "DATAGRAM_DATA",
)  # fmt: skip
ENDS = ("ALE_ENDPOINT_CLOSURE", "ALE_RESOURCE_RELEASE")
LAYERS = tuple(dict.fromkeys((*OUTWARD, *INWARD, *ENDS)))
HAS_DISCARD = {block.layer for block in BLOCKS if block.discard}
IGNORED = {block.layer for block in BLOCKS if block.after is After.NOTHING}
BY_THE_STACK = {"INBOUND_TRANSPORT_DISCARD", "INBOUND_IPPACKET_DISCARD"}  # drops that no filter made

ANSWERS: dict[str, ClassifyOut | None] = {
    "permits": ClassifyOut(ActionType.PERMIT),
    "blocks": ClassifyOut(ActionType.BLOCK, right=False),
    "absorbs": ClassifyOut(ActionType.BLOCK, right=False, absorb=True),
    "nobody knows": None,
}

# -- policies --------------------------------------------------------------------------------------------------------

M = MatchType
VALUES: dict[FieldKey, st.SearchStrategy[Value]] = {
    FIELD.IP_PROTOCOL: st.sampled_from((u8(1), u8(6), u8(17), u8(58))),
    FIELD.IP_REMOTE_PORT: st.sampled_from((u16(53), u16(443), u16(0), u16(49_152))),
    FIELD.IP_LOCAL_PORT: st.sampled_from((u16(53), u16(443), u16(8), u16(49_152))),
    FIELD.DIRECTION: st.sampled_from((u32(0), u32(1))),
    FIELD.ALE_APP_ID: st.just(Value(DataType.BYTE_BLOB_TYPE, b"a\0.\0e\0x\0e\0\0\0")),
}
FLAGS = st.sampled_from(
    (ConditionFlags.IS_LOOPBACK, ConditionFlags.IS_REAUTHORIZE, ConditionFlags.IS_WILDCARD_BIND)
).map(lambda flag: u32(int(flag)))


@st.composite
def conditions(draw: st.DrawFn, layer: LayerKey) -> tuple[Condition, ...]:
    fields = [f.key for f in catalog.layers()[layer].fields if f.key in VALUES or f.key == FIELD.FLAGS]
    found = []
    for field in draw(st.lists(st.sampled_from(fields), max_size=2, unique=True)) if fields else ():
        if field == FIELD.FLAGS:
            found.append(Condition(field, draw(st.sampled_from((M.FLAGS_ALL_SET, M.FLAGS_NONE_SET))), draw(FLAGS)))
        else:
            found.append(Condition(field, draw(st.sampled_from((M.EQUAL, M.NOT_EQUAL))), draw(VALUES[field])))
    return tuple(found)


@st.composite
def sides(draw: st.DrawFn, ip: int) -> Side:
    """A host with at most six filters."""
    bases = st.sampled_from((*LAYERS, *(f"{base}_DISCARD" for base in LAYERS if base in HAS_DISCARD)))
    filters, callouts, behaviours = [], [], dict[CalloutKey, Behaviour]()
    for number in range(1, draw(st.integers(0, 6)) + 1):
        layer = layer_key(draw(bases), ip)
        action = draw(st.sampled_from((ActionType.PERMIT, ActionType.BLOCK, ActionType.CALLOUT_TERMINATING)))
        callout = CalloutKey(key(0xC000 + number)) if action.is_callout else None
        if callout is not None:
            callouts.append(Callout(callout, f"c{number}", layer, flags=CalloutFlags.REGISTERED))
            answer = ANSWERS[draw(st.sampled_from(tuple(ANSWERS)))]
            if answer is not None:
                behaviours[callout] = always(answer)
        sublayer = SublayerKey(key(0x5000 + draw(st.integers(1, 3))))
        flags = draw(st.sampled_from((FilterFlags(0), FilterFlags.CLEAR_ACTION_RIGHT)))
        filters.append(
            Filter(
                FilterKey(key(number)), f"f{number}", layer, sublayer, action, draw(conditions(layer)), number,
                effective_weight=draw(st.integers(0, 3)), flags=flags, callout=callout,
            )
        )  # fmt: skip
    sublayers = tuple(Sublayer(SublayerKey(key(0x5000 + n)), str(n), weight=n) for n in (1, 2, 3))
    return Side(Policy(tuple(filters), sublayers, callouts=tuple(callouts)), callouts=Callouts(behaviours))


def always(answer: ClassifyOut) -> Behaviour:
    def behave(call: Call) -> ClassifyOut:
        return answer

    return behave


@st.composite
def plays(draw: st.DrawFn) -> tuple[str, Stage]:
    ip = draw(st.sampled_from((4, 6)))
    stage = Stage(
        ip, draw(sides(ip)), draw(sides(ip)), draw(st.sampled_from(tuple(WindowsVersion))),
        draw(st.sampled_from(tuple(Reading))),
    )  # fmt: skip
    return draw(st.sampled_from(NAMES)), stage


# -- laws ------------------------------------------------------------------------------------------------------------


@settings(max_examples=300, deadline=None)
@given(plays())
def test_every_scenario_ends_and_obeys_its_policy(drawn: tuple[str, Stage]) -> None:
    name, stage = drawn
    trace = play(built_in(name), stage)
    the_steps_are_in_order(trace)
    every_decision_is_of_a_layer_that_windows_has(trace)
    for host in HOSTS:
        layered = [step for step in trace.steps if step.host == host and step.layer is not None]
        a_block_is_followed_by_its_discard_layer(layered)
        a_discard_layer_follows_a_drop(layered)
        no_later_layer_follows_a_block(layered)
        what_was_permitted_is_on_the_wire(trace, host)
    whoever_is_not_told_otherwise_goes_on(trace, stage)


def the_steps_are_in_order(trace: Trace) -> None:
    assert len(trace.steps) < MAX_STEPS
    assert [step.n for step in trace.steps] == list(range(1, len(trace.steps) + 1))
    assert all(a.time <= b.time for a, b in pairwise(trace.steps))
    assert all(a.time <= b.time for a, b in pairwise(trace.wire))
    assert set(trace.outcome) == set(HOSTS)
    assert set(trace.outcome.values()) <= set(OUTCOMES)


def every_decision_is_of_a_layer_that_windows_has(trace: Trace) -> None:
    for step in trace.steps:
        assert (step.layer is None) == (step.decision is None)
        if step.layer is not None and step.decision is not None:
            assert step.decision.layer == step.layer
            assert has_layer(trace.windows, step.layer)
            assert f"_V{trace.ip}" in step.layer


def blocks(step: Step) -> bool:
    return step.decision is not None and step.decision.blocks and base(step) not in IGNORED - BY_THE_STACK


def base(step: Step) -> str:
    assert step.layer is not None
    return base_name(step.layer)


def absorbed(step: Step) -> bool:
    return step.decision is not None and step.decision.absorbed and base(step) in ABSORB


def a_block_is_followed_by_its_discard_layer(steps: list[Step]) -> None:
    for n, step in enumerate(steps):
        if blocks(step) and base(step) in HAS_DISCARD and not absorbed(step):
            after = steps[n + 1]
            assert (base(after), after.time, after.packet) == (f"{base(step)}_DISCARD", step.time, step.packet)


def a_discard_layer_follows_a_drop(steps: list[Step]) -> None:
    for n, step in enumerate(steps):
        if base(step).endswith("_DISCARD"):
            told = n > 0 and blocks(steps[n - 1]) and base(step) == f"{base(steps[n - 1])}_DISCARD"
            assert told or base(step) in BY_THE_STACK


def no_later_layer_follows_a_block(steps: list[Step]) -> None:
    """The next step of the same packet or call at the same moment begins the sequence again, or there is none."""
    for n, step in enumerate(steps):
        if not blocks(step) or base(step).endswith("_DISCARD"):
            continue
        order = INWARD if step.direction == "in" else OUTWARD
        for after in same_event(steps[n + 1 :], step):
            assert order.index(base(after)) <= order.index(base(step))
            break


def same_event(steps: list[Step], first: Step) -> Iterator[Step]:
    """Steps of the same packet or of a call at that moment; the end of an endpoint is an event of its own."""
    for step in steps:
        same = (step.time, step.direction, step.packet) == (first.time, first.direction, first.packet)
        if same and base(step) not in ENDS and not base(step).endswith("_DISCARD"):
            yield step


def what_was_permitted_is_on_the_wire(trace: Trace, host: str) -> None:
    """A packet leaves for each OUTBOUND_IPPACKET that does not block, and for nothing else."""
    left = [
        s.packet for s in trace.steps if s.host == host and s.layer and base(s) == "OUTBOUND_IPPACKET" and not blocks(s)
    ]
    assert [packet.word for packet in trace.wire if packet.host == host] == left


def whoever_is_not_told_otherwise_goes_on(trace: Trace, stage: Stage) -> None:
    """Without any block the scenario ends as it does without a policy."""
    if not any(step.decision is not None and step.decision.blocks for step in trace.steps):
        free = play(built_in(trace.scenario), Stage(stage.ip, windows=stage.windows, reading=stage.reading))
        assert trace.outcome == free.outcome
        assert [p.word for p in trace.wire] == [p.word for p in free.wire]


@settings(max_examples=40, deadline=None)
@given(plays())
def test_the_same_play_is_the_same_trace(drawn: tuple[str, Stage]) -> None:
    name, stage = drawn
    first, second = play(built_in(name), stage), play(built_in(name), stage)
    assert first.steps == second.steps
    assert [p.packet for p in first.wire] == [p.packet for p in second.wire]
    assert first.outcome == second.outcome
