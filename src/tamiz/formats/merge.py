"""Several policies as one (design.md 5, "Merging"). Objects add up, in the order of the files.

* One key with equal content is one object. With different content it is an error that shows both, unless the last one
  is to win. Equal means equal in what a person wrote: members that BFE fills in (ids, effective weights) and the place
  in the file do not count, nor do the names of Windows' own objects, which are in the language of the machine.
* An object that only repeats the catalog yields to what a machine lists.
* Run-time ids are one machine's own. Where two files give one id to two filters, both keep it and their place tells
  them apart; a warning says so.
* A sublayer whose weight is taken gets the closest that is free, upward first, as BFE gives it (objects.md 5). What a
  machine lists has its weights already, whatever the order of the files.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import fields, replace
from enum import Enum
from typing import Any, Final, TypeVar

from tamiz.model import catalog
from tamiz.model.errors import InputError, Place, shorten
from tamiz.model.keys import Key, ProviderKey
from tamiz.model.objects import Callout, Filter, Provider, ProviderContext, Sublayer
from tamiz.model.policy import Policy

Object = TypeVar("Object", Filter, Sublayer, Provider, Callout, ProviderContext)

MAX_WEIGHT: Final = 0xFFFF
_FILLED_IN: Final = frozenset({"id", "effective_weight", "place"})
_DISPLAY: Final = frozenset({"name", "description"})


def merge(policies: Sequence[Policy], *, last_wins: bool = False) -> Policy:
    """One policy with the objects of all `policies`. Raises `InputError` where two of them differ on one object."""
    if len(policies) == 1:
        return _place_sublayers(policies[0], policies)
    layered = [p for p in policies if p.layers is not None]
    filters = _merge("filter", [(p, p.filters) for p in policies], last_wins)
    merged = Policy(
        filters=filters,
        sublayers=_merge("sublayer", [(p, p.sublayers) for p in policies], last_wins),
        providers=_merge("provider", [(p, p.providers) for p in policies], last_wins),
        callouts=_merge("callout", [(p, p.callouts) for p in policies], last_wins),
        contexts=_merge("context", [(p, p.contexts) for p in policies], last_wins),
        layers=layered[0].layers if layered else None,
        sessions=tuple(s for p in policies for s in p.sessions),
        endpoints=tuple(e for p in policies for e in p.endpoints),
        other=tuple(o for p in policies for o in p.other),
        volumes=tuple({drive: device for p in policies for drive, device in p.volumes}.items()),
        fields="older" if any(p.fields == "older" for p in policies) else "newest",
        whole=all(p.whole for p in policies),
        lists_sublayers=all(p.lists_sublayers for p in policies),
        lists_callouts=all(p.lists_callouts for p in policies),
        sources=tuple(s for p in policies for s in p.sources),
        warnings=(*(w for p in policies for w in p.warnings), *_shared_ids(filters)),
    )
    return _place_sublayers(merged, policies)


# -- objects by key --------------------------------------------------------------------------------------------------


def _merge(word: str, lists: Iterable[tuple[Policy, tuple[Object, ...]]], last_wins: bool) -> tuple[Object, ...]:
    """The objects of every list; what two lists have under one key is one object, or a conflict."""
    merged: dict[tuple[Key, int], tuple[Object, Policy]] = {}
    for policy, objects in lists:
        seen: dict[Key, int] = {}
        for item in objects:
            seen[item.key] = seen.get(item.key, -1) + 1  # a file that has a key twice keeps both
            slot = (item.key, seen[item.key])
            before = merged.get(slot)
            item = _placed(item, policy)
            merged[slot] = (item, policy) if before is None else _one(word, before, (item, policy), last_wins)
    return tuple(item for item, _ in merged.values())


def _one(word: str, old: tuple[Object, Policy], new: tuple[Object, Policy], last_wins: bool) -> tuple[Object, Policy]:
    ignored = _FILLED_IN | (_DISPLAY if _is_windows_own(old[0]) else frozenset())
    differing = [
        f.name for f in fields(old[0]) if f.name not in ignored and getattr(old[0], f.name) != getattr(new[0], f.name)
    ]
    if not differing:
        return _fuller(old[0], new[0]), old[1]
    if _repeats_catalog(new[0]):
        return old
    if last_wins or _repeats_catalog(old[0]):
        return new
    raise _conflict(word, old, new, differing)


def _conflict(
    word: str, old: tuple[Object, Policy], new: tuple[Object, Policy], differing: Sequence[str]
) -> InputError:
    def say(item: Object) -> str:
        return ", ".join(f"{name} {shorten(_shown(getattr(item, name)))}" for name in differing)

    subject = f"{word} '{shorten(new[0].name)}' {new[0].key}"
    wanted = f"{say(old[0])}, as in {_source(*old)}; or --last-wins"
    return InputError(_source(*new), subject, say(new[0]), wanted)


def _shown(value: Any) -> str:
    if isinstance(value, tuple):
        return "; ".join(str(v) for v in value) or "none"
    if isinstance(value, Enum):
        return value.name or "none"
    return "none" if value is None else str(value)


def _source(item: object, policy: Policy) -> Place:
    place = item.place if isinstance(item, Filter) else None
    return place or Place(policy.sources[0] if policy.sources else "a policy")


def _placed(item: Object, policy: Policy) -> Object:
    """A filter says which file it is from, which tells equal run-time ids apart."""
    if isinstance(item, Filter) and item.place is None:
        return replace(item, place=_source(item, policy))
    return item


def _fuller(old: Object, new: Object) -> Object:
    """Of two equal filters, the first, with the id and weight that only the other may have."""
    if not isinstance(old, Filter) or not isinstance(new, Filter):
        return old
    weight = new.effective_weight if old.effective_weight is None else old.effective_weight
    return replace(old, id=old.id or new.id, effective_weight=weight)


def _is_windows_own(item: Object) -> bool:
    """Whether Windows brings the object, or its provider; then its name is in the machine's language."""
    if isinstance(item, Filter):
        return item.provider is not None and catalog.resolve(ProviderKey, item.provider)[1]
    return catalog.resolve(type(item.key), item.key)[1]


