"""How a reader of a netsh dump complains: errors at once, warnings collected, each with file and line."""

from __future__ import annotations

from typing import Final, NoReturn

from lxml import etree

from tamiz.formats.netsh.trees import Document
from tamiz.model.errors import InputError, shorten
from tamiz.model.keys import Key

Element = etree._Element
MOST: Final = 100  # kinds of warning of one dump that are told
COUNT: Final = "numItems"  # the only attribute that netsh writes

_has_others = etree.XPath(f"boolean(//@*[name() != '{COUNT}'])")


class Complaints:
    """Of one document."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self._warnings: dict[tuple[str, ...], tuple[Element, str]] = {}
        self._more = 0
        self._met: dict[tuple[type, object], Element] = {}

    def fail(self, element: Element, found: object, wanted: str, code: str | None = None) -> NoReturn:
        """Names the place of `element` and the object that it belongs to."""
        place = self.document.places([element])[0]
        raise InputError(place, subject_of(element), shorten(found, 100), wanted, code)

    def warn(self, element: Element, text: str, *kind: str) -> None:
        """Once for each `kind` of oddity, where it was first met."""
        if kind in self._warnings or len(self._warnings) < MOST:
            self._warnings.setdefault(kind, (element, text))
        else:
            self._more += 1

    def warnings(self) -> tuple[str, ...]:
        """All of them, each with place and object."""
        elements = [element for element, _ in self._warnings.values()]
        places = self.document.places(elements)
        found = [
            f"{place}: {subject_of(element)}: {text}"
            for place, (element, text) in zip(places, self._warnings.values(), strict=True)
        ]
        more = [f"{self.document.name}: {self._more} more such warnings"] if self._more else []
        return (*found, *more)

    def check_attributes(self) -> None:
        """netsh writes one attribute, `numItems`; others are left out with a warning."""
        for part in self.document.parts:
            if _has_others(part.root):
                for element in part.root.iter():
                    self._warn_of_attributes(element)

    def _warn_of_attributes(self, element: Element) -> None:
        for name in element.attrib:
            if name != COUNT:
                text = f"attribute {shorten(name)} of <{shorten(element.tag)}> is not known"
                self.warn(element, text, "attribute", str(element.tag), str(name))

    def once(self, key: object, element: Element) -> None:
        """Refuses the second of two objects of one kind that have one key or id; FWP_E_ALREADY_EXISTS for keys."""
        first = self._met.setdefault((type(key), key), element)
        if first is not element:
            line = self.document.places([first])[0].line
            code = "FWP_E_ALREADY_EXISTS" if isinstance(key, Key) else None
            self.fail(element, f"{element.text} again, after line {line}", f"each <{element.tag}> once", code)


# the list in which an object stands -> what messages call it, and the path of its key
_OBJECTS: Final = {
    "filters": ("filter", "", "filterKey"),
    "callouts": ("callout", "", "calloutKey"),
    "layers": ("layer", "layer/", "layerKey"),
    "providers": ("provider", "", "providerKey"),
    "subLayers": ("sublayer", "", "subLayerKey"),
    "providerContexts": ("provider context", "", "providerContextKey"),
    "sessions": ("session", "", "sessionKey"),
    "aleConnectedEndpoints": ("endpoint", "", "endpointId"),
}


def subject_of(element: Element) -> str:
    """The object that `element` belongs to: `filter {...} 'name'`; else the element itself."""
    at: Element | None = element
    while at is not None:
        parent = at.getparent()
        if parent is not None and parent.tag in _OBJECTS and at.tag == "item":
            kind, inside, key = _OBJECTS[parent.tag]
            name = at.findtext(f"{inside}displayData/name")
            named = "" if name is None else f" {shorten(name)!r}"
            return f"{kind} {shorten(at.findtext(inside + key) or 'without a key')}{named}"
        at = parent
    return f"<{shorten(element.tag)}>"
