r"""The policy language of tamiz: TOML with the words of the Windows Filtering Platform.

Input: the bytes of a file. Output: a `Policy`. The tables, in any order:

* `[[provider]]`, `[[sublayer]]`, `[[callout]]`, `[[context]]`: objects with a `name`, and a `key` where it matters.
* `[[filter]]`: `name`, `layer`, `action`; `sublayer`, `provider`, `weight`, `hard`, `conditions`, and the other
  members of FWPM_FILTER0. A layer without -v4 or -v6 is both, and gives two filters.
* `[volumes]`: `"C:" = '\Device\HarddiskVolume3'`, for the paths of applications. A path on a drive that is not in it
  keeps its drive letter (`tamiz.formats.appid`), and a warning says so: it then equals the same DOS path, and an NT
  path only by assumption.
* `fields = "older"`: the field lists of Windows 11 before 24H2, which automatic weights depend on.

Names that nobody knows are refused, with file, line, key, what was found, what was wanted, and the FWP_E_* code that
Windows gives where Windows refuses the object too.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from tamiz.formats import appid
from tamiz.formats.toml.filters import Reader
from tamiz.formats.toml.lines import Document, read_document
from tamiz.formats.toml.names import nearest
from tamiz.formats.toml.objects import (
    Objects,
    index_of,
    read_callout,
    read_context,
    read_provider,
    read_sublayer,
)
from tamiz.formats.toml.table import Spot, Table, shown
from tamiz.formats.toml.values import Volumes
from tamiz.model import catalog
from tamiz.model.errors import shorten
from tamiz.model.policy import Policy

_OBJECTS: Final[dict[str, Callable[[Table, Objects], None]]] = {
    "provider": read_provider,
    "sublayer": read_sublayer,
    "callout": read_callout,
    "context": read_context,
}
_KEYS: Final = (*_OBJECTS, "filter", "volumes", "fields")


def read_toml(data: bytes, name: str, known: Policy | None = None, label: str | None = None) -> Policy:
    """The policy of the TOML file `data`; `name` stands in messages. It may refer to the objects of `known`, too.

    Keys of filters that give none are made from `label`, which tells this file from others; None: its base name.
    Filters have no run-time id and no effective weight yet unless the file gives them: see `tamiz.formats.complete`.
    Raises `InputError` for anything that is not a policy, and nothing else.
    """
    document = read_document(data, name)
    _refuse_unknown(document)
    fields = _fields(document)
    objects = _objects(document, known)
    layers = known.layer_table if known is not None and known.layers is not None else catalog.layers(fields)
    volumes = Volumes(_volumes(document))
    reader = Reader(objects, layers, volumes, base_name(name) if label is None else label)
    for table in _tables(document, "filter"):
        reader.read(table)
    builtin = [catalog.callouts()[key] for key in reader.used_callouts if key in catalog.callouts()]
    own = {c.key for c in objects.callouts}
    return Policy(
        filters=tuple(reader.filters),
        sublayers=tuple(objects.sublayers),
        providers=tuple(objects.providers),
        callouts=(*objects.callouts, *(c for c in builtin if c.key not in own)),
        contexts=tuple(objects.contexts),
        volumes=tuple(_volumes(document).items()),
        fields=fields,
        lists_callouts=not objects.unsure_callouts,
        sources=(name,),
        warnings=_warnings(volumes),
    )


def base_name(path: str) -> str:
    """The file's name without its folders, whichever way they are divided."""
    return path.replace("\\", "/").rsplit("/", 1)[-1]


def _refuse_unknown(document: Document) -> None:
    for key in document.values:
        if key not in _KEYS:
            spot = Spot(document, (key,), "the policy", ())
            raise spot.error(f"an unknown key '{shorten(key)}'", nearest(key, _KEYS, "one of its keys"))


def _tables(document: Document, word: str) -> list[Table]:
    """The tables of `[[word]]`, each with its object's name for messages."""
    items = document.values.get(word, [])
    if not isinstance(items, list):
        raise Spot(document, (word,), "the policy", ()).error(f"{shown(items)} as '{word}'", f"tables: [[{word}]]")
    return [_table(document, word, n, item) for n, item in enumerate(items)]


def _table(document: Document, word: str, n: int, item: Any) -> Table:
    name = item.get("name") if isinstance(item, dict) else None
    subject = f"{word} '{shorten(name)}'" if isinstance(name, str) and name else f"{word} number {n + 1}"
    return Table(Spot(document, (word, n), subject, (word, n)), item)


def _objects(document: Document, known: Policy | None) -> Objects:
    objects = Objects()
    if known is not None:
        objects.known = index_of((*known.providers, *known.sublayers, *known.callouts, *known.contexts))
    for word, read in _OBJECTS.items():
        for table in _tables(document, word):
            read(table, objects)
    return objects


def _fields(document: Document) -> catalog.FieldList:
    value = document.values.get("fields", "newest")
    if value == "older":
        return "older"
    if value != "newest":
        raise Spot(document, ("fields",), "the policy", ()).error(shown(value), "'newest' or 'older' as 'fields'")
    return "newest"


def _volumes(document: Document) -> dict[str, str]:
    spot = Spot(document, ("volumes",), "the volumes", ())
    found: dict[str, str] = {}
    for letter, device in Table(spot, document.values.get("volumes", {})).items():
        place = document.place(("volumes", letter))
        if not isinstance(device, str):
            raise spot.down(letter).error(shown(device), r"a device such as '\Device\HarddiskVolume3'")
        found[appid.drive(letter, place)] = appid.device_of(device, place)
    return found


def _warnings(volumes: Volumes) -> tuple[str, ...]:
    return tuple(
        f"{spot.document.place(spot.path)}{appid.missing(letter)}paths on it are compared with the same drive "
        f"letter, and with NT paths (\\device\\...) by the path after the volume, as an assumption"
        for letter, spot in volumes.missing.items()
    )