_CATALOG: Final[dict[type, Callable[[], Any]]] = {
    Sublayer: catalog.sublayers,
    Provider: catalog.providers,
    Callout: catalog.callouts,
}


def _repeats_catalog(item: Object) -> bool:
    known = _CATALOG.get(type(item))
    return known is not None and known().get(item.key) == item


def _shared_ids(filters: Iterable[Filter]) -> tuple[str, ...]:
    """One warning for the filters of different files that have one run-time id."""
    by_id: dict[int, Filter] = {}
    shared: list[tuple[Filter, Filter]] = []
    for f in filters:
        first = by_id.setdefault(f.id, f) if f.id else f
        if first is not f:
            shared.append((first, f))
    if not shared:
        return ()
    a, b = shared[0]
    return (
        f"{len(shared)} run-time ids stand for two filters each, such as {a.id} in {a.place} and {b.place}: "
        "ids are one machine's own",
    )


# -- sublayer weights ------------------------------------------------------------------------------------------------


def _place_sublayers(policy: Policy, sources: Iterable[Policy]) -> Policy:
    """Each sublayer in turn gets its weight, or the closest that is free (objects.md 5 [O, I])."""
    of_machine = {s.key for p in sources if p.layers is not None for s in p.sublayers}
    listed = {s.key for s in policy.sublayers}
    weights = Weights()
    placed = {s.key: weights.place(s) for s in policy.sublayers if s.key in of_machine}
    for own in catalog.sublayers().values():
        if own.weight is not None and own.key not in listed and not own.key.is_guid:
            weights.take(own.weight, own.name)
    placed |= {s.key: weights.place(s) for s in policy.sublayers if s.key not in of_machine}
    if not weights.warnings:
        return policy
    moved = tuple(replace(s, weight=placed[s.key]) for s in policy.sublayers)
    return replace(policy, sublayers=moved, warnings=(*policy.warnings, *weights.warnings))


class Weights:
    """The sublayer weights that are taken, and by whom. `warnings` tells which sublayers had to move."""

    def __init__(self) -> None:
        self.warnings: list[str] = []
        self._holders: dict[int, str] = {}
        self._up: dict[int, int] = {}  # a taken weight -> one above it that may be free
        self._down: dict[int, int] = {}

    def take(self, weight: int, name: str) -> None:
        self._holders.setdefault(weight, name)
        self._up.setdefault(weight, weight + 1)
        self._down.setdefault(weight, weight - 1)

    def place(self, sublayer: Sublayer) -> int | None:
        """The weight that `sublayer` gets; None where nobody knows what it asks for."""
        if sublayer.weight is None:
            return None
        weight = self.closest(sublayer.weight)
        if weight != sublayer.weight:
            self.warnings.append(
                f"sublayer '{sublayer.name}' asks for weight {sublayer.weight:#06x}, which "
                f"'{self._holders[sublayer.weight]}' has: it gets {weight:#06x}, the closest free one"
            )
        self.take(weight, sublayer.name)
        return weight

    def closest(self, weight: int) -> int:
        """The free weight closest to `weight`, upward first: w, w+1, w-1, w+2, ... (objects.md 5).

        Raises `InputError` (FWP_E_TOO_MANY_SUBLAYERS) when all 65536 are taken.
        """
        above, below = _free(weight, self._up), _free(weight, self._down)
        if above <= MAX_WEIGHT and (above - weight <= weight - below or below < 0):
            return above
        if below >= 0:
            return below
        found, wanted = f"more than {MAX_WEIGHT + 1}", f"at most {MAX_WEIGHT + 1}"
        raise InputError("the policy", "its sublayers", found, wanted, "FWP_E_TOO_MANY_SUBLAYERS")


def _free(weight: int, skip: dict[int, int]) -> int:
    """The first weight that `skip` does not lead on from; what was walked over leads straight there from now on."""
    walked: list[int] = []
    while weight in skip:
        walked.append(weight)
        weight = skip[weight]
    skip.update(dict.fromkeys(walked, weight))
    return weight
