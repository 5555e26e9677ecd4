"""Providers, sublayers, callouts and contexts of a policy file, and how a filter refers to them.

A name that a file declares comes first, then what other files of the same run declare, then Windows' own objects
(`universal`, FWPM_ names). Keys that a file leaves out are derived from the kind and the name, so one product's
sublayer is the same object in each of its files, and nothing hangs on chance.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

from tamiz.formats.toml.names import (
    catalog_key,
    catalog_names,
    flag_names,
    kebab,
    layer_names,
    layers_of,
    nearest,
)
from tamiz.formats.toml.table import Spot, Table, shown
from tamiz.model import catalog
from tamiz.model._tables import (
    CalloutBehaviourFlags,
    CalloutFlags,
    ContextFlags,
    ContextType,
    ProviderFlags,
    SublayerFlags,
)
from tamiz.model.errors import shorten
from tamiz.model.keys import CalloutKey, ContextKey, Key, LayerKey, ProviderKey, SublayerKey, is_guid
from tamiz.model.objects import Callout, Provider, ProviderContext, Sublayer

K = TypeVar("K", bound=Key)
Named = Provider | Sublayer | Callout | ProviderContext

MAX_WEIGHT: Final = 0xFFFF
MAX_ID: Final = (1 << 64) - 1
_NAMESPACE: Final = uuid.UUID("6b1f1f5e-7a0c-5b7c-9d5e-2f4a3c1d7e90")


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of object: its key type, the word for it, the catalog's table, the code when it is not found."""

    cls: type[Key]
    word: str
    table: str
    missing: str


PROVIDER: Final = Kind(ProviderKey, "provider", "providers", "FWP_E_PROVIDER_NOT_FOUND")
SUBLAYER: Final = Kind(SublayerKey, "sublayer", "sublayers", "FWP_E_SUBLAYER_NOT_FOUND")
CALLOUT: Final = Kind(CalloutKey, "callout", "callouts", "FWP_E_CALLOUT_NOT_FOUND")
CONTEXT: Final = Kind(ContextKey, "context", "provider_contexts", "FWP_E_PROVIDER_CONTEXT_NOT_FOUND")


Index = dict[tuple[type[Key], str], list[Named]]  # kind and name, kind and key -> the objects that bear it


def index_of(objects: Iterable[Named]) -> Index:
    index: Index = {}
    for item in objects:
        _note(item, index)
    return index


def _note(item: Named, index: Index) -> None:
    for text in dict.fromkeys((item.name, str(item.key))):
        index.setdefault((type(item.key), text), []).append(item)


@dataclass
class Objects:
    """What a file declares, and `known`: what was known before it."""

    providers: list[Provider] = field(default_factory=list)
    sublayers: list[Sublayer] = field(default_factory=list)
    callouts: list[Callout] = field(default_factory=list)
    contexts: list[ProviderContext] = field(default_factory=list)
    unsure_callouts: list[Callout] = field(default_factory=list)
    known: Index = field(default_factory=dict)
    _own: Index = field(default_factory=dict)
    _lines: dict[tuple[type[Key], Key], str] = field(default_factory=dict)

    def add(self, item: Named, spot: Spot) -> None:
        """A new object, which later ones may refer to."""
        self.declare(item.key, spot)
        _note(item, self._own)

    def declare(self, key: Key, spot: Spot) -> None:
        """Note a new key; twice for one kind in one file is FWP_E_ALREADY_EXISTS (kinds are apart, objects.md 1)."""
        slot = (type(key), key)
        if slot in self._lines:
            wanted = "another name, or a 'key' of its own"
            raise spot.error(f"the key of the one in {self._lines[slot]}", wanted, "FWP_E_ALREADY_EXISTS")
        self._lines[slot] = str(spot.document.place(spot.path))

    def find(self, kind: Kind, text: str, spot: Spot, layer: LayerKey | None = None) -> Named | Key:
        """The object, or the key of Windows' own object, that `text` names. Raises `InputError`."""
        for index in (self._own, self.known):
            found = _matching(kind, text, index, layer)
            if len(found) > 1:
                keys = ", ".join(str(o.key) for o in found[:4])
                shown_text = f"'{shorten(text)}', which names {len(found)} {kind.word}s"
                raise spot.error(shown_text, f"one of their keys: {keys}")
            if found:
                return found[0]
        key = catalog_key(kind.cls, kind.table, text)
        if key is None:
            wanted = nearest(text, self._names(kind), f"a {kind.word}")
            raise spot.error(f"'{shorten(text)}'", wanted, kind.missing)
        return key

    def _names(self, kind: Kind) -> list[str]:
        """Every name of one kind, for messages."""
        own = {
            o.name
            for index in (self._own, self.known)
            for (cls, _), objects in index.items()
            if cls is kind.cls
            for o in objects
        }
        return sorted(own | {*catalog_names(kind.cls, kind.table)})


