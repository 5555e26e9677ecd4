"""TOML text to values, with the line of every key and list item.

Input: the bytes of a TOML file. Output: a `Document`: what `tomllib` makes of them, and an index from each path
(`("filter", 2, "conditions", "app")`) to its line.

Why not one parser: `tomllib` is strict and exact but tells no places; `tomlkit` keeps the text of every item but not
its line either, and took 20 times as long as `tomllib` on the example policy, 14 times as long as this module. So
`tomllib` decides what the file means, and `_Indexer` walks the same text once, token by token, without recursion, and
notes lines. It knows only where keys, strings and brackets are.
A property test holds the two together: for any document the index has exactly the paths of the values.

The walk comes first, because it also refuses what would make a parser slow or deep: brackets and dotted keys nested
further than `MAX_DEPTH`. Text that it cannot follow is not TOML; `tomllib` then only gets to say why.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from tamiz.model.errors import InputError, Place, shorten

MAX_DEPTH: Final = 32
MAX_BARE: Final = 1000  # characters of a number, date or truth value; Python refuses numbers beyond 4300 digits
MAX_BYTES: Final = 8 << 20

Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Document:
    """A TOML file: `values` as `tomllib` gives them, `lines` by path."""

    name: str
    values: Mapping[str, Any]
    lines: Mapping[Path, int]

    def place(self, path: Path) -> Place:
        """Where `path` stands, else its nearest parent that is in the text."""
        while path and path not in self.lines:
            path = path[:-1]
        return Place(self.name, self.lines.get(path, 1))


def read_document(data: bytes, name: str) -> Document:
    """The values and lines of the TOML file `data`; `InputError` for anything that is not TOML 1.0."""
    text = _decode(data, name)
    indexer = _Indexer(text, name)
    indexer.walk()
    values = _parse(text if indexer.complete else indexer.understood(), name, indexer)
    return Document(name, values, indexer.lines)


def _decode(data: bytes, name: str) -> str:
    if len(data) > MAX_BYTES:
        raise InputError(name, "the file", f"{len(data)} bytes", f"at most {MAX_BYTES}")
    try:
        return data.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        place = Place(name, data.count(b"\n", 0, error.start) + 1)
        found = f"byte {data[error.start]:#04x} at offset {error.start}"
        raise InputError(place, "the text", found, "UTF-8") from None


def _parse(text: str, name: str, indexer: _Indexer) -> dict[str, Any]:
    try:
        values = tomllib.loads(text)
    except RecursionError:
        raise InputError(name, "the text", "deep nesting", f"at most {MAX_DEPTH} levels") from None
    except ValueError as error:
        raise _refusal(str(error), name, indexer) from None
    if not indexer.complete:
        place = Place(name, indexer.line)
        raise InputError(place, "the text", "something that is not TOML", "TOML 1.0")
    return values


_AT = re.compile(r"^(?P<what>.*?) \(at (line (?P<line>\d+), column \d+|end of document)\)$", re.DOTALL)


def _refusal(message: str, name: str, indexer: _Indexer) -> InputError:
    """tomllib's error with its line, and the key where one stands twice."""
    match = _AT.match(message)
    what = match["what"] if match else message
    line = int(match["line"]) if match and match["line"] else indexer.line
    if indexer.repeated is not None and indexer.repeated[1] <= line:
        path, second, first = indexer.repeated
        found = f"it a second time, first in line {first}"
        return InputError(Place(name, second), f"key '{dotted(path)}'", found, "each key once")
    return InputError(Place(name, line), "the text", shorten(what[:1].lower() + what[1:], 120), "TOML 1.0")


def dotted(path: Path) -> str:
    """A path as it is written, without the positions in lists: `conditions.remote-port`."""
    return ".".join(shorten(part, 40) for part in path if isinstance(part, str))


# -- the walk --------------------------------------------------------------------------------------------------------

_SPACE = re.compile(r"[ \t]*")
_BLANK = re.compile(r"(?:[ \t\n]|#[^\n]*)*")
_LINE_END = re.compile(r"[ \t]*(?:#[^\n]*)?(?:\n|\Z)")
_KEY = re.compile(r"""[A-Za-z0-9_-]+|"(?:\\.|[^"\\\n])*"|'[^'\n]*'""")
_STRING = re.compile(
    r'''"""(?:\\.|[^\\])*?"""(?:""|")?|\'\'\'.*?\'\'\'(?:\'\'|\')?|"(?:\\.|[^"\\\n])*"|'[^'\n]*\'''',
    re.DOTALL,
)
_BARE = re.compile(r"[^,\[\]{}#\n\"'=]+")


class _Stop(Exception):
    """The text cannot be followed from here."""


