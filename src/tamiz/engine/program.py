"""A layer's filters made ready to be asked: which take part, in which order, their conditions grouped.

Source: spec arbitration.md 2 (which filters take part), 2.1 (order), 3 (OR within a field, AND across). Names of one
field's GUID are one field. Groups that several filters have in common are shared, so a classify judges each once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from tamiz.engine.worlds import Worlds, WorldSet
from tamiz.model._tables import FilterFlags
from tamiz.model.conditions import Condition
from tamiz.model.facts import UNKNOWN, Facts, Unknown
from tamiz.model.keys import FieldKey, LayerKey, SublayerKey
from tamiz.model.layers import Field, Layer, canonical_field
from tamiz.model.objects import Filter
from tamiz.model.policy import Policy
from tamiz.model.values import Value


@dataclass(frozen=True, slots=True, eq=False)
class Group:
    """The conditions of a filter on one field: met when one of them is."""

    field: Field
    conditions: tuple[Condition, ...]

    def holds(self, facts: Facts, worlds: Worlds) -> WorldSet:
        """The worlds in which the group is met."""
        fact = facts.get(self.field.key, UNKNOWN)
        found: WorldSet = False
        for condition in self.conditions:
            found = worlds.either(found, worlds.condition(condition, self.field.type, fact))
            if found is True:
                break
        return found


@dataclass(frozen=True, slots=True, eq=False)
class Candidate:
    """A filter that takes part."""

    filter: Filter
    groups: tuple[Group, ...]
    weight: int


@dataclass(frozen=True, slots=True, eq=False)
class SublayerProgram:
    """The candidates of one sublayer, heaviest first; `weight` None: the policy does not tell it."""

    key: SublayerKey
    weight: int | None
    candidates: tuple[Candidate, ...]


class Judged:
    """The groups of one layer judged on one set of facts, each when it is first asked for."""

    def __init__(self, facts: Facts, worlds: Worlds) -> None:
        self.facts, self.worlds = facts, worlds
        self._groups: dict[Group, WorldSet] = {}
        self._candidates: dict[Candidate, WorldSet] = {}

    def group(self, group: Group) -> WorldSet:
        found = self._groups.get(group)
        if found is None:
            found = self._groups[group] = group.holds(self.facts, self.worlds)
        return found

    def matches(self, candidate: Candidate) -> WorldSet:
        """The worlds in which all conditions of the filter hold."""
        found = self._candidates.get(candidate)
        if found is None:
            found = self._candidates[candidate] = self._matches(candidate)
        return found

    def _matches(self, candidate: Candidate) -> WorldSet:
        found: WorldSet = True
        for group in candidate.groups:
            found = self.worlds.both(found, self.group(group))
            if found is False:
                break
        return found


@dataclass(frozen=True, slots=True, eq=False)
class LayerProgram:
    """One layer of one policy, ready to be classified: sublayers of known weight heaviest first, then the others."""

    layer: LayerKey
    sublayers: tuple[SublayerProgram, ...]
    fields: tuple[Field, ...]

    def knowledge(self, facts: Facts, worlds: Worlds) -> WorldSet:
        """The worlds that agree with what is known of the unknown fields."""
        found: WorldSet = True
        for field in self.fields:
            fact = facts.get(field.key, UNKNOWN)
            if isinstance(fact, Unknown):
                found = worlds.both(found, worlds.among(field.key, fact))
        return found


def compile_layer(policy: Policy, key: LayerKey, bfe_running: bool) -> LayerProgram:
    """The program of layer `key`. `ValueError`: a filter has no effective weight, the policy is not completed."""
    layer = policy.layer(key)
    shared: dict[tuple[FieldKey, tuple[Condition, ...]], Group] = {}
    found: dict[SublayerKey, list[Candidate]] = {}
    for filter in policy.by_layer.get(key, ()):
        if layer is not None and takes_part(filter, bfe_running):
            found.setdefault(filter.sublayer, []).append(_candidate(filter, layer, shared))
    sublayers = [
        SublayerProgram(s, policy.weight_of(s), tuple(sorted(candidates, key=_order)))
        for s, candidates in found.items()
    ]
    sublayers.sort(key=lambda s: (s.weight is None, -(s.weight or 0), s.key))
    fields = {g.field.key: g.field for g in shared.values()}
    return LayerProgram(key, tuple(sublayers), tuple(fields.values()))


def takes_part(filter: Filter, bfe_running: bool) -> bool:
    """Whether the filter is enforced: not disabled; boot-time filters until BFE runs, all others after (2)."""
    boot_time = bool(filter.flags & FilterFlags.BOOTTIME)
    return not filter.flags & FilterFlags.DISABLED and boot_time is not bfe_running


def grouped(conditions: Iterable[Condition]) -> Mapping[FieldKey, tuple[Condition, ...]]:
    """Conditions by field, under its one name, over the whole filter, consecutive or not (arbitration.md 3)."""
    found: dict[FieldKey, list[Condition]] = {}
    for condition in conditions:
        field = canonical_field(condition.field)
        found.setdefault(field, []).append(condition if condition.field == field else replace(condition, field=field))
    return {field: tuple(group) for field, group in found.items()}


def constants(policy: Policy) -> Mapping[FieldKey, frozenset[Value]]:
    """For each field, all values that the policy compares it with."""
    found: dict[FieldKey, set[Value]] = {}
    for filter in policy.filters:
        for condition in filter.conditions:
            found.setdefault(canonical_field(condition.field), set()).add(condition.value)
    return {field: frozenset(values) for field, values in found.items()}


def _candidate(filter: Filter, layer: Layer, shared: dict[tuple[FieldKey, tuple[Condition, ...]], Group]) -> Candidate:
    if filter.effective_weight is None:
        raise ValueError(f"{filter} has no effective weight: the policy is not completed")
    groups = []
    for key, conditions in grouped(filter.conditions).items():
        field = layer.field(key)
        if field is None:
            raise ValueError(f"{filter} has a condition on {key}, which is no field of {layer.key}")
        group = shared.setdefault((key, conditions), Group(field, conditions))
        groups.append(group)
    return Candidate(filter, tuple(groups), filter.effective_weight)


def _order(candidate: Candidate) -> tuple[int, int]:
    """Heaviest first; of equal weights the newest, which has the highest id (arbitration.md 2.1, on weak evidence)."""
    return (-candidate.weight, -candidate.filter.id)
