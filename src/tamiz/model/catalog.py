"""What Windows itself brings: typed access to the generated tables.

Names, aliases and GUIDs of every built-in object resolve to keys; layers come in both known field lists: `newest`
(Windows 11 24H2 and later) and `older`, which is a prefix of it (spec auto-weights.md 4, data/README.md).
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntFlag
from functools import cache
from typing import Final, Literal, TypeVar

from tamiz.model import _tables as tables
from tamiz.model._tables import CalloutBehaviourFlags, CalloutFlags, DataType, FieldKind, LayerFlags
from tamiz.model.keys import (
    CalloutKey,
    ContextKey,
    FieldKey,
    Key,
    LayerKey,
    ProviderKey,
    SublayerKey,
    is_guid,
)
from tamiz.model.layers import Field, Layer
from tamiz.model.objects import Callout, Provider, Sublayer

FieldList = Literal["newest", "older"]
K = TypeVar("K", bound=Key)
F = TypeVar("F", bound=IntFlag)

_KINDS: Final[Mapping[type[Key], str]] = {
    LayerKey: "layers",
    FieldKey: "conditions",
    SublayerKey: "sublayers",
    ProviderKey: "providers",
    CalloutKey: "callouts",
    ContextKey: "provider_contexts",
}
_PREFIXES: Final[Mapping[type[Key], str]] = {
    LayerKey: "FWPM_LAYER_",
    FieldKey: "FWPM_CONDITION_",
    SublayerKey: "FWPM_SUBLAYER_",
    ProviderKey: "FWPM_PROVIDER_",
    CalloutKey: "FWPM_CALLOUT_",
    ContextKey: "FWPM_PROVIDER_CONTEXT_",
}


@cache
def _names_by_guid(cls: type[Key]) -> dict[str, str]:
    return {guid: name for name, guid in tables.GUIDS[_KINDS[cls]].items()}


def resolve(cls: type[K], text: str) -> tuple[K, bool]:
    """The key of kind `cls` for a name, an alias or a `{guid}`, and whether the catalog knows it.

    A name or GUID that the catalog does not know comes back as it is (GUIDs in lower case).
    """
    names = tables.GUIDS[_KINDS[cls]]
    if text in names:
        return cls(text), True
    alias = tables.ALIASES.get(text)
    if alias in names:
        return cls(alias), True
    guid = text.lower()
    if is_guid(guid):
        name = _names_by_guid(cls).get(guid)
        return (cls(name), True) if name else (cls(guid), guid in _unnamed(cls))
    return cls(text), False


@cache
def _unnamed(cls: type[Key]) -> frozenset[str]:
    """GUIDs of Windows' own objects that have no FWPM_ name."""
    rows: Mapping[type[Key], tuple[tuple[str, object], ...]] = {
        SublayerKey: tuple((r[0], r) for r in tables.SUBLAYERS),
        ProviderKey: tuple((r[0], r) for r in tables.PROVIDERS),
        CalloutKey: tuple((r[0], r) for r in tables.CALLOUTS),
    }
    return frozenset(key for key, _ in rows.get(cls, ()) if key.startswith("{"))


def guid_of(key: Key) -> str | None:
    """The GUID of a key, None for a name that the catalog does not have."""
    return str(key) if key.is_guid else tables.GUIDS[_KINDS[type(key)]].get(str(key))


def prefix_of(cls: type[Key]) -> str:
    """The FWPM_ prefix of a kind of key."""
    return _PREFIXES[cls]


@cache
def layers(fields: FieldList = "newest") -> Mapping[LayerKey, Layer]:
    """All 99 layers, by key, in order of run-time id."""
    return {layer.key: layer for layer in (_layer(row, fields) for row in tables.LAYERS)}


@cache
def _fields() -> tuple[Field, ...]:
    return tuple(
        Field(FieldKey(key), FieldKind[kind.removeprefix("FWPM_FIELD_")], DataType[kind_of.removeprefix("FWP_")])
        for key, kind, kind_of in tables.FIELDS
    )


def _layer(row: tables.LayerRow, fields: FieldList) -> Layer:
    name, guid, _, number, display, flags, sublayer, version, discard, newest, older = row
    chosen = older if fields == "older" and older is not None else newest
    return Layer(
        LayerKey(name), guid, number, display, LayerFlags(flags), SublayerKey(sublayer), version, discard,
        tuple(_fields()[i] for i in chosen),
    )  # fmt: skip


@cache
def sublayers() -> Mapping[SublayerKey, Sublayer]:
    """Windows' own sublayers; one whose weight differs between machines is left out."""
    return {
        SublayerKey(key): Sublayer(SublayerKey(key), name, weight=weight, provider=_provider(provider))
        for key, weight, provider, name in tables.SUBLAYERS
        if weight is not None
    }


@cache
def providers() -> Mapping[ProviderKey, Provider]:
    return {
        ProviderKey(key): Provider(ProviderKey(key), name, description, service_name=service)
        for key, service, name, description in tables.PROVIDERS
    }


@cache
def callouts() -> Mapping[CalloutKey, Callout]:
    """Windows' own callouts; REGISTERED where every machine seen had them so, without it where none had them."""
    return {
        CalloutKey(key): Callout(
            CalloutKey(key), name, layer=LayerKey(layer) if layer else None, id=number,
            flags=_flags(CalloutFlags, "FWPM_CALLOUT_FLAG_", flags),
            behaviour=_flags(CalloutBehaviourFlags, "FWP_CALLOUT_FLAG_", flags),
        )
        for key, number, layer, name, flags in tables.CALLOUTS
    }  # fmt: skip


def _flags(cls: type[F], prefix: str, names: tuple[str, ...]) -> F:
    found = cls(0)
    for name in names:
        member = name.removeprefix(prefix)
        if name.startswith(prefix) and member in cls.__members__:
            found |= cls[member]
    return found


def _provider(key: str | None) -> ProviderKey | None:
    return ProviderKey(key) if key else None


def error_code(name: str) -> int | None:
    """The HRESULT of an FWP_E_* name."""
    return tables.ERRORS.get(name)