def _matching(kind: Kind, text: str, index: Index, layer: LayerKey | None) -> list[Named]:
    """The objects of one kind that `text` names; of callouts with one name, the one of the layer."""
    key = str(catalog.resolve(kind.cls, text)[0])
    texts = dict.fromkeys((text, key))
    found = list({id(o): o for t in texts for o in index.get((kind.cls, t), ())}.values())
    if len(found) > 1 and layer is not None:
        fitting: list[Named] = [o for o in found if isinstance(o, Callout) and o.layer in (layer, None)]
        return fitting or found[:1]
    return found


# -- keys ------------------------------------------------------------------------------------------------------------


def derived(cls: type[K], *parts: str) -> K:
    """A key that hangs on `parts` alone."""
    return cls("{" + str(uuid.uuid5(_NAMESPACE, "\n".join((cls.__name__, *parts)))) + "}")


def read_key(table: Table, kind: Kind) -> Key | None:
    """`key`: a GUID, or the FWPM_ name of Windows' own object; None where it is absent."""
    text = table.text("key")
    if text is None:
        return None
    key, known = catalog.resolve(kind.cls, text)
    if known:
        return key
    return kind.cls(guid_at(text, table.spot.down("key")))


def guid_at(text: str, spot: Spot) -> str:
    """A GUID as keys have it: braces, lower case."""
    guid = "{" + re.sub(r"^\{(.*)\}$", r"\1", text.lower(), flags=re.DOTALL) + "}"
    if not is_guid(guid):
        raise spot.error(shown(text), "a GUID such as '{00000000-0000-4000-8000-000000000001}'")
    return guid


def read_name(table: Table) -> str:
    """`name`, which FwpmXxxAdd0 demands of every object (objects.md 1)."""
    name = table.text("name")
    if not name:
        raise table.spot.error("no 'name'" if name is None else "an empty 'name'", "a name", "FWP_E_NULL_DISPLAY_NAME")
    return name


# -- the four kinds ----------------------------------------------------------------------------------------------------


def read_provider(table: Table, objects: Objects) -> None:
    name = read_name(table)
    key = _key(table, PROVIDER, name)
    flags = _flag(table, "persistent", ProviderFlags.PERSISTENT) | _flag(table, "disabled", ProviderFlags.DISABLED)
    provider = Provider(
        ProviderKey(key), name, table.text("description") or "", ProviderFlags(flags), other_flags(table),
        table.text("service"), table.hexadecimal("provider-data"),
    )  # fmt: skip
    table.done()
    objects.add(provider, table.spot)
    objects.providers.append(provider)


def read_sublayer(table: Table, objects: Objects) -> None:
    name = read_name(table)
    key = _key(table, SUBLAYER, name)
    flags = _flag(table, "persistent", SublayerFlags.PERSISTENT)
    sublayer = Sublayer(
        SublayerKey(key), name, _sublayer_weight(table), table.text("description") or "", SublayerFlags(flags),
        other_flags(table), provider_of(table, objects), table.hexadecimal("provider-data"),
    )  # fmt: skip
    table.done()
    objects.add(sublayer, table.spot)
    objects.sublayers.append(sublayer)


def _sublayer_weight(table: Table) -> int | None:
    value = table.get("weight")
    if value is None:
        raise table.spot.error(
            "no 'weight'", f"a number from 0 to {MAX_WEIGHT:#x}, heavier is asked first, or 'unknown'"
        )
    return None if value == "unknown" else table.number("weight", 0, MAX_WEIGHT)