class _Indexer:
    """One walk over the text. `lines`: path -> line; `complete`: whether it reached the end."""

    def __init__(self, text: str, name: str) -> None:
        self.text, self.name = text, name
        self.at, self.line, self._counted = 0, 1, 0
        self.lines: dict[Path, int] = {}
        self.complete = False
        self.repeated: tuple[Path, int, int] | None = None
        self._assigned: set[Path] = set()
        self._tables: dict[Path, int] = {}  # arrays of tables: how many so far
        self._table: Path = ()

    def walk(self) -> None:
        """Note every line; `InputError` for nesting beyond `MAX_DEPTH`."""
        try:
            while self._skip(_BLANK) < len(self.text):
                self._statement()
            self.complete = True
        except _Stop:
            self._count()

    def understood(self) -> str:
        """The text up to the end of the line in which the walk stopped."""
        end = self.text.find("\n", self.at)
        return self.text if end < 0 else self.text[:end]

    # statements

    def _statement(self) -> None:
        if self.text.startswith("[[", self.at):
            self._header(2)
        elif self.text[self.at] == "[":
            self._header(1)
        else:
            self._value(self._assignment(self._table))
        self._expect(_LINE_END)

    def _header(self, brackets: int) -> None:
        self.at += brackets
        keys = self._keys()
        self._literal("]" * brackets)
        path: Path = ()
        for key in keys[:-1]:
            path = self._last((*path, key))
            self.lines.setdefault(path, self._count())
        path = (*path, keys[-1])
        if brackets == 1:
            path = self._last(path)
            self.lines.setdefault(path, self._count())
        else:
            self.lines.setdefault(path, self._count())
            self._tables[path] = self._tables.get(path, 0) + 1
            path = self._last(path)
            self.lines[path] = self.line
        self._table = path

    def _last(self, path: Path) -> Path:
        """The newest element, where `path` is an array of tables."""
        return (*path, self._tables[path] - 1) if path in self._tables else path

    def _assignment(self, base: Path) -> Path:
        """`key =`: the path that it assigns, noted."""
        path = base
        for key in self._keys():
            path = (*path, key)
            last, line = path, self._count()
            first = self.lines.setdefault(path, line)
        if first != line or last in self._assigned:
            self.repeated = self.repeated or (last, line, first)
        self._assigned.add(last)
        self._literal("=")
        self._skip(_SPACE)
        return path

    # keys and values

    def _keys(self) -> list[str]:
        keys = [self._key()]
        while self._skip(_SPACE) < len(self.text) and self.text[self.at] == ".":
            self.at += 1
            keys.append(self._key())
            if len(keys) > MAX_DEPTH:
                self._too_deep()
        return keys

    def _key(self) -> str:
        self._skip(_SPACE)
        raw = self._expect(_KEY)
        if raw[0] not in "\"'":
            return raw
        if "\\" not in raw or raw[0] == "'":
            return raw[1:-1]
        try:
            return next(iter(tomllib.loads(f"{raw} = 0")))
        except ValueError:
            raise _Stop from None

    def _value(self, path: Path) -> None:
        """One value and all that is inside it; `open` holds the lists and inline tables not yet closed."""
        stack: list[tuple[str, Path, int]] = []
        while True:
            opened = self._scalar_or_open(path)
            if opened:
                stack.append((opened, path, -1))
                if len(stack) > MAX_DEPTH:
                    self._too_deep()
            following = self._next(stack, fresh=bool(opened))
            if following is None:
                return
            path = following

    def _scalar_or_open(self, path: Path) -> str:
        """Pass a scalar and give "", or pass an opening bracket and give it."""
        character = self.text[self.at : self.at + 1]
        if character and character in "[{":
            self.at += 1
            return character
        if character and character in "\"'":
            self._expect(_STRING)
        elif len(self._expect(_BARE)) > MAX_BARE:
            place = Place(self.name, self._count())
            raise InputError(place, "the text", f"a value of more than {MAX_BARE} characters", "TOML 1.0")
        return ""

    def _next(self, stack: list[tuple[str, Path, int]], fresh: bool) -> Path | None:
        """Close what closes after a value; the path of the next value, None at the end of the outermost one."""
        while stack:
            kind, path, index = stack[-1]
            blank = _BLANK if kind == "[" else _SPACE
            closing = "]" if kind == "[" else "}"
            self._skip(blank)
            if not fresh and self.text.startswith(",", self.at):
                self.at += 1
                self._skip(blank)
                fresh = True
            if self.text.startswith(closing, self.at):
                self.at += 1
                stack.pop()
                fresh = False
                continue
            if not fresh:
                raise _Stop
            if kind == "{":
                return self._assignment(path)
            stack[-1] = (kind, path, index + 1)
            item = (*path, index + 1)
            self.lines[item] = self._count()
            return item
        return None

    # the text

    def _skip(self, pattern: re.Pattern[str]) -> int:
        match = pattern.match(self.text, self.at)
        self.at = match.end() if match else self.at
        return self.at

    def _expect(self, pattern: re.Pattern[str]) -> str:
        match = pattern.match(self.text, self.at)
        if match is None:
            raise _Stop
        self.at = match.end()
        return match[0]

    def _literal(self, wanted: str) -> None:
        self._skip(_SPACE)
        if not self.text.startswith(wanted, self.at):
            raise _Stop
        self.at += len(wanted)

    def _count(self) -> int:
        """The line of where we are; each newline is counted once."""
        self.line += self.text.count("\n", self._counted, self.at)
        self._counted = self.at
        return self.line

    def _too_deep(self) -> None:
        place = Place(self.name, self._count())
        raise InputError(place, "the text", f"more than {MAX_DEPTH} levels of nesting", f"at most {MAX_DEPTH}")
