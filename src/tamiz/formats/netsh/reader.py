"""What every reader of a netsh element needs: its members, its text, its keys and flags, and how it complains.

Elements have fixed shapes (`Shape`). A missing member is an error. A member that is not known is none, since a newer
Windows adds some: it is left out with a warning. Keys are resolved once and shared; one that neither the catalog nor
the dump lists gets a warning, with the place where it was first met.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntFlag
from functools import cache
from typing import Final, NoReturn, TypeVar

from lxml import etree

from tamiz.formats.netsh.complaints import COUNT, Element
from tamiz.formats.netsh.leaves import Leaves
from tamiz.formats.netsh.trees import Document
from tamiz.model import catalog
from tamiz.model.errors import shorten
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
from tamiz.model.objects import Node

K = TypeVar("K", bound=Key)

DEEPEST: Final = 64  # of an element that is kept as a `Node`; 12 is the deepest seen

_NAMED: Final = re.compile(r"[A-Z][A-Za-z0-9_]{2,127}")
_BITS: Final = re.compile(r"[0-9A-Fa-f]{8}")
_NUMBERLESS: Final = frozenset({"FWPM_FILTER_FLAG_HAS_FILTER_ORIGIN"})  # netsh prints it, no header has its value


@dataclass(frozen=True, slots=True)
class Shape:
    """The members an element must have, and those it may have besides."""

    required: frozenset[str]
    known: frozenset[str]

    @classmethod
    def of(cls, required: str, optional: str = "") -> Shape:
        needed = frozenset(required.split())
        return cls(needed, needed | frozenset(optional.split()))


class Reader(Leaves):
    """Reads the elements of one document. `InputError` for what is wrong; what is odd is collected in `warnings`."""

    def __init__(self, document: Document) -> None:
        super().__init__(document)
        self._flags: dict[tuple[bytes, int], tuple[int, tuple[str, ...]]] = {}
        self._keys: dict[tuple[type[Key], str], Key] = {}
        self._uses: dict[tuple[type[Key], Key], tuple[Element, bool]] = {}

    def check_uses(self, cls: type[K], listed: Sequence[K] | None) -> None:
        """Warns of keys of kind `cls` that neither the catalog nor the dump knows.

        `listed`: the keys in the dump's own list, without which Windows would not have added what refers to them;
        None: the dump has no such list.
        """
        known, kind = frozenset(listed or ()), _KINDS[cls]
        code = kind.upper().replace(" ", "_")
        why = f"is not in the dump (FWP_E_{code}_NOT_FOUND)" if listed is not None else "is not known to the catalog"
        for (met, key), (element, in_catalog) in self._uses.items():
            if met is cls and not in_catalog and key not in known:
                self.warn(element, f"{kind} {shorten(key)} {why}", "key", kind, key)

    # -- structure ----------------------------------------------------------------------------------------------------

    def members(self, element: Element, shape: Shape) -> dict[str, Element]:
        """The children of `element`, by name."""
        children = list(element)
        found = {child.tag: child for child in children}
        if len(found) != len(children):
            self._fail_twice(children)
        if not shape.required <= found.keys():
            missing = sorted(shape.required - found.keys())
            self.fail(element, f"no <{missing[0]}> in <{element.tag}>", f"<{missing[0]}>")
        if not found.keys() <= shape.known:
            self._warn_unknown(element, found, shape)
        self.no_text(element, children)
        return found

    def _fail_twice(self, children: list[Element]) -> NoReturn:
        met: set[str] = set()
        for child in children:
            if child.tag in met:
                break
            met.add(child.tag)
        self.fail(child, f"a second <{child.tag}>", "one")

    def _warn_unknown(self, element: Element, found: Mapping[str, Element], shape: Shape) -> None:
        for name in [name for name in found if name not in shape.known]:
            text = f"<{shorten(name)}> is not known: {shorten(found[name].text or '')!r}"
            self.warn(found[name], text, "element", str(element.tag), name)

    def no_text(self, element: Element, children: Sequence[Element]) -> None:
        text = element.text
        if text is not None and not text.isspace():
            self.fail(element, f"text {shorten(text)!r} in <{element.tag}>", "elements only")
        for child in children:
            tail = child.tail
            if tail is not None and not tail.isspace():
                self.fail(child, f"text {shorten(tail)!r} after <{child.tag}>", "elements only")

    def items(self, element: Element) -> list[Element]:
        """The `<item>`s of a list, as many as its `numItems` says."""
        children = list(element)
        count = element.get(COUNT)
        if count is not None and count != str(len(children)):
            found = f"{len(children)} items in <{element.tag}>"
            self.fail(element, found, f"{shorten(count)}, as numItems says")
        for child in children:
            if child.tag != "item":
                self.fail(child, f"<{child.tag}> in <{element.tag}>", "<item>")
        self.no_text(element, children)
        return children

    def node(self, element: Element, depth: int = 0) -> Node:
        """The element, kept whole."""
        children = list(element)
        if depth == DEEPEST:
            self.fail(element, f"elements nested {DEEPEST} deep", "fewer")
        if not children:
            return Node(element.tag, element.text or "")
        if element.get(COUNT) is not None:
            self.items(element)
        else:
            self.no_text(element, children)
        return Node(element.tag, "", tuple([self.node(child, depth + 1) for child in children]))

    # -- leaves -------------------------------------------------------------------------------------------------------

    def data(self, element: Element) -> bytes | None:
        """The bytes of a `data`, `asString` pair; None where there is none. asString is a rendering of them."""
        if not len(element):
            if self.text(element).strip():
                self.fail(element, f"{element.text!r} in <{element.tag}>", "<data>")
            return None
        return self.hex(self.members(element, _DATA)["data"])

    def display(self, element: Element, named: bool = True) -> tuple[str, str]:
        """Name and description. Where the object must have a name, none is FWP_E_NULL_DISPLAY_NAME (objects.md 1)."""
        members = self.members(element, _DISPLAY)
        name = self.text(members["name"])
        if named and not name:
            self.fail(members["name"], "no display name", "one", "FWP_E_NULL_DISPLAY_NAME")
        return name, self.text(members["description"])

    def key(self, cls: type[K], element: Element) -> K:
        """The key in `element`: an FWPM_ name or a `{guid}`."""
        found = self.optional_key(cls, element)
        if found is None:
            self.fail(element, f"nothing in <{element.tag}>", "a name or a GUID in braces")
        return found

    def optional_key(self, cls: type[K], element: Element) -> K | None:
        text = element.text
        if text is None and not len(element):
            return None
        found = self._keys.get((cls, text or ""))
        if found is None or len(element):
            found = self._new_key(cls, element)
        return found  # type: ignore[return-value]  # the cache is by class

    def _new_key(self, cls: type[K], element: Element) -> K:
        text = self.text(element)
        guid = text.lower()
        if not is_guid(guid) and not _NAMED.fullmatch(text):
            self.fail(element, f"{text!r} in <{element.tag}>", "a name or a GUID in braces")
        if cls not in _KINDS:
            return cls(guid if is_guid(guid) else text)
        found, known = catalog.resolve(cls, text)
        self._keys[cls, text] = found
        self._uses.setdefault((cls, found), (element, known))
        return found

    def flags(self, element: Element, names: Mapping[str, int]) -> tuple[int, tuple[str, ...]]:
        """A list of flag names, perhaps with eight hex digits for the bits without a name: the word that they make,
        and the names that have no number."""
        xml = etree.tostring(element, with_tail=False), id(names)
        found = self._flags.get(xml)
        if found is None:
            found = self._flags[xml] = self._read_flags(element, names)
        return found

    def _read_flags(self, element: Element, names: Mapping[str, int]) -> tuple[int, tuple[str, ...]]:
        items = self.items(element)
        word, others = 0, []
        for item in items:
            name = self.text(item)
            if name in names:
                word |= names[name]
            elif _BITS.fullmatch(name):
                word |= int(name, 16)
            else:
                others.append(self._unnumbered(item, name))
        return word, tuple(others)

    def _unnumbered(self, item: Element, name: str) -> str:
        if not _NAMED.fullmatch(name):
            self.fail(item, f"flag {name!r}", "a name or eight hexadecimal digits")
        if name not in _NUMBERLESS:
            self.warn(item, f"flag {shorten(name)} is not known", "flag", name)
        return name


def flag_names(prefix: str, flags: type[IntFlag]) -> dict[str, int]:
    """What netsh calls the members of `flags`, with their values."""
    return {prefix + name: member.value for name, member in flags.__members__.items()}


@cache
def bits_of(flags: type[IntFlag]) -> int:
    """Every bit that `flags` has a name for."""
    return sum(flags)


def unknown_bits(word: int, *flags: type[IntFlag]) -> tuple[str, ...]:
    """The bits of `word` that none of `flags` has, as netsh prints them."""
    for cls in flags:
        word &= ~bits_of(cls)
    return (f"{word:08x}",) if word else ()


_KINDS: Final[Mapping[type[Key], str]] = {
    LayerKey: "layer",
    FieldKey: "condition",
    SublayerKey: "sublayer",
    ProviderKey: "provider",
    CalloutKey: "callout",
    ContextKey: "provider context",
}
_DATA: Final = Shape.of("data", "asString")
_DISPLAY: Final = Shape.of("name description")
