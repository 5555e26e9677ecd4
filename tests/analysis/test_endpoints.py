"""Answer key K3: every connected endpoint of a real machine was permitted by the policy of the same dump."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from functools import cache

import pytest

from tamiz.analysis.endpoints import Judged, judge
from tamiz.engine.callouts import Assumption, Callouts
from tamiz.engine.engine import Engine
from tamiz.formats.load import load_policies
from tamiz.model._tables import FIELD
from tamiz.model.decisions import Action
from tamiz.model.facts import Fact
from tamiz.model.keys import FieldKey
from tamiz.model.objects import Endpoint
from tamiz.model.policy import Policy
from tamiz.model.security import SecurityDescriptor, Token
from tamiz.model.sids import EVERYONE, NULL_SID, Sid
from tamiz.model.values import sid_value, token_value
from tests.shared import shared

pytestmark = pytest.mark.shared

DUMPS = ("workstation-a", "workstation-b")


@cache
def policy(name: str) -> Policy:
    return load_policies([str(shared(f"data/dumps/{name}.wfpstate.xml"))])


def services(policy: Policy) -> Iterator[tuple[set[bytes], set[Sid]]]:
    """For each filter, the applications and the service SIDs that it names."""
    for f in policy.filters:
        apps = {c.value.data for c in f.conditions if c.field == FIELD.ALE_APP_ID and isinstance(c.value.data, bytes)}
        descriptors = [c.value.data for c in f.conditions if isinstance(c.value.data, SecurityDescriptor)]
        aces = [ace for d in descriptors for ace in d.dacl or ()]
        yield apps, {ace.trustee for ace in aces if isinstance(ace.trustee, Sid) and ace.trustee.is_service}


def ordinary(policy: Policy, endpoint: Endpoint) -> Mapping[FieldKey, Fact]:
    """A process outside any package, without a service SID unless a service filter names its application."""
    named = [(apps, sids) for apps, sids in services(policy) if sids]
    every = {sid for _, sids in named for sid in sids}
    possible = {sid for apps, sids in named if endpoint.app in apps for sid in sids}
    token = Token(frozenset({EVERYONE}), frozenset(every - possible), app_container=False, attributes={})
    return {
        FIELD.ALE_PACKAGE_ID: sid_value(NULL_SID),
        FIELD.ALE_USER_ID: token_value(token),
        FIELD.ALE_PACKAGE_FAMILY_NAME: token_value(token),
    }


@cache
def judged_ordinary() -> tuple[Judged, ...]:
    found = []
    for name in DUMPS:
        engine = Engine(policy(name), callouts=Callouts(assume_all=Assumption.TRANSPARENT))
        found += [judge(engine, e, ordinary(policy(name), e)) for e in policy(name).endpoints]
    return tuple(found)


def test_there_are_115_and_34_endpoints() -> None:
    assert [len(policy(name).endpoints) for name in DUMPS] == [115, 34]


def test_with_nothing_assumed_every_endpoint_depends() -> None:
    """Which proves nothing, and so must be said."""
    for name in DUMPS:
        engine = Engine(policy(name))
        for endpoint in policy(name).endpoints:
            found = judge(engine, endpoint)
            assert (found.connect.action, found.accept.action) == (Action.DEPENDS, Action.DEPENDS)
            assert found.connect.depends_on and found.accept.depends_on


def test_no_endpoint_of_an_ordinary_process_is_blocked_on_connect() -> None:
    blocked = [j.endpoint for j in judged_ordinary() if j.connect.blocks]
    assert blocked == []


def test_135_of_149_are_permitted_on_connect() -> None:
    counts = Counter(j.connect.action for j in judged_ordinary())
    assert counts == {Action.PERMIT: 135, Action.DEPENDS: 14}


def test_no_endpoint_is_blocked_at_both_layers() -> None:
    assert not [j for j in judged_ordinary() if j.connect.blocks and j.accept.blocks]


def test_the_test_bites_since_most_could_not_have_been_accepted() -> None:
    assert sum(j.accept.blocks for j in judged_ordinary()) >= 88
