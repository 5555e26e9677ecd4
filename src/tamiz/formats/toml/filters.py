"""The filters of a policy file. One `[[filter]]` gives one filter for each layer that it names and fits.

Members are read, and refused, in the order in which FwpmFilterAdd0 checks them (objects.md 7).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from tamiz.formats.toml.conditions import LeftOut, read_conditions
from tamiz.formats.toml.names import flag_names
from tamiz.formats.toml.objects import (
    CALLOUT,
    CONTEXT,
    MAX_ID,
    PROVIDER,
    SUBLAYER,
    Named,
    Objects,
    derived,
    flag_list,
    guid_at,
    layer_keys,
    other_flags,
    provider_of,
    read_name,
)
from tamiz.formats.toml.table import Spot, Table, shown, whole
from tamiz.formats.toml.values import Volumes
from tamiz.model import catalog
from tamiz.model._tables import (
    CalloutFlags,
    ContextFlags,
    FilterFlags,
    ProviderFlags,
    SublayerFlags,
)
from tamiz.model.errors import PolicyError
from tamiz.model.keys import CalloutKey, ContextKey, FilterKey, Key, LayerKey, SublayerKey
from tamiz.model.layers import Layer
from tamiz.model.objects import ActionType, Callout, Filter, Provider, ProviderContext, Sublayer, check_action
from tamiz.model.values import EMPTY, Value, u8, u64

_ACTIONS: Final = {"permit": ActionType.PERMIT, "block": ActionType.BLOCK}
_CALLOUT_ACTIONS: Final = {
    "terminating": ActionType.CALLOUT_TERMINATING,
    "inspection": ActionType.CALLOUT_INSPECTION,
    "unknown": ActionType.CALLOUT_UNKNOWN,
}
_BOOLEANS: Final[Mapping[str, FilterFlags]] = {
    "hard": FilterFlags.CLEAR_ACTION_RIGHT,
    "persistent": FilterFlags.PERSISTENT,
    "boot-time": FilterFlags.BOOTTIME,
    "disabled": FilterFlags.DISABLED,
    "permit-if-callout-unregistered": FilterFlags.PERMIT_IF_CALLOUT_UNREGISTERED,
}
_FLAG_NAMES: Final = flag_names(FilterFlags)


@dataclass
class Reader:
    """What reading one file's filters needs: its objects, the layers, the volume map; and what it gives."""

    objects: Objects
    layers: Mapping[LayerKey, Layer]
    volumes: Volumes
    file: str
    filters: list[Filter] = field(default_factory=list)
    counts: Counter[tuple[LayerKey, str]] = field(default_factory=Counter)
    ids: dict[int, str] = field(default_factory=dict)
    used_callouts: dict[CalloutKey, None] = field(default_factory=dict)

    def read(self, table: Table) -> None:
        """Add the filters of one `[[filter]]`. Raises `InputError`."""
        draft = self._draft(table)
        layers = self._layers(table)
        members = _Members(table, self.objects)
        made: list[Filter] = []
        left_out: LeftOut | None = None
        for layer in layers:
            found = self._at(layer, draft, members, table)
            if isinstance(found, LeftOut):
                left_out = left_out or found
            else:
                made.append(found)
        if not made and left_out is not None:
            cause = left_out.cause
            raise cause.spot.error(cause.found, f"{cause.wanted}: the conditions leave no layer")
        self.filters += self._with_keys(made, table)
        table.done()

    def _draft(self, table: Table) -> Filter:
        """The members that are the same at each layer."""
        name = read_name(table)
        flags = _flags(table)
        action = _action(table)
        _check_flags(flags, action, table)
        return Filter(
            FilterKey(""), name, LayerKey(""), SublayerKey(""), action, weight=_weight(table), flags=flags,
            filter_type=_filter_type(action, table), other_flags=other_flags(table),
            id=table.number("id", 0, MAX_ID) or 0,
            effective_weight=table.number("effective-weight", 0, MAX_ID),
            provider=provider_of(table, self.objects), provider_data=table.hexadecimal("provider-data"),
            description=table.text("description") or "", place=table.spot.document.place(table.spot.path),
        )  # fmt: skip

    def _layers(self, table: Table) -> list[Layer]:
        named = table.names("layer")
        if not named:
            raise table.spot.error("no 'layer'", "a layer, such as 'ale-auth-connect'", "FWP_E_LAYER_NOT_FOUND")
        keys = dict.fromkeys(key for text, spot in named for key in layer_keys(text, spot))
        return [self.layers[key] for key in keys]

    def _at(self, layer: Layer, draft: Filter, members: _Members, table: Table) -> Filter | LeftOut:
        sublayer = members.sublayer(layer)
        callout = members.callout(layer, draft)
        context = members.context(draft)
        _check_action(draft, layer, sublayer, table.spot)
        conditions = read_conditions(table.get("conditions"), layer, self.volumes, table.spot.down("conditions"))
        if isinstance(conditions, LeftOut):
            return conditions
        members.check_lifetimes(draft)
        if callout is not None:
            self.used_callouts[callout] = None
        flags = draft.flags | (FilterFlags.HAS_PROVIDER_CONTEXT if isinstance(context, ContextKey) else FilterFlags(0))
        return replace(
            draft, layer=layer.key, sublayer=sublayer, callout=callout, context=context, conditions=conditions,
            flags=flags,
        )  # fmt: skip

    def _with_keys(self, made: list[Filter], table: Table) -> list[Filter]:
        given = table.text("key")
        spot = table.spot.down("key")
        if given is not None and len(made) > 1:
            names = " and ".join(f.layer.short for f in made)
            raise spot.error(f"one key for the filters at {names}", "one layer, such as '...-v4', or no key")
        self._check_id(made, table)
        keyed = [replace(f, key=FilterKey(guid_at(given, spot)) if given else self._derived(f)) for f in made]
        for f in keyed:
            self.objects.declare(f.key, table.spot)
        return keyed

    def _check_id(self, made: list[Filter], table: Table) -> None:
        """A run-time id is one filter's (objects.md 1)."""
        if not made or not made[0].id:
            return
        spot, first = table.spot.down("id"), self.ids.setdefault(made[0].id, str(made[0].place))
        if len(made) > 1:
            names = " and ".join(f.layer.short for f in made)
            raise spot.error(f"one id for the filters at {names}", "one layer, such as '...-v4', or no id")
        if first != str(made[0].place):
            raise spot.error(f"{made[0].id}, the id of the one in {first}", "another id, or none")

    def _derived(self, f: Filter) -> FilterKey:
        """A key from the file's own name, the layer, the filter's name and which of that name it is."""
        self.counts[f.layer, f.name] += 1
        return derived(FilterKey, self.file, f.layer, f.name, str(self.counts[f.layer, f.name]))


