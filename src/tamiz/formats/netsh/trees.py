"""Bytes of a netsh dump to XML trees, strictly, and back from an element to its line.

Input: the bytes of a file. Output: a `Document` of one root (`<wfpdiag>`, a filters dump) or two (`<wfpstate>`, then
`<firewallState>`, which netsh writes into one file without a common root).

A dump comes from somebody else's machine. A document type is refused before the parser sees it, so there are no
entities; libxml2's own limits stay on (depth 256, 10 MB a text); nothing is recovered, because recovery hides
truncation. Comments and processing instructions are no data and are left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, NoReturn, cast

from lxml import etree

from tamiz.model.errors import InputError, Place, shorten

MAX_BYTES: Final = 128 << 20  # forty times the largest dump seen
FAR: Final = 65535  # the last line number that libxml2 keeps with an element
MAX_MARKS: Final = 8_000_000  # `<` and `=` in a file: what elements and attributes cost in memory

_BOMS: Final = {b"\xff\xfe": "utf-16-le", b"\xfe\xff": "utf-16-be"}
_UTF8_BOM: Final = b"\xef\xbb\xbf"
_PROLOG: Final = re.compile(rb"(?:\s++|<!--(?>.*?-->)|<\?(?>.*?\?>))*+", re.DOTALL)
_ENCODING: Final = re.compile(rb"<\?xml[^>]*?\sencoding\s*=\s*[\"']([^\"']*)")
_NAME: Final = re.compile(rb"<([A-Za-z]+)(?=[\s/>])")
_SPECIAL: Final = re.compile(rb"<(?:(!\[CDATA\[)|(!--)|(\?)|/wfpstate\s*+>)")
_STATE_END: Final = b"</wfpstate"
_CLOSERS: Final = {1: b"]]>", 2: b"-->", 3: b"?>"}
# in a well-formed document: what is no tag, or (group 1) a start tag of one name
_MARKUP: Final = rb"<(?:!\[CDATA\[.*?\]\]>|!--.*?-->|\?.*?\?>|(%s)(?=[\s/>]))"
_TAIL: Final = re.compile(r", line \d+, column \d+$")


@dataclass(frozen=True, slots=True)
class Part:
    """One root, the bytes that it was parsed from, and how many lines of the file stand before them."""

    root: etree._Element
    data: bytes
    lines_before: int


@dataclass(frozen=True, slots=True)
class Document:
    """A parsed dump. The first part holds the policy; a second one is the `<firewallState>` of a state dump."""

    name: str
    parts: tuple[Part, ...]

    @property
    def root(self) -> etree._Element:
        return self.parts[0].root

    def places(self, elements: Sequence[etree._Element]) -> list[Place]:
        """The lines of `elements`, as libxml2 tells them, and counted where it cannot: it has 16 bits for a line."""
        far = frozenset(element for element in elements if line_of(element) >= FAR)
        counted = {element: line for part in self.parts for element, line in _counted(part, far)} if far else {}
        return [Place(self.name, counted.get(element) or self._near(element)) for element in elements]

    def _near(self, element: etree._Element) -> int:
        root = element.getroottree().getroot()
        before = next((part.lines_before for part in self.parts if part.root is root), 0)
        return before + line_of(element)


def line_of(element: etree._Element) -> int:
    """The line of `element` in its own part, as libxml2 tells it: beyond `FAR` it is that of a text nearby."""
    return cast("int | None", element.sourceline) or 0


def _counted(part: Part, wanted: frozenset[etree._Element]) -> Iterator[tuple[etree._Element, int]]:
    """The lines of those of `wanted` that stand in `part`, from its bytes: the nth tag of a name is the nth element."""
    for name in {element.tag for element in wanted}:
        tags = re.finditer(_MARKUP % re.escape(name.encode()), part.data, re.DOTALL)
        starts = (tag.start() for tag in tags if tag[1])
        line, at = part.lines_before + 1, 0
        for element, start in zip(part.root.iter(name), starts, strict=False):
            if element in wanted:
                line, at = line + part.data.count(b"\n", at, start), start
                yield element, line


def root_name(data: bytes) -> str | None:
    """The name of the first element of `data`, None where no XML element begins it."""
    text = _utf8(data[:_SNIFFED])
    match = None if text is None else _NAME.match(text, _after_prolog(text))
    return None if match is None else match[1].decode()


def first_child(data: bytes) -> str | None:
    """The name of the first element inside the root, None where none follows at once."""
    text = _utf8(data[:_SNIFFED]) or b""
    inside = text.find(b">", _after_prolog(text)) + 1
    match = _NAME.match(text, _PROLOG.match(text, inside).end())  # type: ignore[union-attr]  # it matches nothing too
    return None if match is None else match[1].decode()


_SNIFFED: Final = 4096


def _utf8(data: bytes) -> bytes | None:
    encoding = _BOMS.get(data[:2])
    if encoding is None:
        return data.removeprefix(_UTF8_BOM)
    return data[2:].decode(encoding, "ignore").encode("utf-8", "ignore")


def _after_prolog(data: bytes) -> int:
    match = _PROLOG.match(data)
    return match.end() if match else 0


def parse(data: bytes, name: str) -> Document:
    """The document in `data`; `InputError` for what is not a whole, well-formed dump of one of the two kinds."""
    if len(data) > MAX_BYTES:
        _refuse(name, None, f"{len(data)} bytes", f"at most {MAX_BYTES}")
    text = _decoded(data, name)
    if text.count(b"<") + text.count(b"=") > MAX_MARKS:
        _refuse(name, None, "too many elements and attributes", f"at most {MAX_MARKS}")
    root = _checked_prolog(text, name)
    end = _end_of_state(text) if root == "wfpstate" else None
    if end is None:
        return Document(name, (_part(text, 0, name),))
    first, rest = _part(text[:end], 0, name), text[end:]
    if not rest.strip():
        return Document(name, (first,))
    return Document(name, (first, _second(rest, text.count(b"\n", 0, end), name)))


def _decoded(data: bytes, name: str) -> bytes:
    """UTF-8 without BOM; PowerShell's `>` makes UTF-16 of what netsh prints."""
    encoding = _BOMS.get(data[:2])
    if encoding is None:
        return data.removeprefix(_UTF8_BOM)
    try:
        return data[2:].decode(encoding).encode("utf-8")
    except UnicodeError as error:
        wanted = f"text in {encoding.upper()}, as its first bytes say"
        raise InputError(
            Place(name, offset=2 + getattr(error, "start", 0)), "the dump", "a broken character", wanted
        ) from None


