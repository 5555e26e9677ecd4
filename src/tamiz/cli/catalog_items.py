"""What `tamiz catalog` shows, as documents: one list of items for each kind, all of one shape within a kind.

`SECTIONS` says, for each kind, where its items come from and which of their members stand in the table. An item is
found by any of its handles: its FWPM_ name, the name without prefix in lower case with dashes (as in policies), an
alias, its GUID or its number.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from tamiz.formats.toml.names import field_word, kebab
from tamiz.model import _tables as tables
from tamiz.model import catalog
from tamiz.model._tables import DataType, MatchType
from tamiz.model.catalog import FieldList
from tamiz.model.conditions import MATCHES
from tamiz.model.keys import CalloutKey, FieldKey, Key, LayerKey, ProviderKey, SublayerKey
from tamiz.model.layers import Layer
from tamiz.model.windows import VISTA

if TYPE_CHECKING:
    from tamiz.stack.rows import Row

Item = dict[str, Any]


def friendly(key: str) -> str:
    """`FWPM_LAYER_ALE_AUTH_CONNECT_V4` -> `ale-auth-connect-v4`; a GUID stays as it is."""
    short = key
    for cls in (LayerKey, FieldKey, SublayerKey, ProviderKey, CalloutKey):
        short = short.removeprefix(catalog.prefix_of(cls))
    return short if short.startswith("{") else kebab(short)


def _head(key: Key) -> Item:
    return {"name": str(key), "friendly": friendly(key), "guid": catalog.guid_of(key)}


def _layers(fields: FieldList) -> Iterator[Item]:
    for layer in catalog.layers(fields).values():
        yield {
            **_head(layer.key),
            "guid": layer.guid,
            "id": layer.id,
            "display_name": layer.display_name,
            "mode": "kernel" if layer.kernel else "user",
            "discard": layer.discard,
            "ip_version": layer.ip_version,
            "flags": [flag.name for flag in layer.flags],
            "default_sublayer": str(layer.default_sublayer),
            "fields": _fields(layer),
        }


def _fields(layer: Layer) -> list[Item]:
    return [
        {"index": index, "name": str(field.key), "kind": field.kind.name, "type": _type(field.type)}
        for index, field in enumerate(layer.fields)
    ]


def _type(data_type: DataType) -> str:
    return f"FWP_{data_type.name}"


def _conditions(fields: FieldList) -> Iterator[Item]:
    usage: dict[str, dict[tuple[str, str], list[str]]] = {}
    for layer in catalog.layers(fields).values():
        for field in layer.fields:
            kinds = usage.setdefault(field.key, {})
            kinds.setdefault((field.kind.name, _type(field.type)), []).append(layer.key)
    for name in tables.GUIDS["conditions"]:
        used = usage.get(name, {})
        yield {
            **_head(FieldKey(name)),
            "friendly": field_word(FieldKey(name)),
            "aliases": [alias for alias, of in tables.ALIASES.items() if of == name],
            "usage": [{"kind": kind, "type": type_, "layers": at} for (kind, type_), at in used.items()],
        }


def _sublayers(_: FieldList) -> Iterator[Item]:
    for key, weight, provider, display_name in tables.SUBLAYERS:
        yield {
            **_head(SublayerKey(key)),
            "display_name": display_name,
            "weight": weight,
            "provider": provider,
        }


def _providers(_: FieldList) -> Iterator[Item]:
    for key, service, display_name, description in tables.PROVIDERS:
        yield {
            **_head(ProviderKey(key)),
            "display_name": display_name,
            "service": service,
            "description": description,
        }


def _callouts(_: FieldList) -> Iterator[Item]:
    for key, number, layer, display_name, flags in tables.CALLOUTS:
        yield {
            **_head(CalloutKey(key)),
            "id": number,
            "layer": layer,
            "display_name": display_name,
            "flags": list(flags),
        }


def _errors(_: FieldList) -> Iterator[Item]:
    for name, code in tables.ERRORS.items():
        yield {"name": name, "code": code, "hex": f"{code:#010x}"}


def _match_types(_: FieldList) -> Iterator[Item]:
    for match in MatchType:
        yield {
            "name": f"FWP_MATCH_{match.name}",
            "friendly": friendly(match.name),
            "number": int(match),
            "types": [_type(t) for t in sorted(MATCHES[match])],
        }


def _flows(_: FieldList) -> Iterator[Item]:
    """The documented conversations of two hosts, step by step (`tamiz.stack.flow_pages`)."""
    from tamiz.stack.flow_pages import FLOW_PAGES

    for name, legs in FLOW_PAGES.items():
        rows = [(leg.role, row) for leg in legs for row in leg.rows]
        yield {"name": name, "steps": [_step(n, host, row) for n, (host, row) in enumerate(rows, 1)]}


def _step(n: int, host: str, row: Row) -> Item:
    return {
        "n": n,
        "host": host,
        "event": row.event,
        "packet": row.packet or None,
        "direction": row.direction,
        "layer": row.layer,
        "when": _when(row),
        "mark": row.source.mark,
        "page": row.source.page,
    }


def _when(row: Row) -> str | None:
    """What the step hangs on: a version of Windows, a reading, a filter at the layer."""
    parts = [] if row.since is VISTA else [f"Windows {row.since} and later"]
    parts += [] if row.reading is None else [f"the {row.reading.value} reading"]
    parts += [] if row.when.value == "always" else [row.when.value]
    return ", ".join(parts) or None


@dataclass(frozen=True, slots=True)
class Section:
    """One kind: its items in order, and the members that its table shows."""

    one: str
    items: Callable[[FieldList], Iterator[Item]]
    columns: tuple[str, ...]


SECTIONS: Final[Mapping[str, Section]] = {
    "layers": Section("layer", _layers, ("id", "friendly", "mode", "discard", "fields", "default_sublayer")),
    "conditions": Section("condition", _conditions, ("friendly", "types", "layers")),
    "sublayers": Section("sublayer", _sublayers, ("weight", "friendly", "display_name", "provider")),
    "callouts": Section("callout", _callouts, ("id", "friendly", "layer")),
    "providers": Section("provider", _providers, ("friendly", "service", "display_name")),
    "errors": Section("error", _errors, ("hex", "name")),
    "flows": Section("flow", _flows, ("name", "steps")),
    "match-types": Section("match type", _match_types, ("number", "friendly", "types")),
}


class NotFound(LookupError):
    """No item has that handle; the message names the nearest ones."""


def items(what: str, name: str | None, fields: FieldList) -> list[Item]:
    """The items of a section, or those that `name` stands for; `NotFound` if there are none.

    A name that lacks its `-v4` or `-v6` stands for both.
    """
    section = SECTIONS[what]
    every = list(section.items(fields))
    if name is None:
        return every
    wanted = _normal(name)
    found = [item for item in every if wanted in _handles(item)]
    found = found or [item for item in every if item.get("friendly") in _families(wanted)]
    if not found:
        raise NotFound(_unknown(section.one, name, every))
    return found


def _normal(name: str) -> str:
    text = name.strip().lower().replace("_", "-")
    if text.startswith("0x"):
        text = str(int(text, 16)) if all(c in "0123456789abcdef" for c in text[2:]) and text[2:] else text
    return text.removeprefix("{").removesuffix("}")


def _handles(item: Item) -> set[str]:
    names = [item["name"], *item.get("aliases", ())]
    texts = [*names, *map(friendly, names), item.get("friendly"), item.get("guid")]
    numbers = [item.get("id"), item.get("number"), item.get("code")]
    found = {_normal(t) for t in texts if t} | {str(n) for n in numbers if n is not None}
    return found | ({item["hex"].removeprefix("0x")} if "hex" in item else set())


def _families(wanted: str) -> tuple[str, str]:
    base = friendly(wanted.upper().replace("-", "_"))
    return f"{base}-v4", f"{base}-v6"


def _unknown(one: str, name: str, every: list[Item]) -> str:
    shown = {_normal(text): text for text in (item.get("friendly") or item["name"] for item in every)}
    wanted = friendly(name.strip().upper().replace("-", "_"))
    near = [shown[n] for n in difflib.get_close_matches(wanted, shown, n=3, cutoff=0.5)]
    return f"there is no {one} {name!r}" + (f"; nearest: {', '.join(near)}" if near else "")