# -- members that are the same at each layer -------------------------------------------------------------------------


def _flags(table: Table) -> FilterFlags:
    bits = flag_list(table, "flags", _FLAG_NAMES)
    for key, flag in _BOOLEANS.items():
        bits |= flag if table.flag(key) else 0
    return FilterFlags(bits)


def _check_flags(flags: FilterFlags, action: ActionType, table: Table) -> None:
    if flags & FilterFlags.PERSISTENT and flags & FilterFlags.BOOTTIME:
        raise table.spot.error("'persistent' with 'boot-time'", "one of the two", "FWP_E_INVALID_FLAGS")
    skippable = action in (ActionType.CALLOUT_TERMINATING, ActionType.CALLOUT_UNKNOWN)
    if flags & FilterFlags.PERMIT_IF_CALLOUT_UNREGISTERED and not skippable:
        found = f"'permit-if-callout-unregistered' with action {action.name}"
        wanted = "it with a callout as 'terminating' or 'unknown'"
        raise table.spot.error(found, wanted, "FWP_E_INVALID_FLAGS")


def _action(table: Table) -> ActionType:
    value = table.get("action")
    spot = table.spot.down("action")
    wanted = "'permit', 'block' or { callout = '...', as = 'terminating' | 'inspection' | 'unknown' }"
    if isinstance(value, dict):
        inner = Table(spot, value)
        kind = inner.text("as")
        inner.text("callout")
        inner.done()
        if kind not in _CALLOUT_ACTIONS or "callout" not in value:
            raise spot.error(shown(value) if kind is None else f"as = '{kind}'", wanted, "FWP_E_INVALID_ACTION_TYPE")
        return _CALLOUT_ACTIONS[kind]
    if not isinstance(value, str) or value not in _ACTIONS:
        found = "no 'action'" if value is None else shown(value)
        raise (table.spot if value is None else spot).error(found, wanted, "FWP_E_INVALID_ACTION_TYPE")
    return _ACTIONS[value]


