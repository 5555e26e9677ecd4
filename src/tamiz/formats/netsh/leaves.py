"""Elements of a netsh dump that hold text and nothing else: names, numbers, addresses, bytes.

Numbers are ASCII decimals without sign or blanks, as netsh prints them; Python would read more than that.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from typing import Final, NoReturn, TypeVar

from tamiz.formats.netsh.complaints import Complaints, Element
from tamiz.model.sids import Sid

E = TypeVar("E")
_DOTTED: Final = re.compile(r"[0-9]{1,3}(\.[0-9]{1,3}){3}")
_DECIMAL: Final = re.compile(r"[0-9]{1,20}")
_INTEGER: Final = re.compile(r"-?[0-9]{1,20}")
_REAL: Final = re.compile(r"[-+]?[0-9]{1,40}(\.[0-9]{0,40})?([eE][-+]?[0-9]{1,3})?")
_MAC: Final = re.compile(r"[0-9A-Fa-f]{2}([:-]?[0-9A-Fa-f]{2}){5}")


class Leaves(Complaints):
    """Readers of one element each; `InputError` where its text is not of the kind."""

    def text(self, element: Element) -> str:
        """The text of an element that holds nothing else."""
        if len(element):
            self.fail(element, f"<{element[0].tag}> in <{element.tag}>", "text")
        return element.text or ""

    def word(self, element: Element, table: Mapping[str, E], code: str | None = None) -> E:
        """One of the names in `table`."""
        text = self.text(element)
        if text not in table:
            wanted = f"one of {', '.join(list(table)[:4])}, ..."
            self.fail(element, f"{text!r} in <{element.tag}>", wanted, code)
        return table[text]

    def number(self, element: Element, bits: int) -> int:
        """A number of at most `bits` bits."""
        text = self.text(element)
        number = int(text) if _DECIMAL.fullmatch(text) else -1
        if number >> bits:
            self._wrong(element, f"a number from 0 to {(1 << bits) - 1}")
        return number

    def unsigned(self, element: Element, bits: int) -> int:
        """A number; one of 32 bits may stand as an IPv4 address, which is host order."""
        if bits == 32 and "." in (element.text or ""):
            return self.v4(element)
        return self.number(element, bits)

    def signed(self, element: Element, bits: int) -> int:
        text, limit = self.text(element), 1 << (bits - 1)
        if not _INTEGER.fullmatch(text) or not -limit <= int(text) < limit:
            self._wrong(element, f"a number from {-limit} to {limit - 1}")
        return int(text)

    def real(self, element: Element) -> float:
        text = self.text(element)
        if not _REAL.fullmatch(text):
            self._wrong(element, "a floating-point number")
        return float(text)

    def v4(self, element: Element) -> int:
        text = self.text(element)
        parts = [int(part) for part in text.split(".")] if _DOTTED.fullmatch(text) else [256]
        if max(parts) > 255:
            self._wrong(element, "an IPv4 address")
        return int.from_bytes(bytes(parts), "big")

    def v6(self, element: Element) -> bytes:
        try:
            address = ipaddress.IPv6Address(self.text(element))
        except ValueError:
            self._wrong(element, "an IPv6 address")
        if address.scope_id is not None:
            self._wrong(element, "an IPv6 address without a scope")
        return address.packed

    def address(self, element: Element, version: int) -> bytes:
        """An address of IP version 4 or 6, packed."""
        return self.v4(element).to_bytes(4, "big") if version == 4 else self.v6(element)

    def mac(self, element: Element) -> bytes:
        text = self.text(element)
        if not _MAC.fullmatch(text):
            self._wrong(element, "a MAC address")
        return bytes.fromhex(text.replace(":", "").replace("-", ""))

    def sid(self, element: Element) -> Sid:
        try:
            return Sid.parse(self.text(element))
        except ValueError:
            self._wrong(element, "a SID of the form S-1-...")

    def hex(self, element: Element) -> bytes:
        text = self.text(element)
        try:
            found = bytes.fromhex(text)
        except ValueError:
            found = b""
        if len(found) * 2 != len(text):
            self.fail(element, f"{text!r} in <{element.tag}>", "pairs of hexadecimal digits")
        return found

    def _wrong(self, element: Element, wanted: str) -> NoReturn:
        self.fail(element, f"{element.text or ''!r} in <{element.tag}>", wanted)
