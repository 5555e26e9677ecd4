"""The few exceptions, divided by who must act.

`InputError`: the person who wrote, or sent, a file. `PolicyError`: the author of a policy, where Windows itself
would refuse the object; it carries the FWP_E_* code. `EnvironmentLacks`: whoever runs the machine. Anything else
that escapes is a fault of tamiz. "Unknown" is never an exception: it is data (see `tamiz.model.facts`).
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Place:
    """Where in an input something stands: a file and a line (text), or a byte offset (captures), or neither."""

    file: str
    line: int | None = None
    offset: int | None = None

    def __str__(self) -> str:
        if self.line is not None:
            return f"{self.file}:{self.line}"
        if self.offset is not None:
            return f"{self.file}: at byte {self.offset}"
        return self.file


class TamizError(Exception):
    """The root of what tamiz raises on purpose."""


class InputError(TamizError):
    """An input cannot be read (exit code 3).

    `place` says where, `subject` which object ("filter 'tunnel server'", "the capture"), `found` and `wanted` the
    two values that differ, `code` the FWP_E_* name that Windows would give where the policy itself is wrong.
    """

    def __init__(self, place: Place | str, subject: str, found: str, wanted: str, code: str | None = None) -> None:
        self.place = Place(place) if isinstance(place, str) else place
        self.subject, self.found, self.wanted, self.code = subject, found, wanted, code
        super().__init__(str(self))

    def __str__(self) -> str:
        tail = f" ({self.code})" if self.code else ""
        return f"{self.place}: {self.subject}: found {self.found}, wanted {self.wanted}{tail}"


class PolicyError(TamizError):
    """Windows would refuse this object on add: `code` is the FWP_E_* name (spec objects.md 7, conditions.md 2.1)."""

    def __init__(self, code: str, subject: str, found: str, wanted: str) -> None:
        self.code, self.subject, self.found, self.wanted = code, subject, found, wanted
        super().__init__(f"{subject}: found {found}, wanted {wanted} ({code})")


class EnvironmentLacks(TamizError):
    """This machine lacks a privilege, a tool or a kernel feature (exit code 4)."""


def shorten(value: object, limit: int = 60) -> str:
    """`value` as it may stand in a message: printable, on one line, at most `limit` characters."""
    text = "".join(ch if ch.isprintable() else "?" for ch in str(value))
    return text if len(text) <= limit else text[: limit - 3] + "..."
