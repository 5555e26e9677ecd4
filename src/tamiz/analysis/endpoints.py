"""The connected endpoints of a state dump, judged under the policy of the same dump.

Windows had authorised every one of them (field-evidence.md K3), so none may be a block at both authorizing layers; a
dump does not tell which end opened a connection, nor whose token it was.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from tamiz.engine.engine import Engine
from tamiz.model._tables import FIELD, ConditionFlags
from tamiz.model.decisions import Decision
from tamiz.model.facts import Fact, Facts, KnownBits
from tamiz.model.keys import FieldKey, LayerKey
from tamiz.model.objects import Endpoint
from tamiz.model.values import blob
from tamiz.stack.requests import Way
from tamiz.stack.rows import layer_key
from tamiz.stack.witness import Conversation, Known, facts_at, is_loopback

_LAYERS: Final[tuple[tuple[str, Way], ...]] = (("ALE_AUTH_CONNECT", "out"), ("ALE_AUTH_RECV_ACCEPT", "in"))
_REMOTE: Final = (FIELD.IP_REMOTE_ADDRESS, FIELD.IP_REMOTE_PORT, FIELD.IP_DESTINATION_ADDRESS_TYPE)


@dataclass(frozen=True, slots=True)
class Judged:
    """An endpoint and the decision at both authorizing layers, as if it had opened the connection, or accepted it."""

    endpoint: Endpoint
    connect: Decision
    accept: Decision


def judge(engine: Engine, endpoint: Endpoint, told: Mapping[FieldKey, Fact] | None = None) -> Judged:
    """The endpoint's decisions under `engine`; `told` adds what its application's token is known to be."""
    decisions = [engine.classify(layer, facts, explain=True) for layer, facts in _indications(endpoint, told or {})]
    return Judged(endpoint, decisions[0], decisions[1])


def _indications(e: Endpoint, told: Mapping[FieldKey, Fact]) -> Iterator[tuple[LayerKey, Facts]]:
    conversation = Conversation(e.protocol, e.local_address, e.remote_address, e.local_port, e.remote_port)
    known = Known({FIELD.ALE_APP_ID: blob(e.app), **told}, ipsec=False if e.quick_mode_sa == 0 else None)
    for base, way in _LAYERS:
        layer = layer_key(base, conversation.version)
        facts = dict(facts_at(layer, conversation, known, way))
        yield layer, _without_remote(facts, e) if _remote_is_unknown(e) else facts


def _remote_is_unknown(e: Endpoint) -> bool:
    """A remote side of zeros, address and port, is one that the dump does not tell (K3)."""
    return not any(e.remote_address) and e.remote_port == 0


def _without_remote(facts: dict[FieldKey, Fact], e: Endpoint) -> Facts:
    """The facts without a remote side. Whether the other end is this host is then known only of loopback addresses:
    K3 derives the flag from the local address, and so does this [O: 135 permits of 149]."""
    word = facts.get(FIELD.FLAGS)
    if isinstance(word, KnownBits):
        loopback = is_loopback(e.local_address)
        bit = int(ConditionFlags.IS_LOOPBACK)
        facts[FIELD.FLAGS] = KnownBits(word.value & ~bit | (bit if loopback else 0), word.known | bit)
    return {field: fact for field, fact in facts.items() if field not in _REMOTE}