def _checked_prolog(text: bytes, name: str) -> str:
    start = _after_prolog(text)
    line = text.count(b"\n", 0, start) + 1
    if text.startswith(b"<!DOCTYPE", start):
        _refuse(name, line, "a document type (<!DOCTYPE)", "a dump without one, as netsh writes it")
    match = _NAME.match(text, start)
    if match is None or match[1] not in (b"wfpdiag", b"wfpstate"):
        found = shorten(text[start : start + 40].decode("utf-8", "replace")) or "nothing"
        _refuse(name, line, found, "<wfpdiag> (netsh wfp show filters) or <wfpstate> (netsh wfp show state)")
    return match[1].decode()


def _end_of_state(text: bytes) -> int | None:
    """The offset behind `</wfpstate>`, which is no end inside CDATA, a comment or an instruction."""
    at = text.find(_STATE_END)
    if at < 0 or text.find(_STATE_END, at + 1) < 0:
        match = _SPECIAL.match(text, at) if at >= 0 else None
        return match.end() if match else None
    at = 0
    while match := _SPECIAL.search(text, at):
        kind = match.lastindex
        if kind is None:
            return match.end()
        at = text.find(_CLOSERS[kind], match.end())
        if at < 0:
            return None
    return None


def _second(rest: bytes, lines_before: int, name: str) -> Part:
    """What stands after `</wfpstate>`: `<firewallState>` and nothing else."""
    start = _after_prolog(rest)
    match = _NAME.match(rest, start)
    if match is None or match[1] != b"firewallState":
        found = shorten(rest[start : start + 40].decode("utf-8", "replace")) or "a comment"
        line = lines_before + rest.count(b"\n", 0, start) + 1
        _refuse(name, line, f"{found!r} after </wfpstate>", "<firewallState> or the end of the file")
    lead = len(rest) - len(rest.lstrip())
    return _part(rest[lead:], lines_before + rest.count(b"\n", 0, lead), name)


def _part(text: bytes, lines_before: int, name: str) -> Part:
    declared = _ENCODING.match(text)
    if declared and declared[1].lower() not in (b"utf-8", b"utf8", b"utf-16"):
        _refuse(name, lines_before + 1, f"encoding {shorten(declared[1].decode('latin-1'))}", "UTF-8")
    try:
        return Part(etree.fromstring(text, _parser(text)), text, lines_before)
    except etree.XMLSyntaxError as error:
        found = shorten(_TAIL.sub("", error.msg or "something that is not XML"), 120)
        _refuse(name, lines_before + (error.lineno or 1), found, "a whole, well-formed dump")


def _parser(text: bytes) -> etree.XMLParser:
    return etree.XMLParser(
        encoding="utf-8",
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        dtd_validation=False,
        huge_tree=False,
        recover=False,
        remove_comments=True,
        remove_pis=True,
        remove_blank_text=not _blank_before_cdata(text),
    )


def _blank_before_cdata(text: bytes) -> bool:
    """Whether white space stands before a CDATA section: then it may belong to a name, and no blank may be removed."""
    at = text.find(b"<![CDATA[")
    while at >= 0:
        if text[at - 1] in b" \t\r\n":
            return True
        at = text.find(b"<![CDATA[", at + 9)
    return False


def _refuse(name: str, line: int | None, found: str, wanted: str) -> NoReturn:
    raise InputError(Place(name, line), "the dump", found, wanted)
