"""Who decided, in words; above all where it is not settled which filter it was."""

from __future__ import annotations

import pytest

from tamiz.engine.engine import Engine
from tamiz.formats.complete import complete
from tamiz.formats.toml.policy import read_toml
from tamiz.model.keys import LayerKey
from tamiz.outcomes.words import decider

LAYER = LayerKey("FWPM_LAYER_ALE_AUTH_CONNECT_V4")
WEB, MAIL, REST = (
    f'[[filter]]\nname = "{name}"\nlayer = "ale-auth-connect-v4"\naction = "permit"\n{conditions}\n'
    for name, conditions in (
        ("web", "conditions = { remote-port = 443 }"),
        ("mail", "conditions = { remote-port = 25 }"),
        ("rest", ""),
    )
)


@pytest.mark.parametrize(
    ("policy", "words"),
    [
        pytest.param("", "no filter decided", id="no filter"),
        pytest.param(REST, "'rest' (filter 1) in UNIVERSAL", id="one filter, certainly"),
        pytest.param(WEB, "'web' (filter 1) or none: the same action", id="one filter, perhaps"),
        pytest.param(WEB + MAIL, "one of 2 filters or none, all of the same action", id="one of two, or none"),
        pytest.param(WEB + REST, "one of 2 filters, all of the same action", id="one of two, certainly"),
    ],
)
def test_a_permit_with_nothing_known(policy: str, words: str) -> None:
    decision = Engine(complete(read_toml(policy.encode(), "policy.toml"))).classify(LAYER, {})
    assert decider(decision) == words
