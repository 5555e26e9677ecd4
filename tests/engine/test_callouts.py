"""Callouts that nobody described: what is possible, what an assumption makes of it, and what is named."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tamiz.engine.callouts import Assumption, Callouts
from tamiz.engine.engine import Engine
from tamiz.model._tables import CALLOUT
from tamiz.model.decisions import Action
from tamiz.model.keys import LayerKey
from tamiz.model.policy import Policy
from tests.engine.build import CONNECT, build


@pytest.mark.parametrize(
    ("vector", "action"),
    [
        pytest.param("S9:Ct", "depends", id="a terminating callout may permit or block"),
        pytest.param("S9:B ; S5:Ct", "block", id="below a hard block it can do nothing"),
        pytest.param("S9:P! ; S5:Ct", "depends", id="below a hard permit it can veto"),
        pytest.param("S9:P! ; S5:Ci", "permit", id="an inspection callout can never decide"),
        pytest.param("S9:Cu ; S5:B", "depends", id="an unknown callout may permit hard"),
        pytest.param("S9:[Cu, B]", "depends", id="an unknown callout may end the sublayer before a block"),
        pytest.param("S9:Ct ; S5:B!", "depends", id="a hard permit by a callout resists a block"),
    ],
)
def test_nothing_assumed(vector: str, action: str) -> None:
    built = build(vector)
    decision = built.engine().classify(CONNECT, {})
    assert decision.action is Action(action)
    callout = next(f.callout for f in built.policy.filters if f.callout)
    assert decision.depends_on == ((f"callout {callout}",) if action == "depends" else ())


@pytest.mark.parametrize(
    ("vector", "assumption", "action"),
    [
        pytest.param("S9:Ct ; S5:B", Assumption.TRANSPARENT, "block", id="transparent: as if it did not match"),
        pytest.param("S9:Ct", Assumption.TRANSPARENT, "permit", id="transparent: a terminating one does not block"),
        pytest.param("S9:Ct ; S5:B", Assumption.PERMIT, "block", id="permit: soft, so a lighter block wins"),
        pytest.param("S9:Ct ; S5:P!", Assumption.BLOCK, "block", id="block: hard, so a lighter permit loses"),
        pytest.param("S9:P! ; S5:Ct", Assumption.BLOCK, "block", id="block: a veto of a hard permit"),
        pytest.param(
            "S9:Ct gone", Assumption.TRANSPARENT, "block", id="an unregistered one blocks whatever is assumed"
        ),
    ],
)
def test_assumptions(vector: str, assumption: Assumption, action: str) -> None:
    built = build(vector)
    for callouts in (
        Callouts(assume_all=assumption),
        Callouts(assume={f.callout: assumption for f in built.policy.filters if f.callout}),
    ):
        assert Engine(built.policy, callouts=callouts).classify(CONNECT, {}).action is Action(action)


def test_a_callout_of_which_not_even_the_registration_is_known() -> None:
    """A filters dump lists no callouts: the callout may be missing, and then the filter blocks."""
    policy = build("S9:Cu permitted").policy
    unlisted = replace(policy, callouts=(), lists_callouts=False)
    decision = Engine(unlisted).classify(CONNECT, {})
    assert decision.action is Action.DEPENDS


def test_silent_drop_blocks_whatever_is_assumed_of_others() -> None:
    layer = LayerKey("FWPM_LAYER_INBOUND_TRANSPORT_V4_DISCARD")
    built = build("S9:Ct", layer=layer)
    stealth = replace(built.policy.filters[0], callout=CALLOUT.WFP_TRANSPORT_LAYER_V4_SILENT_DROP)
    policy = Policy((stealth,), built.policy.sublayers)
    for assumption in (None, Assumption.TRANSPARENT, Assumption.PERMIT):
        decision = Engine(policy, callouts=Callouts(assume_all=assumption)).classify(layer, {})
        assert (decision.action, decision.depends_on) == (Action.BLOCK, ())


def test_a_sublayer_of_unknown_weight_leaves_the_order_open() -> None:
    policy = build("S9:P! ; S5:B").policy
    unknown = policy.sublayers[1]
    loose = replace(policy, sublayers=policy.sublayers[:1], lists_sublayers=False)
    decision = Engine(loose).classify(CONNECT, {})
    assert (decision.action, decision.depends_on) == (Action.DEPENDS, (f"weight of sublayer {unknown.key}",))
    soft = replace(loose, filters=(build("S9:P").policy.filters[0], loose.filters[1]))
    assert Engine(soft).classify(CONNECT, {}).action is Action.BLOCK  # in either order


def test_very_many_sublayers_of_unknown_weight_depend() -> None:
    policy = build("S9:P ; S8:B ; S7:P! ; S6:B! ; S5:P ; S4:B ; S3:P!").policy
    decision = Engine(replace(policy, sublayers=())).classify(CONNECT, {})
    assert decision.action is Action.DEPENDS
    assert len(decision.depends_on) == 7
    assert {p.filter.name for p in decision.possible if p.filter} == {f"S{n}.1" for n in range(3, 10)}
