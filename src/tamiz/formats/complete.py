"""Fill in what BFE fills in: run-time ids, and the effective weights of filters that have none.

A dump has both; a policy made by hand has neither. Ids continue after the highest one there is, in the policy's order
(design.md 5), so filters of a TOML file come after all others, and of two equal weights the later one is the newer.
Weights follow the layer's field list (`tamiz.engine.weights`). A filter at a layer that nobody knows keeps no weight:
its order is unknown, and the engine says so.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import count
from typing import Final, TypeVar

from tamiz.engine.weights import effective_weight
from tamiz.model.errors import InputError, Place, PolicyError
from tamiz.model.objects import Callout, Filter, ProviderContext
from tamiz.model.policy import Policy

FIRST_CALLOUT: Final = 256  # run-time ids below are Windows' own [O: data/README.md]


def complete(policy: Policy) -> Policy:
    """`policy` with an id and, where its layer is known, an effective weight for each filter.

    Raises `InputError` for a weight that Windows would refuse (FWP_E_INVALID_WEIGHT).
    """
    ids = _after(f.id for f in policy.filters)
    callout_ids = _after((c.id for c in policy.callouts), FIRST_CALLOUT)
    context_ids = _after(c.id for c in policy.contexts)
    return replace(
        policy,
        filters=tuple(_filter(f, policy, ids) for f in policy.filters),
        callouts=tuple(_numbered(c, callout_ids) for c in policy.callouts),
        contexts=tuple(_numbered(c, context_ids) for c in policy.contexts),
    )


def _after(ids: Iterable[int | None], first: int = 1) -> Iterator[int]:
    """Ids above all of `ids`, and not below `first`."""
    return count(max((first, *(number + 1 for number in ids if number is not None))))


def _filter(f: Filter, policy: Policy, ids: Iterator[int]) -> Filter:
    number = f.id or next(ids)
    weight = f.effective_weight
    layer = policy.layer(f.layer)
    if weight is None and layer is not None:
        try:
            weight = effective_weight(f, layer)
        except PolicyError as error:
            raise InputError(
                f.place or Place("the policy"), error.subject, error.found, error.wanted, error.code
            ) from None
    return f if (number, weight) == (f.id, f.effective_weight) else replace(f, id=number, effective_weight=weight)


T = TypeVar("T", Callout, ProviderContext)


def _numbered(item: T, ids: Iterator[int]) -> T:
    return item if item.id is not None else replace(item, id=next(ids))