def read_callout(table: Table, objects: Objects) -> None:
    """One callout for each layer named; `registered`: whether a driver answers (default: it does)."""
    name = read_name(table)
    layers = _layers(table)
    given = read_key(table, CALLOUT)
    if given is not None and len(layers) > 1:
        raise table.spot.down("key").error(
            f"one key for {len(layers)} layers", "one layer, such as '...-v4', or no key"
        )
    registered = _registered(table)
    flags = _flag(table, "persistent", CalloutFlags.PERSISTENT)
    flags |= _flag(table, "uses-provider-context", CalloutFlags.USES_PROVIDER_CONTEXT)
    flags |= CalloutFlags.REGISTERED if registered else 0
    made = [
        Callout(
            CalloutKey(given or derived(CalloutKey, name, str(layer))), name, layer, table.number("id", 0, 0xFFFFFFFF),
            table.text("description") or "", CalloutFlags(flags),
            CalloutBehaviourFlags(flag_list(table, "behaviour", flag_names(CalloutBehaviourFlags))),
            other_flags(table), provider_of(table, objects), table.hexadecimal("provider-data"),
        )
        for layer in layers
    ]  # fmt: skip
    table.done()
    for callout in made:
        objects.add(callout, table.spot)
        (objects.callouts if registered is not None else objects.unsure_callouts).append(callout)


def _registered(table: Table) -> bool | None:
    value = table.get("registered")
    if value == "unknown":
        return None
    if value is not None and not isinstance(value, bool):
        raise table.spot.down("registered").error(shown(value), "true, false or 'unknown'")
    return value is not False


def _layers(table: Table) -> tuple[LayerKey | None, ...]:
    named = table.names("layer")
    return tuple(key for text, spot in named for key in layer_keys(text, spot)) or (None,)


def layer_keys(text: str, spot: Spot) -> tuple[LayerKey, ...]:
    """The layers that `text` names, at least one."""
    found = layers_of(text)
    if not found:
        raise spot.error(f"'{shorten(text)}'", nearest(text, layer_names(), "a layer"), "FWP_E_LAYER_NOT_FOUND")
    return found


_CONTEXT_TYPES: Final = {kebab(t.name.removesuffix("_CONTEXT")): f"FWPM_{t.name}" for t in ContextType}


def read_context(table: Table, objects: Objects) -> None:
    name = read_name(table)
    key = _key(table, CONTEXT, name)
    flags = _flag(table, "persistent", ContextFlags.PERSISTENT) | _flag(table, "downlevel", ContextFlags.DOWNLEVEL)
    context = ProviderContext(
        ContextKey(key), name, _context_type(table), table.number("id", 0, MAX_ID), table.text("description") or "",
        ContextFlags(flags),
        other_flags(table), provider_of(table, objects), table.hexadecimal("provider-data"), None,
        table.hexadecimal("data"),
    )  # fmt: skip
    table.done()
    objects.add(context, table.spot)
    objects.contexts.append(context)


def _context_type(table: Table) -> str:
    text = table.text("type")
    if text is None:
        return "FWPM_GENERAL_CONTEXT"
    if text in _CONTEXT_TYPES or text in _CONTEXT_TYPES.values():
        return _CONTEXT_TYPES.get(text, text)
    raise table.spot.down("type").error(shown(text), nearest(text, _CONTEXT_TYPES, "a type of provider context"))


# -- shared members ----------------------------------------------------------------------------------------------------


def _key(table: Table, kind: Kind, name: str) -> Key:
    return read_key(table, kind) or derived(kind.cls, name)


def _flag(table: Table, key: str, value: int) -> int:
    return value if table.flag(key) else 0


def provider_of(table: Table, objects: Objects) -> ProviderKey | None:
    text = table.text("provider")
    if text is None:
        return None
    found = objects.find(PROVIDER, text, table.spot.down("provider"))
    return ProviderKey(found if isinstance(found, Key) else found.key)


def other_flags(table: Table) -> tuple[str, ...]:
    """`other-flags`: names and bits that no public header numbers, kept as they stand."""
    return tuple(text for text, _ in table.names("other-flags"))


def flag_list(table: Table, key: str, names: Any) -> int:
    """A list of flag names as bits."""
    bits = 0
    for text, spot in table.names(key):
        if text not in names:
            raise spot.error(f"'{shorten(text)}'", nearest(text, names, "a flag"), "FWP_E_INVALID_FLAGS")
        bits |= names[text]
    return bits
