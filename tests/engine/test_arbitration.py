"""The vectors of arbitration.md 10, and every cell of its override table."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tamiz.engine.arbitrate import OVERRIDES, Incoming, Standing, override
from tamiz.engine.engine import Engine
from tamiz.model._tables import FIELD, MatchType
from tamiz.model.conditions import Condition
from tamiz.model.decisions import Action, Effect
from tamiz.model.facts import Facts
from tamiz.model.keys import FieldKey, LayerKey
from tamiz.model.reading import Reading
from tamiz.model.values import u8, u16
from tests.engine.build import CONNECT, build

NOTHING: Facts = {}

# number, vector, action, name of the deciding filter, what it shows
VECTORS = [
    (1, "", "permit", None, "without filters traffic passes, by filter 0"),
    (2, "S9:[P, B]", "permit", "S9.1", "the first terminating filter of a sublayer wins"),
    (3, "S9:[B, P]", "block", "S9.1", "a block before a permit in one sublayer"),
    (4, "S9:P ; S5:B", "block", "S5.1", "a soft permit is overridden by a lighter block"),
    (5, "S9:B ; S5:P", "block", "S9.1", "a filter's block is hard"),
    (6, "S9:B ; S5:P!", "block", "S9.1", "a hard permit does not lift a hard block"),
    (7, "S9:P! ; S5:B", "permit", "S9.1", "a hard permit resists a filter's block"),
    (8, "S9:P! ; S5:Ct(B)", "veto", "S5.1", "a callout vetoes a hard permit"),
    (9, "S9:P! ; S5:Ct(B,clr)", "veto", "S5.1", "a callout that clears the right vetoes too"),
    (10, "S9:P! ; S5:Ct(P)", "permit", "S9.1", "a callout's permit changes nothing of a hard permit"),
    (11, "S9:Ct(B) ; S5:P", "permit", "S5.1", "a callout's soft block is lifted by a permit"),
    (12, "S9:Ct(B,clr) ; S5:P", "block", "S9.1", "a callout that clears the right blocks hard"),
    (13, "S9:Ct(B,clr) ; S5:P!", "block", "S9.1", "a hard block by a callout resists a hard permit"),
    (14, "S9:Ct(B)", "block", "S9.1", "a soft block that nothing lifts stands"),
    (15, "S9:Ct(P) ; S5:B", "block", "S5.1", "a callout's permit is soft"),
    (16, "S9:Ct(P,clr) ; S5:B", "permit", "S9.1", "a callout that clears the right permits hard"),
    (17, "S9:Ci(B) ; S5:P", "permit", "S5.1", "what an inspection callout answers is ignored"),
    (18, "S9:Ct(CONTINUE)", "block", "S9.1", "a terminating callout that continues blocks"),
    (19, "S9:Ct(NONE)", "block", "S9.1", "a terminating callout that says NONE blocks"),
    (20, "S9:[Cu(CONTINUE), P]", "permit", "S9.2", "an unknown callout may continue to the next filter"),
    (21, "S9:[Cu(CONTINUE), B] ; S5:P", "block", "S9.2", "after continue a block of the same sublayer"),
    (22, "S9:Ct gone", "block", "S9.1", "an unregistered terminating callout blocks"),
    (23, "S9:Cu gone permitted ; S5:B", "block", "S5.1", "permit-if-unregistered is a soft permit"),
    (24, "S9:Cu gone permitted", "permit", "S9.1", "permit-if-unregistered permits"),
    (25, "S9:[Ci gone, B]", "block", "S9.2", "an unregistered inspection callout is ignored"),
    (26, "S9:[Ct gone, P]", "block", "S9.1", "an unregistered terminating callout ends its sublayer"),
    (27, "S9:B ; S5:Ci(B)", "block", "S9.1", "a lighter callout runs even after a hard block"),
    (28, "S9:P! ; S5:Ci(B)", "permit", "S9.1", "an inspection callout cannot veto"),
    (29, "S9:P disabled ; S5:B", "block", "S5.1", "a disabled filter is not enforced"),
    (30, "S9:[P w5, B w7]", "block", "S9.2", "order is by weight, not by insertion"),
    (32, "S9:P! ; S5:B ; S3:Ct(B)", "veto", "S3.1", "a filter's block does not veto, a callout's does"),
    (33, "S9:Ct(B) ; S5:P ; S3:B", "block", "S3.1", "soft block, soft permit, hard block"),
    (34, "S9:Ct(B) ; S5:P! ; S3:B", "permit", "S5.1", "soft block, hard permit, then a block in vain"),
    (39, "S9:Ct(B,ABSORB)", "block", "S9.1", "a block with ABSORB is absorbed"),
    (42, "S9:[B boot, P]", "permit", "S9.2", "boot-time filters are not enforced once BFE runs"),
    (44, "S9:P! ; S5:Ct(-)", "permit", "S9.1", "a callout that returns without the right does not veto"),
    (45, "S9:P ; S5:P", "permit", "S9.1", "of two soft permits the heavier sublayer's filter is reported"),
    (46, "S9:P! ; S5:B!", "permit", "S9.1", "as documented a block with CLEAR_ACTION_RIGHT does not veto"),
    (47, "S9:P ; S5:Ct(-)", "block", "S5.1", "a callout that wrote nothing did not inherit the permit"),
    (48, "S9:P ; S5:[Cu(-), B]", "block", "S5.2", "an unknown callout that writes nothing continues"),
    (49, "S9:[P w3, B w3]", "block", "S9.2", "of equal weights the newest filter is asked first"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("vector", "action", "decider"),
    [pytest.param(v, a, d, id=f"{n}: {why}") for n, v, a, d, why in VECTORS],
)
def test_vector(vector: str, action: str, decider: str | None) -> None:
    decision = build(vector).engine().classify(CONNECT, NOTHING, contexts=())
    assert decision.action is (Action.PERMIT if action == "permit" else Action.BLOCK)
    assert (decision.filter.name if decision.filter else None) == decider
    assert decision.vetoed is (action == "veto")


PORT, PROTOCOL = FieldKey(FIELD.IP_REMOTE_PORT), FieldKey(FIELD.IP_PROTOCOL)


def equal(port: int) -> Condition:
    return Condition(PORT, MatchType.EQUAL, u16(port))


def other_than(port: int) -> Condition:
    return Condition(PORT, MatchType.NOT_EQUAL, u16(port))


TCP_ONLY = Condition(PROTOCOL, MatchType.EQUAL, u8(6))


@pytest.mark.parametrize(
    ("conditions", "port", "protocol", "matches"),
    [
        pytest.param((equal(81),), 80, 6, False, id="31: a filter that does not match is passed over"),
        pytest.param((equal(80), equal(443)), 443, 6, True, id="35: conditions on one field are alternatives"),
        pytest.param((equal(80), TCP_ONLY), 80, 17, False, id="36: conditions on two fields must both hold"),
        pytest.param(
            (other_than(80), other_than(443)), 80, 6, True, id="37: negations on one field are alternatives too"
        ),
        pytest.param((), 80, 6, True, id="38: a filter without conditions always matches"),
        pytest.param(
            (equal(80), TCP_ONLY, equal(443)), 443, 6, True, id="conditions on one field need not be consecutive"
        ),
    ],
)
def test_conditions_combine(conditions: tuple[Condition, ...], port: int, protocol: int, matches: bool) -> None:
    engine = build("S9:P ; S5:B!", conditions={"S9.1": conditions, "S5.1": (equal(1),)}).engine()
    decision = engine.classify(CONNECT, {PORT: u16(port), PROTOCOL: u8(protocol)})
    assert (decision.filter is not None) is matches


def test_27_the_lighter_callout_was_called() -> None:
    built = build("S9:B ; S5:Ci(B)")
    decision = built.engine().classify(CONNECT, NOTHING, contexts=(), explain=True)
    assert decision.blocks
    assert built.called == ["S5.1"]
    assert [step.called for step in decision.steps] == [(), (built.policy.filters[1].callout,)]


def test_39_absorb_is_kept() -> None:
    assert build("S9:Ct(B,ABSORB)").engine().classify(CONNECT, NOTHING).absorbed
    assert not build("S9:Ct(B)").engine().classify(CONNECT, NOTHING).absorbed


def test_40_a_callout_conditional_on_a_flow_without_context_is_not_called() -> None:
    built = build("S9:Ct(B) on_flow ; S5:P")
    decision = built.engine().classify(CONNECT, NOTHING, contexts=())
    assert (decision.action, built.called) == (Action.PERMIT, [])
    with_context = built.engine().classify(CONNECT, NOTHING, contexts={built.policy.callouts[0].key})
    assert (with_context.filter, built.called) == (built.policy.filters[1], ["S9.1"])


def test_41_a_hard_permit_does_not_reach_another_layer() -> None:
    transport = LayerKey("FWPM_LAYER_OUTBOUND_TRANSPORT_V4")
    permit, block = build("S9:P!").policy, build("S5:B", layer=transport).policy
    engine = build("").engine()
    engine = type(engine)(type(permit)(permit.filters + block.filters, permit.sublayers + block.sublayers))
    assert engine.classify(CONNECT, NOTHING).action is Action.PERMIT
    assert engine.classify(transport, NOTHING).action is Action.BLOCK


def test_43_before_bfe_runs_only_boot_time_filters_are_enforced() -> None:
    engine = build("S9:[B boot, P]").engine(bfe_running=False)
    assert engine.classify(CONNECT, NOTHING).action is Action.BLOCK


def test_46_as_observed_a_block_with_clear_action_right_vetoes() -> None:
    decision = build("S9:P! ; S5:B!").engine(Reading.OBSERVED).classify(CONNECT, NOTHING)
    assert (decision.action, decision.vetoed) == (Action.BLOCK, True)
    assert decision.filter is not None and decision.filter.name == "S5.1"
    without = build("S9:P! ; S5:B").engine(Reading.OBSERVED).classify(CONNECT, NOTHING)
    assert without.action is Action.PERMIT


def test_49_says_that_the_verdict_rests_on_a_tie() -> None:
    assert build("S9:[P w3, B w3]").engine().classify(CONNECT, NOTHING).tie
    assert not build("S9:[P w4, B w3]").engine().classify(CONNECT, NOTHING).tie
    assert not build("S9:[P w3, B w3] ; S5:B").engine().classify(CONNECT, NOTHING).tie


# arbitration.md 6, rows and columns as printed; "veto" and "stays" as there
COLUMNS = tuple(Incoming)
TABLE = {
    Standing.NONE: ("SOFT_PERMIT", "HARD_PERMIT", "HARD_BLOCK", "HARD_BLOCK", "SOFT_BLOCK", "HARD_BLOCK"),
    Standing.SOFT_PERMIT: ("SOFT_PERMIT", "HARD_PERMIT", "HARD_BLOCK", "HARD_BLOCK", "SOFT_BLOCK", "HARD_BLOCK"),
    Standing.HARD_PERMIT: ("stays", "stays", "stays", "stays", "veto", "veto"),
    Standing.SOFT_BLOCK: ("SOFT_PERMIT", "HARD_PERMIT", "HARD_BLOCK", "HARD_BLOCK", "SOFT_BLOCK", "HARD_BLOCK"),
    Standing.HARD_BLOCK: ("stays", "stays", "stays", "stays", "stays", "stays"),
}


@pytest.mark.parametrize("standing", list(Standing))
@pytest.mark.parametrize("incoming", list(Incoming))
def test_every_cell_of_the_override_table(standing: Standing, incoming: Incoming) -> None:
    wanted = TABLE[standing][COLUMNS.index(incoming)]
    cell = override(standing, incoming, Reading.DOCUMENTED)
    if wanted == "stays":
        assert cell == (standing, Effect.NONE, False)
    elif wanted == "veto":
        assert cell == (Standing.HARD_BLOCK, Effect.VETO, True)
    else:
        assert cell.standing is Standing[wanted]
        assert cell.takes_over is not (cell.effect is Effect.AGREES)


def test_the_readings_differ_in_one_cell() -> None:
    differing = [cell for cell in OVERRIDES if override(*cell, Reading.OBSERVED) != OVERRIDES[cell]]
    assert differing == [(Standing.HARD_PERMIT, Incoming.FILTER_BLOCK_CLEAR)]


def test_equal_weights_and_equal_ids_are_a_tie_too() -> None:
    """Two machines' filters may have one run-time id: their place tells them apart, and no order does."""
    built = build("S9:[P w5, B w5]")
    first, second = built.policy.filters
    policy = replace(built.policy, filters=(first, replace(second, id=first.id)))
    assert Engine(policy).classify(CONNECT, NOTHING).tie
