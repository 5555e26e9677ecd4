"""What a policy lists, what it takes from the catalog, and what it does not know."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tamiz.model import catalog
from tamiz.model._tables import CALLOUT, LAYER, SUBLAYER, CalloutFlags
from tamiz.model.keys import CalloutKey, FilterKey, LayerKey, SublayerKey
from tamiz.model.objects import ActionType, Callout, Filter, Sublayer
from tamiz.model.policy import Policy, Presence

ACME = SublayerKey("{00000000-0000-0000-0000-0000000000a1}")
TEREDO_AUTHORIZATION = SublayerKey("{7b6b11f6-cbb5-433c-ae06-6a4f0076e49e}")
INSPECTOR = CalloutKey("{00000000-0000-0000-0000-0000000000c1}")
WINDOWS_OWN = CALLOUT.IPSEC_INBOUND_TRANSPORT_V4

REGISTERED = Callout(INSPECTOR, "inspector", LAYER.ALE_AUTH_CONNECT_V4, flags=CalloutFlags.REGISTERED)
IDLE = replace(REGISTERED, flags=CalloutFlags(0))


@pytest.mark.parametrize(
    ("policy", "key", "presence"),
    [
        pytest.param(Policy(callouts=(REGISTERED,)), INSPECTOR, Presence.REGISTERED, id="listed, with a driver"),
        pytest.param(Policy(callouts=(IDLE,)), INSPECTOR, Presence.UNREGISTERED, id="listed, without a driver"),
        pytest.param(
            Policy(callouts=(REGISTERED,)), WINDOWS_OWN, Presence.UNREGISTERED, id="not in a list that is whole"
        ),
        pytest.param(Policy(), WINDOWS_OWN, Presence.REGISTERED, id="no list: Windows' own is there"),
        pytest.param(Policy(), INSPECTOR, Presence.UNKNOWN, id="no list: a third party's is not known"),
        pytest.param(
            Policy(callouts=(REGISTERED,), lists_callouts=False), CalloutKey("{x}"), Presence.UNKNOWN,
            id="not in a list that is not whole",
        ),
        pytest.param(
            Policy(callouts=(REGISTERED,), lists_callouts=False), WINDOWS_OWN, Presence.REGISTERED,
            id="Windows' own, with a list that is not whole",
        ),
    ],
)  # fmt: skip
def test_whether_a_driver_answers_for_a_callout(policy: Policy, key: CalloutKey, presence: Presence) -> None:
    assert policy.presence(key) is presence


@pytest.mark.parametrize(
    ("policy", "key", "weight"),
    [
        pytest.param(Policy(sublayers=(Sublayer(ACME, "acme", 7),)), ACME, 7, id="from the source"),
        pytest.param(Policy(), SUBLAYER.UNIVERSAL, 0x8000, id="Windows' own, from the catalog"),
        pytest.param(
            Policy(sublayers=(Sublayer(SUBLAYER.UNIVERSAL, "moved", 9),)), SUBLAYER.UNIVERSAL, 9,
            id="the source is stronger than the catalog",
        ),
        pytest.param(Policy(), ACME, None, id="a third party's that no source lists"),
        pytest.param(Policy(), TEREDO_AUTHORIZATION, None, id="Windows' own whose weight differs by machine"),
        pytest.param(
            Policy(sublayers=(Sublayer(ACME, "acme", None),)), ACME, None, id="listed without its weight"
        ),
    ],
)  # fmt: skip
def test_the_weight_of_a_sublayer(policy: Policy, key: SublayerKey, weight: int | None) -> None:
    assert policy.weight_of(key) == weight


def a_filter(name: str, layer: LayerKey) -> Filter:
    return Filter(FilterKey(name), name, layer, SUBLAYER.UNIVERSAL, ActionType.PERMIT)


def test_filters_by_layer_keep_the_order_of_their_source() -> None:
    one, two, three = (a_filter(n, x) for n, x in (("1", LAYER.STREAM_V4), ("2", LAYER.RPC_UM), ("3", LAYER.STREAM_V4)))
    assert Policy(filters=(one, two, three)).by_layer == {LAYER.STREAM_V4: (one, three), LAYER.RPC_UM: (two,)}


def test_a_machines_own_layers_stand_over_the_catalogs() -> None:
    connect = catalog.layers()[LAYER.ALE_AUTH_CONNECT_V4]
    own = replace(connect, fields=connect.fields[:3])
    policy = Policy(layers=(own,))
    assert policy.layer(own.key) is own
    assert policy.layer(LAYER.STREAM_V4) == catalog.layers()[LAYER.STREAM_V4]
    assert policy.layer(LayerKey("FWPM_LAYER_X")) is None


def test_without_layers_of_its_own_a_policy_takes_the_field_list_that_it_names() -> None:
    connect = LAYER.ALE_AUTH_CONNECT_V4
    assert Policy(fields="older").layer(connect) == catalog.layers("older")[connect]
    assert Policy().layer(connect) == catalog.layers("newest")[connect]


def test_policies_of_equal_content_are_equal_whatever_was_warned_of() -> None:
    content = (a_filter("1", LAYER.STREAM_V4),)
    assert Policy(filters=content) == Policy(filters=content, warnings=("a warning",))
    assert hash(Policy(filters=content)) == hash(Policy(filters=content))
    assert Policy(filters=content) != Policy()
