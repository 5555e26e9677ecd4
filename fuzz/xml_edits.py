"""Damage that leaves XML well formed, which random bytes hardly ever do.

An edit script is text, a line an edit: `NUMBER WORD REST`, where NUMBER picks an element of a base document (in
document order, modulo their count) and WORD says what happens to it:

    text REST      its text becomes REST
    tail REST      REST stands behind it
    drop           it goes, with all that is in it
    twice          a copy of it stands behind it
    name REST      it is called REST
    into NUMBER    it moves into another element
    count REST     its numItems says REST

A damaged script is still a script: lines that make no sense are passed over.
"""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Callable

from lxml import etree

SCRIPT = b"edits\n"
Element = etree._Element


def edited(base: bytes, script: bytes) -> bytes:
    """`base` after the edits of `script`, which begins with `SCRIPT`; the root stays."""
    root = etree.fromstring(base, etree.XMLParser(resolve_entities=False))
    for line in script.decode("utf-8", "replace").split("\n")[1:9]:
        elements = list(root.iter("*"))
        number, _, rest = line.partition(" ")
        word, _, content = rest.partition(" ")
        # lxml refuses what cannot be XML (names, control characters, an element in itself) with ValueError
        with contextlib.suppress(ValueError):
            element = elements[int(number) % len(elements)]
            if element is not root and word in _EDITS:
                _EDITS[word](element, content, elements)
    return etree.tostring(root)


def _text(element: Element, content: str, elements: list[Element]) -> None:
    element.text = content


def _tail(element: Element, content: str, elements: list[Element]) -> None:
    element.tail = content


def _drop(element: Element, content: str, elements: list[Element]) -> None:
    parent = element.getparent()
    if parent is not None:
        parent.remove(element)


def _twice(element: Element, content: str, elements: list[Element]) -> None:
    element.addnext(copy.deepcopy(element))


def _name(element: Element, content: str, elements: list[Element]) -> None:
    element.tag = content


def _into(element: Element, content: str, elements: list[Element]) -> None:
    other = elements[int(content) % len(elements)]
    if element not in (other, *other.iterancestors()):
        other.append(element)


def _count(element: Element, content: str, elements: list[Element]) -> None:
    element.set("numItems", content)


_EDITS: dict[str, Callable[[Element, str, list[Element]], None]] = {
    "text": _text,
    "tail": _tail,
    "drop": _drop,
    "twice": _twice,
    "name": _name,
    "into": _into,
    "count": _count,
}
WORDS = tuple(f"\n7 {word} ".encode() for word in _EDITS)
