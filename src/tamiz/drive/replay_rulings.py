"""Decisions for the packets of a capture, each made once for all conversations that the policy cannot tell apart.

The engine's answer at a layer depends on addresses and ports only through the intervals that the policy's conditions
cut (`tamiz.engine.classes`), and on a few things beside: the kinds of the addresses, the protocol, directions, flags.
So a new flow costs a few bisections and no engine call, as long as one like it was seen before. The law, which a
test holds: what is remembered equals `Engine.classify` on the conversation's own facts.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Final

from tamiz.engine.classes import Classes, classes
from tamiz.engine.engine import Engine
from tamiz.model._tables import FIELD, ConditionFlags, ReauthorizeReason
from tamiz.model.decisions import Action, Decision, Right
from tamiz.model.keys import LayerKey
from tamiz.model.objects import Filter
from tamiz.sources.observer.flows import Ends
from tamiz.stack.fields import Embedded
from tamiz.stack.requests import Way
from tamiz.stack.rows import layer_key
from tamiz.stack.sequences import SEQUENCES
from tamiz.stack.witness import Conversation, Known, address_type, facts_at, is_loopback, original_icmp

REMEMBERED: Final = 100_000  # rulings, and signatures, kept; then they are forgotten and made again

_FIELDS: Final = (
    FIELD.IP_LOCAL_ADDRESS, FIELD.IP_REMOTE_ADDRESS, FIELD.IP_LOCAL_PORT, FIELD.IP_REMOTE_PORT,
    FIELD.ORIGINAL_ICMP_TYPE, FIELD.EMBEDDED_REMOTE_ADDRESS, FIELD.EMBEDDED_LOCAL_PORT, FIELD.EMBEDDED_REMOTE_PORT,
)  # fmt: skip
_NONE, _NO_REASON = ConditionFlags(0), ReauthorizeReason(0)
_LAYERS: Final = frozenset(
    row.layer for s in SEQUENCES.values() for row in s.rows if row.layer
)  # CREATING is among the others


@dataclass(frozen=True, slots=True, eq=False)
class Ruling:
    """What a replay keeps of a decision; equal ones are one object. `filter` None: none, or not one alone."""

    layer: LayerKey
    action: Action
    right: Right | None
    filter: Filter | None
    depends_on: tuple[str, ...]
    absorbed: bool
    tie: bool
    several: bool

    @property
    def blocks(self) -> bool:
        return self.action is Action.BLOCK


class _Cut:
    """The classes of the fields of `_FIELDS` at one layer, or at several together."""

    __slots__ = ("_local", "_original", "_quoted", "_remote", "_sides")

    def __init__(self, parts: tuple[Classes, ...]) -> None:
        self._local, self._remote = parts[0], parts[1]
        self._sides, self._original, self._quoted = parts[2:4], parts[4], parts[5:]

    def of(self, ends: Ends) -> tuple[Hashable, ...]:
        """Equal for ends that the layer's conditions on addresses and ports cannot tell apart."""
        here, there = ends.local_port, ends.remote_port
        original = original_icmp(ends.protocol, here, ends.original)
        return (
            self._local.of(int.from_bytes(ends.local, "big")),
            self._remote.of(int.from_bytes(ends.remote, "big")),
            -1 if here is None else self._sides[0].of(here),
            -1 if there is None else self._sides[1].of(there),
            -1 if original is None else self._original.of(original),
            None if ends.embedded is None else self._embedded(ends.embedded),
        )

    def _embedded(self, quoted: Embedded) -> tuple[int, ...]:
        here, there = quoted.local_port, quoted.remote_port
        return (
            quoted.protocol,
            int(quoted.local_type),
            self._quoted[0].of(int.from_bytes(quoted.remote, "big")),
            -1 if here is None else self._quoted[1].of(here),
            -1 if there is None else self._quoted[2].of(there),
        )


class Rulings:
    """The rulings of one policy on what a witness knows."""

    def __init__(self, engine: Engine, known: Known) -> None:
        self.engine, self.known = engine, known
        self._cuts: dict[LayerKey, _Cut] = {}
        self._together = {4: self._all(4), 16: self._all(6)}
        self._made: dict[tuple[Hashable, ...], Ruling] = {}
        self._distinct: dict[tuple[Hashable, ...], Ruling] = {}

    def signature(self, ends: Ends) -> tuple[Hashable, ...]:
        """Equal for ends that get equal rulings at every layer."""
        return (*_shape(ends), *self._together[len(ends.local)].of(ends))

    def at(
        self, layer: LayerKey, ends: Ends, way: Way | None, flags: ConditionFlags = _NONE,
        reason: ReauthorizeReason = _NO_REASON,
    ) -> Ruling:  # fmt: skip
        """The ruling at `layer` on an event of `ends`; `way`, `flags` and `reason` as in `facts_at`."""
        key = (layer, way, int(flags), int(reason), *_shape(ends), *self._cut(layer).of(ends))
        found = self._made.get(key)
        if found is None:
            if len(self._made) >= REMEMBERED:
                self._made.clear()
            found = self._made[key] = self._kept(self.classify(layer, ends, way, flags, reason))
        return found

    def classify(
        self, layer: LayerKey, ends: Ends, way: Way | None, flags: ConditionFlags = _NONE,
        reason: ReauthorizeReason = _NO_REASON,
    ) -> Decision:  # fmt: skip
        """The engine's own answer."""
        conversation = Conversation(
            ends.protocol, ends.local, ends.remote, ends.local_port, ends.remote_port, ends.original
        )
        if ends.loopback:
            flags |= ConditionFlags.IS_LOOPBACK
        facts = facts_at(layer, conversation, self.known, way, ends.way, flags, reason, ends.embedded)
        return self.engine.classify(layer, facts)

    def _kept(self, d: Decision) -> Ruling:
        several = d.filter is None and any(p.filter is not None for p in d.possible)
        key = (d.layer, d.action, d.right, id(d.filter), d.depends_on, d.absorbed, d.tie, several)
        found = self._distinct.get(key)
        if found is None:
            found = self._distinct[key] = Ruling(
                d.layer, d.action, d.right, d.filter, d.depends_on, d.absorbed, d.tie, several
            )
        return found

    def _cut(self, layer: LayerKey) -> _Cut:
        found = self._cuts.get(layer)
        if found is None:
            program = self.engine.program(layer)
            found = self._cuts[layer] = _Cut(tuple(classes(field, program) for field in _FIELDS))
        return found

    def _all(self, version: int) -> _Cut:
        keys = (layer_key(base, version) for stem in _LAYERS for base in (stem, f"{stem}_DISCARD"))
        programs = [self.engine.program(key) for key in keys if key in self.engine.policy.by_layer]
        return _Cut(tuple(classes(field, *programs) for field in _FIELDS))


def _shape(ends: Ends) -> tuple[Hashable, ...]:
    """All that facts show of ends beside the numbers."""
    local, remote = ends.local, ends.remote
    return (
        ends.protocol, ends.way, len(local), _kind(local), _kind(remote),
        ends.loopback or local == remote or (is_loopback(local) and is_loopback(remote)),
    )  # fmt: skip


def _kind(packed: bytes) -> int:
    """The address's type; a fifth kind may be a subnet's broadcast address (`tamiz.stack.witness`)."""
    kind = address_type(packed)
    return 16 + kind if len(packed) == 4 and packed[3] == 255 else int(kind)