def _filter_type(action: ActionType, table: Table) -> str | None:
    """`filter-type`: the GUID that tags a block or permit filter; a callout filter has its callout in that place."""
    text = table.text("filter-type")
    spot = table.spot.down("filter-type")
    if text is not None and action.is_callout:
        raise spot.error(f"it with action {action.name}", "it with 'permit' or 'block'")
    return None if text is None else guid_at(text, spot)


def _weight(table: Table) -> Value:
    """0 to 15: automatic within that range; a string: exactly that; absent: automatic (auto-weights.md 1)."""
    value = table.get("weight")
    if value is None or value == "automatic":
        return EMPTY
    if type(value) is int and 0 <= value <= 15:
        return u8(value)
    number = whole(value) if isinstance(value, str) else None
    if number is None or not 0 <= number <= MAX_ID:
        wanted = "0 to 15, or an exact weight of 64 bits as a string, such as '0x8000000000000000'"
        raise table.spot.down("weight").error(shown(value), wanted, "FWP_E_INVALID_WEIGHT")
    return u64(number)


# -- members that hang on the layer ----------------------------------------------------------------------------------


@dataclass
class _Members:
    """The objects that one `[[filter]]` refers to."""

    table: Table
    objects: Objects
    referred: dict[str, Named | Key] = field(default_factory=dict)

    def sublayer(self, layer: Layer) -> SublayerKey:
        """The sublayer named; without one the layer's default, as a null key gives (arbitration.md 2.2)."""
        text = self.table.text("sublayer")
        if text is None:
            return layer.default_sublayer
        return SublayerKey(self._refer("sublayer", self.objects.find(SUBLAYER, text, self.table.spot.down("sublayer"))))

    def callout(self, layer: Layer, draft: Filter) -> CalloutKey | None:
        if not draft.action.is_callout:
            return None
        spot = self.table.spot.down("action").down("callout")
        found = self.objects.find(CALLOUT, self.table.get("action")["callout"], spot, layer.key)
        callout = catalog.callouts().get(CalloutKey(found)) if isinstance(found, Key) else found
        applies = callout.layer if isinstance(callout, Callout) else None
        if applies is not None and applies != layer.key:
            raise spot.error(f"a callout of {applies}", f"a callout of {layer.key}", "FWP_E_INCOMPATIBLE_LAYER")
        return CalloutKey(self._refer("callout", found))

    def context(self, draft: Filter) -> int | ContextKey | None:
        """A number is rawContext; a name or key a provider context."""
        value = self.table.get("context")
        spot = self.table.spot.down("context")
        number = whole(value)
        if value is None or (number is not None and 0 <= number <= MAX_ID):
            return number
        if not isinstance(value, str):
            raise spot.error(shown(value), "a number of 64 bits, or the name or key of a context")
        return ContextKey(self._refer("context", self.objects.find(CONTEXT, value, spot)))

    def _refer(self, key: str, found: Named | Key) -> str:
        self.referred[key] = found
        return str(found if isinstance(found, Key) else found.key)

    def check_lifetimes(self, draft: Filter) -> None:
        """A persistent or boot-time filter may refer to built-in and persistent objects only (objects.md 2.2 [D])."""
        if not draft.flags & (FilterFlags.PERSISTENT | FilterFlags.BOOTTIME):
            return
        provider = self.table.text("provider")
        if provider is not None:
            self._refer("provider", self.objects.find(PROVIDER, provider, self.table.spot.down("provider")))
        for key, found in self.referred.items():
            if not isinstance(found, Key) and not _persistent(found):
                word = "boot-time" if draft.flags & FilterFlags.BOOTTIME else "persistent"
                where = f"{key} '{found.name}', which is not persistent, in a {word} filter"
                raise self.table.spot.error(where, f"a {key} with persistent = true", "FWP_E_LIFETIME_MISMATCH")


def _persistent(found: Named) -> bool:
    if _is_builtin(found.key):
        return True
    persistent = {
        Provider: ProviderFlags.PERSISTENT,
        Sublayer: SublayerFlags.PERSISTENT,
        Callout: CalloutFlags.PERSISTENT,
        ProviderContext: ContextFlags.PERSISTENT,
    }
    return bool(found.flags & persistent[type(found)])


def _is_builtin(key: Key) -> bool:
    return not key.is_guid or catalog.resolve(type(key), key)[1]


def _check_action(draft: Filter, layer: Layer, sublayer: SublayerKey, spot: Spot) -> None:
    try:
        check_action(draft.action, draft.flags, layer, sublayer, spot.subject)
    except PolicyError as error:
        raise spot.refused(error) from None
