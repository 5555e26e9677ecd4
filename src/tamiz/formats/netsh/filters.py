"""Layers of a netsh dump, with their callouts and filters (FWPM_LAYER0, FWPM_CALLOUT0, FWPM_FILTER0).

What Windows would have refused is refused here, with its code (spec objects.md 7, in that order); rules that need the
whole policy at once, such as lifetimes, are the store's.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from lxml import etree

from tamiz.formats.netsh.complaints import Element
from tamiz.formats.netsh.reader import Reader, Shape, bits_of, flag_names, unknown_bits
from tamiz.formats.netsh.trees import line_of
from tamiz.formats.netsh.values import Values
from tamiz.model import catalog
from tamiz.model._tables import (
    CalloutBehaviourFlags,
    CalloutFlags,
    DataType,
    FieldKind,
    FilterFlags,
    LayerFlags,
)
from tamiz.model.conditions import Condition
from tamiz.model.errors import Place, PolicyError
from tamiz.model.keys import (
    CalloutKey,
    ContextKey,
    FieldKey,
    FilterKey,
    Key,
    LayerKey,
    ProviderKey,
    SublayerKey,
)
from tamiz.model.layers import Field, Layer
from tamiz.model.objects import ActionType, Callout, Filter, check_action
from tamiz.model.values import Value

FILTER_FLAGS: Final = flag_names("FWPM_FILTER_FLAG_", FilterFlags)
LAYER_FLAGS: Final = flag_names("FWPM_LAYER_FLAG_", LayerFlags)
CALLOUT_FLAGS: Final = {  # the flags of FWPM_CALLOUT0 and of FWPS_CALLOUT0, which netsh prints as one word
    **flag_names("FWPM_CALLOUT_FLAG_", CalloutFlags),
    **flag_names("FWP_CALLOUT_FLAG_", CalloutBehaviourFlags),
}
ACTIONS: Final = {f"FWP_ACTION_{action.name}": action for action in ActionType}
DATA_TYPES: Final = {f"FWP_{kind.name}": kind for kind in DataType}
FIELD_KINDS: Final = {f"FWPM_FIELD_{kind.name}": kind for kind in FieldKind}

_LAYER: Final = Shape.of("layerKey displayData flags defaultSubLayerKey layerId field")
_FIELD: Final = Shape.of("fieldKey type dataType")
_CALLOUT: Final = Shape.of("calloutKey displayData flags providerKey providerData applicableLayer calloutId")
_FILTER: Final = Shape.of(
    "filterKey displayData flags providerKey providerData layerKey subLayerKey weight filterCondition action"
    " filterId effectiveWeight",
    "rawContext providerContextKey reserved",
)
_U64: Final = Shape.of("type uint64")
_ACTION: Final = Shape.of("type", "filterType")
_BOTH_LIVES: Final = (FilterFlags.PERSISTENT | FilterFlags.BOOTTIME).value
_IF_UNREGISTERED: Final = FilterFlags.PERMIT_IF_CALLOUT_UNREGISTERED.value
_HAS_CONTEXT: Final = FilterFlags.HAS_PROVIDER_CONTEXT.value
_TERMINATING: Final = (ActionType.CALLOUT_TERMINATING, ActionType.CALLOUT_UNKNOWN)

# the action, with its callout, or with the tag that a provider gave to a block or permit
Action = tuple[ActionType, CalloutKey | None, Key | None]


class Filters:
    """Reads layers, callouts and filters. `layers` are the layers that a filter may name."""

    def __init__(self, reader: Reader, values: Values, layers: Mapping[LayerKey, Layer]) -> None:
        self.reader, self.values, self.layers = reader, values, layers
        self._fields: dict[bytes, Field] = {}
        self._actions: dict[bytes, Action] = {}

    # -- layers and callouts ------------------------------------------------------------------------------------------

    def layer(self, element: Element) -> Layer:
        """FWPM_LAYER0. What a dump does not tell, IP version and discard, comes from the catalog or the name."""
        reader = self.reader
        members = reader.members(element, _LAYER)
        key = reader.key(LayerKey, members["layerKey"])
        reader.once(key, members["layerKey"])
        name, description = reader.display(members["displayData"], named=False)
        word, others = reader.flags(members["flags"], LAYER_FLAGS)
        known = catalog.layers().get(key)
        return Layer(
            key,
            catalog.guid_of(key) or "",
            reader.number(members["layerId"], 16),
            name,
            LayerFlags(word & bits_of(LayerFlags)),
            reader.key(SublayerKey, members["defaultSubLayerKey"]),
            known.ip_version if known else _ip_version(key),
            known.discard if known else "_DISCARD" in key,
            self._field_list(members["field"]),
            description,
            others + unknown_bits(word, LayerFlags),
        )

    def _field_list(self, element: Element) -> tuple[Field, ...]:
        found: dict[FieldKey, Field] = {}
        for item in self.reader.items(element):
            field = self._field(item)
            if field.key in found:
                self.reader.fail(item, f"field {field.key} a second time", "each field once")
            found[field.key] = field
        return tuple(found.values())

    def _field(self, item: Element) -> Field:
        xml = etree.tostring(item, with_tail=False)
        found = self._fields.get(xml)
        if found is None:
            found = self._fields[xml] = self._new_field(item)
        return found

    def _new_field(self, item: Element) -> Field:
        members = self.reader.members(item, _FIELD)
        return Field(
            self.reader.key(FieldKey, members["fieldKey"]),
            self.reader.word(members["type"], FIELD_KINDS),
            self.reader.word(members["dataType"], DATA_TYPES),
        )

    def callout(self, item: Element, layer: Layer) -> Callout:
        """FWPM_CALLOUT0, as it stands in the list of `layer`."""
        reader = self.reader
        members = reader.members(item, _CALLOUT)
        key = reader.key(CalloutKey, members["calloutKey"])
        reader.once(key, members["calloutKey"])
        name, description = reader.display(members["displayData"])
        word, others = reader.flags(members["flags"], CALLOUT_FLAGS)
        return Callout(
            key,
            name,
            self._inside(members["applicableLayer"], layer),
            reader.number(members["calloutId"], 32),
            description,
            CalloutFlags(word & bits_of(CalloutFlags)),
            CalloutBehaviourFlags(word & bits_of(CalloutBehaviourFlags)),
            others + unknown_bits(word, CalloutFlags, CalloutBehaviourFlags),
            reader.optional_key(ProviderKey, members["providerKey"]),
            reader.data(members["providerData"]),
        )

    def _inside(self, element: Element, layer: Layer) -> LayerKey:
        key = self.reader.key(LayerKey, element)
        if key != layer.key:
            self.reader.fail(element, f"{key} among the objects of {layer.key}", layer.key)
        return key

    # -- filters ------------------------------------------------------------------------------------------------------

    def filter(self, item: Element, layer: Layer | None = None) -> Filter:
        """FWPM_FILTER0; `layer` is the one in whose list it stands, None in a filters dump."""
        reader = self.reader
        members = reader.members(item, _FILTER)
        key = reader.key(FilterKey, members["filterKey"])
        name, description = reader.display(members["displayData"])
        word, others = reader.flags(members["flags"], FILTER_FLAGS)
        action, callout, tag = self._action(members["action"])
        self._check_flags(word, action, members["flags"])
        weight = self._weight(members["weight"])
        layer = self._layer_of(members["layerKey"], layer)
        sublayer = reader.optional_key(SublayerKey, members["subLayerKey"]) or layer.default_sublayer
        self._check_action(action, word, layer, sublayer, item)
        conditions = self._conditions(members["filterCondition"], layer)
        self._check_reserved(members.get("reserved"))
        reader.once(key, members["filterKey"])
        number = reader.number(members["filterId"], 64)
        reader.once(number, members["filterId"])
        return Filter(
            key=key,
            name=name,
            layer=layer.key,
            sublayer=sublayer,
            action=action,
            conditions=conditions,
            id=number,
            weight=weight,
            effective_weight=self._effective_weight(members["effectiveWeight"]),
            flags=FilterFlags(word & bits_of(FilterFlags)),
            other_flags=others + unknown_bits(word, FilterFlags),
            callout=callout,
            provider=reader.optional_key(ProviderKey, members["providerKey"]),
            provider_data=reader.data(members["providerData"]),
            context=self._context(item, members, word),
            filter_type=tag,
            description=description,
            place=Place(reader.document.name, line_of(members["filterKey"])),
        )

    def _action(self, element: Element) -> Action:
        xml = etree.tostring(element, with_tail=False)
        found = self._actions.get(xml)
        if found is None:
            found = self._actions[xml] = self._new_action(element)
        return found

    def _new_action(self, element: Element) -> Action:
        members = self.reader.members(element, _ACTION)
        action = self.reader.word(members["type"], ACTIONS, "FWP_E_INVALID_ACTION_TYPE")
        if not action.on_filter:
            wanted = "block, permit or a callout"
            self.reader.fail(members["type"], f"action {action.name}", wanted, "FWP_E_INVALID_ACTION_TYPE")
        target = members.get("filterType")
        if not action.is_callout:
            return action, None, None if target is None else self.reader.optional_key(Key, target)
        callout = None if target is None else self.reader.optional_key(CalloutKey, target)
        if callout is None:
            found = f"action {action.name} without a callout"
            self.reader.fail(element, found, "its key in <filterType>", "FWP_E_CALLOUT_NOT_FOUND")
        return action, callout, None

    def _check_flags(self, word: int, action: ActionType, element: Element) -> None:
        if word & _BOTH_LIVES == _BOTH_LIVES:
            self.reader.fail(element, "PERSISTENT with BOOTTIME", "one of them", "FWP_E_INVALID_FLAGS")
        if word & _IF_UNREGISTERED and action not in _TERMINATING:
            found = f"PERMIT_IF_CALLOUT_UNREGISTERED with action {action.name}"
            self.reader.fail(element, found, "a terminating callout", "FWP_E_INVALID_FLAGS")

    def _check_action(
        self, action: ActionType, word: int, layer: Layer, sublayer: SublayerKey, element: Element
    ) -> None:
        try:
            check_action(action, FilterFlags(word & bits_of(FilterFlags)), layer, sublayer, "")
        except PolicyError as error:
            self.reader.fail(element, error.found, error.wanted, error.code)

    def _weight(self, element: Element) -> Value:
        found = self.values.value(element)
        small = found.type is DataType.UINT8 and isinstance(found.data, int) and found.data <= 15
        if not small and found.type not in (DataType.EMPTY, DataType.UINT64):
            wanted = "FWP_EMPTY, FWP_UINT8 from 0 to 15 or FWP_UINT64"
            self.reader.fail(element, f"weight {found.type.name} {found}", wanted, "FWP_E_INVALID_WEIGHT")
        return found

    def _effective_weight(self, element: Element) -> int:
        """What BFE made of the weight, which is always 64 bits."""
        members = self.reader.members(element, _U64)
        if self.reader.text(members["type"]) != "FWP_UINT64":
            self.reader.fail(element, f"effective weight of {members['type'].text}", "FWP_UINT64")
        return self.reader.number(members["uint64"], 64)

    def _layer_of(self, element: Element, layer: Layer | None) -> Layer:
        if layer is not None:
            self._inside(element, layer)
            return layer
        key = self.reader.key(LayerKey, element)
        found = self.layers.get(key)
        if found is None:
            self.reader.fail(element, key, "a layer of Windows", "FWP_E_LAYER_NOT_FOUND")
        return found

    def _conditions(self, element: Element, layer: Layer) -> tuple[Condition, ...]:
        read = self.values.condition
        return tuple([read(item, layer) for item in self.reader.items(element)])

    def _check_reserved(self, element: Element | None) -> None:
        if element is not None and (len(element) or element.text):
            found = f"{element.text!r} in <reserved>"
            self.reader.fail(element, found, "nothing", "FWP_E_RESERVED")

    def _context(self, item: Element, members: Mapping[str, Element], word: int) -> int | ContextKey:
        """rawContext or providerContextKey, as the flag HAS_PROVIDER_CONTEXT says."""
        names = ("rawContext", "providerContextKey")
        here, absent = reversed(names) if word & _HAS_CONTEXT else names
        element = members.get(here)
        if element is None or absent in members:
            found = " and ".join(f"<{name}>" for name in names if name in members) or "no context"
            self.reader.fail(item, found, f"<{here}>, as the flags say")
        if here == "rawContext":
            return self.reader.number(element, 64)
        return self.reader.key(ContextKey, element)


def _ip_version(key: LayerKey) -> int | None:
    """Of a layer that the catalog does not know."""
    words = key.split("_")
    return 4 if "V4" in words else 6 if "V6" in words else None
