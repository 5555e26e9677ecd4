"""A policy: a set of objects in which each reference is known or missing.

A policy is frozen and does not depend on the machine that reads it. What a source does not list is *missing*, and
what is missing is unknown to the engine: a filters dump has no sublayers, callouts or provider contexts, so the
weight of a third-party sublayer and the presence of a third-party callout are not known (field-evidence.md 4).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property

from tamiz.model import catalog
from tamiz.model.keys import CalloutKey, LayerKey, SublayerKey
from tamiz.model.layers import Layer
from tamiz.model.objects import (
    Callout,
    Endpoint,
    Filter,
    Node,
    Provider,
    ProviderContext,
    Session,
    Sublayer,
)


class Presence(Enum):
    """Whether a driver answers for a callout."""

    REGISTERED = "registered"
    UNREGISTERED = "unregistered"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Policy:
    """The objects of one machine or of one file.

    `whole`: the source lists everything that is enforced; False for a filters dump, and an answer from it must say
    so. `lists_sublayers`, `lists_callouts`: an object that is not in the list does not exist, rather than being
    unknown. `layers`: the machine's own field lists; None takes the catalog's, newest or older as `fields` says.
    `volumes`: pairs of a drive ("C:") and its NT device, where the source tells them.
    `other`: what a source holds beside the filter engine's objects (statistics, subscriptions), kept whole.
    """

    filters: tuple[Filter, ...] = ()
    sublayers: tuple[Sublayer, ...] = ()
    providers: tuple[Provider, ...] = ()
    callouts: tuple[Callout, ...] = ()
    contexts: tuple[ProviderContext, ...] = ()
    layers: tuple[Layer, ...] | None = None
    sessions: tuple[Session, ...] = ()
    endpoints: tuple[Endpoint, ...] = ()
    other: tuple[Node, ...] = ()
    volumes: tuple[tuple[str, str], ...] = ()
    fields: catalog.FieldList = "newest"
    whole: bool = True
    lists_sublayers: bool = True
    lists_callouts: bool = True
    sources: tuple[str, ...] = ()
    warnings: tuple[str, ...] = field(default=(), compare=False)

    @cached_property
    def layer_table(self) -> Mapping[LayerKey, Layer]:
        """Every layer: the machine's own list where the source has one, over the catalog's."""
        known = catalog.layers(self.fields)
        return known if self.layers is None else {**known, **{x.key: x for x in self.layers}}

    @cached_property
    def _sublayers(self) -> Mapping[SublayerKey, Sublayer]:
        return {**catalog.sublayers(), **{s.key: s for s in self.sublayers}}

    @cached_property
    def _callouts(self) -> Mapping[CalloutKey, Callout]:
        return {c.key: c for c in self.callouts}

    def layer(self, key: LayerKey) -> Layer | None:
        return self.layer_table.get(key)

    def sublayer(self, key: SublayerKey) -> Sublayer | None:
        """The sublayer, from the source or, where it is Windows' own, from the catalog; None: missing."""
        return self._sublayers.get(key)

    def weight_of(self, key: SublayerKey) -> int | None:
        """The sublayer's weight; None: not known."""
        found = self.sublayer(key)
        return None if found is None else found.weight

    def callout(self, key: CalloutKey) -> Callout | None:
        return self._callouts.get(key) or catalog.callouts().get(key)

    def presence(self, key: CalloutKey) -> Presence:
        """Whether the callout is registered (arbitration.md 4.2)."""
        listed = self._callouts.get(key)
        if listed is not None:
            return Presence.REGISTERED if listed.registered else Presence.UNREGISTERED
        if self.lists_callouts and self.callouts:
            return Presence.UNREGISTERED
        known = catalog.callouts().get(key)
        return Presence.REGISTERED if known is not None and known.registered else Presence.UNKNOWN

    def label(self, key: str) -> str:
        """A sublayer, callout or provider by its display name where it has no FWPM_ name; else `key` itself."""
        return self._labels.get(key, key)

    @cached_property
    def _labels(self) -> Mapping[str, str]:
        named: tuple[Sublayer | Callout | Provider, ...] = (*self.sublayers, *self.callouts, *self.providers)
        return {x.key: x.name for x in named if x.key.is_guid and x.name}

    @cached_property
    def by_layer(self) -> Mapping[LayerKey, tuple[Filter, ...]]:
        """The filters of each layer, in the source's order."""
        found: dict[LayerKey, list[Filter]] = {}
        for f in self.filters:
            found.setdefault(f.layer, []).append(f)
        return {key: tuple(filters) for key, filters in found.items()}
