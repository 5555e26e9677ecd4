"""What the readers of both capture formats share: the record, the bytes behind it, what a reading leaves behind."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from tamiz.model.errors import InputError, Place, shorten
from tamiz.wire.link import Sent

PIECE = 1 << 18  # bytes asked for at once
MAX_PACKET = 1 << 18  # bytes; what libpcap and Wireshark accept for network packets
BILLION = 10**9


class Record(NamedTuple):
    """One captured frame. A tuple, because millions are made.

    `number` counts from 1, `time_ns` from 1970, in nanoseconds; `interface` is an index into the capture's
    interfaces. `data` is what was captured of `original_length` bytes; `offset` is where the record begins in the
    file. `sent` is what the file itself says about the direction.
    """

    number: int
    time_ns: int
    linktype: int
    interface: int
    data: bytes
    original_length: int
    offset: int
    sent: Sent = Sent.UNKNOWN


@dataclass(frozen=True, slots=True)
class Interface:
    """An interface of the capturing host. `snaplen` is in bytes, 0 for no limit; names are "" where not given."""

    linktype: int
    snaplen: int = 0
    name: str = ""
    description: str = ""


@dataclass(slots=True)
class State:
    """What a reading leaves behind, see `Capture`."""

    interfaces: list[Interface] = field(default_factory=list)
    truncated: str | None = None
    untimed: int = 0


class Source:
    """A stream with a buffer: `buffer[position:]` are the next bytes, `base` is the offset of `buffer[0]`.

    `ends` are the exceptions of `read` that mean "the file was cut", `breaks` those that mean "the file is broken".
    """

    def __init__(
        self,
        read: Callable[[int], bytes | None],
        file: str,
        ends: tuple[type[Exception], ...] = (),
        breaks: tuple[type[Exception], ...] = (OSError,),
    ) -> None:
        self.file, self.buffer, self.position, self.base = file, b"", 0, 0
        self._read, self._ends, self._breaks, self._cut = read, ends, breaks, False

    @property
    def offset(self) -> int:
        """Where the next byte stands in the file."""
        return self.base + self.position

    def grow(self) -> bool:
        """Drops what was read and adds a piece; False at the end of the file."""
        self.base += self.position
        self.buffer = self.buffer[self.position :]
        self.position = 0
        piece = self._piece()
        self.buffer += piece
        return bool(piece)

    def _piece(self) -> bytes:
        try:
            return self._read(PIECE) or b""
        except self._ends:
            self._cut = True
            return b""
        except self._breaks as error:
            end = self.base + len(self.buffer)
            raise self.error(end, "the file", shorten(error), "bytes that can be read") from error

    def peek(self, size: int) -> bytes:
        """The next `size` bytes, or as many as there are."""
        while len(self.buffer) - self.position < size and self.grow():
            pass
        return self.buffer[self.position : self.position + size]

    def take(self, size: int) -> bytes:
        """Up to `size` bytes, none only at the end of the file."""
        if self.position == len(self.buffer):
            self.grow()
        taken = self.buffer[self.position : self.position + size]
        self.position += len(taken)
        return taken

    def skip(self, size: int) -> bool:
        """Passes over `size` bytes without holding them; False where the file ends before."""
        while size > (held := len(self.buffer) - self.position):
            size -= held
            self.position = len(self.buffer)
            if not self.grow():
                return False
        self.position += size
        return True

    def error(self, offset: int, subject: str, found: str, wanted: str) -> InputError:
        return InputError(Place(self.file, offset=offset), subject, found, wanted)

    def between(self) -> str | None:
        """What to say of a file that ends between two records: nothing, unless compressed data were cut there."""
        if not self._cut:
            return None
        return f"{self.file}: the compressed file is cut: it ends at byte {self.offset} of what it holds"

    def ending(self, what: str, offset: int, wanted: int) -> str:
        """The sentence for a file that ends within `what`, which begins at `offset` and wants so many bytes."""
        there = self.base + len(self.buffer) - offset
        return (
            f"{self.file}: the file ends at byte {offset + there}, within the {what} that begins at byte {offset}: "
            f"found {there} of {wanted} bytes"
        )
