"""One table of a policy file, read key by key, so that every error has its place, object, key, value and wish.

`Spot` is a place in the document with the object that it belongs to; `Table` reads the keys of one table by type and
refuses those that nobody asked for.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from tamiz.formats.toml.lines import Document, Path, dotted
from tamiz.formats.toml.names import nearest
from tamiz.model.errors import InputError, PolicyError, shorten


@dataclass(frozen=True, slots=True)
class Spot:
    """A value's path in the document, and the object it belongs to: `subject` "filter 'dns'", whose path is `base`."""

    document: Document
    path: Path
    subject: str
    base: Path

    def down(self, key: str | int) -> Spot:
        return Spot(self.document, (*self.path, key), self.subject, self.base)

    def error(self, found: str, wanted: str, code: str | None = None) -> InputError:
        """The error to raise for what stands here."""
        key = dotted(self.path[len(self.base) :])
        subject = f"{self.subject}, key '{key}'" if key else self.subject
        return InputError(self.document.place(self.path), subject, found, wanted, code)

    def refused(self, error: PolicyError) -> InputError:
        """The error for an object that Windows would refuse."""
        return self.error(error.found, error.wanted, error.code)


class Table:
    """A table's keys. Each getter marks its key as known; `done` refuses the others."""

    def __init__(self, spot: Spot, values: Any) -> None:
        if not isinstance(values, dict):
            raise spot.error(shown(values), "a table")
        self.spot, self._values = spot, values
        self._known: dict[str, None] = {}

    def get(self, key: str) -> Any:
        """The value of `key` as TOML has it, None where it is absent."""
        self._known[key] = None
        return self._values.get(key)

    def text(self, key: str) -> str | None:
        text: str | None = self._typed(key, str, "a string")
        return text

    def flag(self, key: str) -> bool:
        return bool(self._typed(key, bool, "true or false"))

    def number(self, key: str, low: int, high: int, code: str | None = None) -> int | None:
        """A whole number from `low` to `high`, also as a string such as "0xFFFF"."""
        value = self.get(key)
        if value is None:
            return None
        number = whole(value)
        if number is None or not low <= number <= high:
            raise self.spot.down(key).error(shown(value), f"a number from {low} to {high}", code)
        return number

    def hexadecimal(self, key: str) -> bytes | None:
        text = self.text(key)
        if text is None:
            return None
        found = from_hex(text)
        if found is None:
            raise self.spot.down(key).error(shown(text), "bytes as hexadecimal digits, such as '00ff'")
        return found

    def names(self, key: str) -> tuple[tuple[str, Spot], ...]:
        """A string or a list of strings, each with its place."""
        value = self.get(key)
        items = value if isinstance(value, list) else [] if value is None else [value]
        spots = [
            self.spot.down(key).down(n) if isinstance(value, list) else self.spot.down(key) for n in range(len(items))
        ]
        for item, spot in zip(items, spots, strict=True):
            if not isinstance(item, str):
                raise spot.error(shown(item), "a string")
        return tuple(zip(items, spots, strict=True))

    def items(self) -> Iterable[tuple[str, Any]]:
        return self._values.items()

    def done(self) -> None:
        """Refuse the first key that no getter asked for."""
        for key in self._values:
            if key not in self._known:
                wanted = nearest(key, sorted(self._known), "one of its keys")
                raise self.spot.down(key).error(f"an unknown key '{shorten(key)}'", wanted)

    def _typed(self, key: str, kind: type, wanted: str) -> Any:
        value = self.get(key)
        if value is not None and type(value) is not kind:
            raise self.spot.down(key).error(shown(value), wanted)
        return value


def whole(value: object) -> int | None:
    """A whole number, or a string that holds one (decimal or 0x...); None for anything else."""
    if type(value) is int:
        return value
    if not isinstance(value, str) or len(value) > 40 or not value.isascii():
        return None
    try:
        return int(value, 16 if value[:2] in ("0x", "0X") else 10)
    except ValueError:
        return None


def from_hex(text: str) -> bytes | None:
    try:
        return bytes.fromhex(text)
    except ValueError:
        return None


def shown(value: object) -> str:
    """A value of a TOML file as a message shows it; never walks into it."""
    if isinstance(value, dict):
        keys = ", ".join(shorten(key, 20) for key in list(value)[:3])
        return f"a table with {keys}" if keys else "an empty table"
    if isinstance(value, list):
        return f"a list of {len(value)}"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return f"'{shorten(value)}'"
    if isinstance(value, int):
        return str(value) if value.bit_length() <= 64 else "a number beyond 64 bits"
    return shorten(value)
