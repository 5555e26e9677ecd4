"""What `netsh wfp show filters` and `netsh wfp show state` write, to a `Policy`.

Input: the bytes of either file, as UTF-8 or, after a PowerShell redirection, UTF-16. Output: a `Policy` that holds
everything of the dump: the filter engine's objects as nouns of the model, the rest (statistics, subscriptions, IPsec)
as `Node`s in `Policy.other`.

A filters dump is not the whole policy: it leaves filters out and has no sublayers, callouts, contexts or field lists
(field-evidence.md 4), and the `Policy` says so. A state dump is whole, and its own lists of fields are the layers.

The reader is strict. What is not a whole dump, what contradicts itself and what Windows would have refused is an
`InputError` with file, line and object. What only a newer Windows knows (elements, flags, names) is kept where the
model has a place for it, and named in `Policy.warnings` in any case.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Final, TypeVar

from tamiz.formats.netsh import objects
from tamiz.formats.netsh.complaints import Element
from tamiz.formats.netsh.filters import Filters
from tamiz.formats.netsh.reader import Reader, Shape
from tamiz.formats.netsh.trees import first_child, parse, root_name
from tamiz.formats.netsh.values import Values
from tamiz.model import catalog
from tamiz.model.keys import CalloutKey, ContextKey, FieldKey, LayerKey, ProviderKey, SublayerKey
from tamiz.model.layers import Layer
from tamiz.model.objects import Callout, Filter, Node
from tamiz.model.policy import Policy

T = TypeVar("T")

# The lists of a dump that are read as objects; all else is kept as nodes, with a warning where it is not one of these.
_FILTERS_DUMP: Final = Shape.of("filters", "providers")
_STATE_DUMP: Final = Shape.of("layers providers providerContexts subLayers", "sessions aleConnectedEndpoints")
_KEPT: Final = frozenset(
    {"timeStamp", "subscriptions", "ipsecSaContexts", "ipsecStatistics", "ikeextStatistics", "ikeextSas"}
)
_SECOND_ROOT: Final = Shape.of("", "dynamicKeywordAddresses")
_LAYER: Final = Shape.of("layer callouts filters")


def looks_like_netsh(data: bytes) -> bool:
    """Whether `data` begins like a filters or state dump; its first kilobytes are enough."""
    root = root_name(data)
    return root == "wfpstate" or (root == "wfpdiag" and first_child(data) in (None, "filters", "providers"))


def read_netsh(data: bytes, name: str) -> Policy:
    """The policy in the dump `data`; `name` is what messages call the file.

    `InputError` for anything that is not a whole dump, with the FWP_E_* code where Windows itself would refuse an
    object; nothing else. `Policy.warnings` names what was left out or is not known.
    """
    with _without_collector():
        document = parse(data, name)
        reader = Reader(document)
        reader.check_attributes()
        return _filters_dump(reader) if document.root.tag == "wfpdiag" else _state_dump(reader)


@contextmanager
def _without_collector() -> Iterator[None]:
    """Nothing that loading makes is garbage, so looking for some costs a third of the time."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


# -- the two kinds of dump --------------------------------------------------------------------------------------------


def _filters_dump(reader: Reader) -> Policy:
    lists, other = _lists(reader, _FILTERS_DUMP)
    values = Values(reader, own_layers=False)
    readers = Filters(reader, values, catalog.layers())
    filters = tuple([readers.filter(item) for item in _items(reader, lists, "filters")])
    providers = _objects(reader, lists, "providers", objects.provider)
    reader.check_uses(ProviderKey, [provider.key for provider in providers])
    for kind in (SublayerKey, CalloutKey, FieldKey):
        reader.check_uses(kind, None)
    return Policy(
        filters=filters,
        providers=providers,
        other=other,
        fields="older" if values.older_fields else "newest",
        whole=False,
        lists_sublayers=False,
        lists_callouts=False,
        sources=(reader.document.name,),
        warnings=reader.warnings(),
    )


def _state_dump(reader: Reader) -> Policy:
    lists, other = _lists(reader, _STATE_DUMP)
    layers, callouts, filters = _layers(reader, lists)
    providers = _objects(reader, lists, "providers", objects.provider)
    contexts = _objects(reader, lists, "providerContexts", objects.context)
    sublayers = _objects(reader, lists, "subLayers", objects.sublayer)
    reader.check_uses(ProviderKey, [provider.key for provider in providers])
    reader.check_uses(ContextKey, [context.key for context in contexts])
    reader.check_uses(SublayerKey, [sublayer.key for sublayer in sublayers])
    reader.check_uses(CalloutKey, [callout.key for callout in callouts])
    for kind in (LayerKey, FieldKey):
        reader.check_uses(kind, None)
    sessions = _objects(reader, lists, "sessions", objects.session)
    endpoints = _objects(reader, lists, "aleConnectedEndpoints", objects.endpoint)
    return Policy(
        filters=filters,
        sublayers=sublayers,
        providers=providers,
        callouts=callouts,
        contexts=contexts,
        layers=layers,
        sessions=sessions,
        endpoints=endpoints,
        other=other + _firewall_state(reader),
        sources=(reader.document.name,),
        warnings=reader.warnings(),
    )


def _layers(
    reader: Reader, lists: Mapping[str, Element]
) -> tuple[tuple[Layer, ...], tuple[Callout, ...], tuple[Filter, ...]]:
    """Each item of the list is a layer with its callouts and its filters."""
    readers = Filters(reader, Values(reader, own_layers=True), {})
    layers: list[Layer] = []
    callouts: list[Callout] = []
    filters: list[Filter] = []
    for item in _items(reader, lists, "layers"):
        members = reader.members(item, _LAYER)
        layer = readers.layer(members["layer"])
        layers.append(layer)
        callouts += [readers.callout(c, layer) for c in reader.items(members["callouts"])]
        filters += [readers.filter(f, layer) for f in reader.items(members["filters"])]
    return tuple(layers), tuple(callouts), tuple(filters)


def _firewall_state(reader: Reader) -> tuple[Node, ...]:
    """The second root of a state dump."""
    if len(reader.document.parts) == 1:
        text = "nothing stands after </wfpstate>, where newer builds of Windows write <firewallState>"
        reader.warn(reader.document.root, text, "second root")
        return ()
    root = reader.document.parts[1].root
    reader.members(root, _SECOND_ROOT)
    return tuple([reader.node(child) for child in root])


# -- lists ------------------------------------------------------------------------------------------------------------


def _lists(reader: Reader, shape: Shape) -> tuple[dict[str, Element], tuple[Node, ...]]:
    """The lists of objects, by name, and the nodes of the rest."""
    known = Shape(shape.required, shape.known | _KEPT)
    members = reader.members(reader.document.root, known)
    other = tuple([reader.node(child) for name, child in members.items() if name not in shape.known])
    return members, other


def _items(reader: Reader, lists: Mapping[str, Element], name: str) -> list[Element]:
    return reader.items(lists[name]) if name in lists else []


def _objects(
    reader: Reader, lists: Mapping[str, Element], name: str, read: Callable[[Reader, Element], T]
) -> tuple[T, ...]:
    return tuple([read(reader, item) for item in _items(reader, lists, name)])
