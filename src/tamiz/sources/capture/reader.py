"""Capture files, classic pcap and pcapng, gzipped or not: one iterator over their packets, in constant memory.

    with open_capture("boot.pcapng") as capture:
        for record in capture:
            ...
        if capture.truncated:
            warn(capture.truncated)

The format is told by the first bytes. A file that ends within a record is no error: what came before it was given,
and `truncated` says where it ends. Everything else that breaks the format is an `InputError` with its offset, which
counts decompressed bytes.
"""

from __future__ import annotations

import gzip
import io
import os
import zlib
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

from tamiz.model.errors import InputError, Place

from . import pcap, pcapng
from .stream import Interface, Record, Source, State

__all__ = ["Capture", "Interface", "Record", "open_capture"]

_GZIP = b"\x1f\x8b"

# First bytes of what people take for a capture -> its name.
_OTHERS = {
    b"GMBU": "a Microsoft Network Monitor capture",
    b"RTSS": "a Microsoft Network Monitor 1 capture",
    b"snoop\0": "a snoop capture",
    b"XCP\0": "a NetXray capture",
    b"\x28\xb5\x2f\xfd": "data compressed with zstd",
    b"\x04\x22\x4d\x18": "data compressed with lz4",
    b"PK\x03\x04": "a zip archive",
    b"MSCF": "a cabinet archive",
    b"<?xml": "an XML file",
}
_SNIFFED = 8  # bytes


class Capture:
    """The records of one capture, once. Close it, or use it in a `with`.

    `format` is "pcap" or "pcapng". After the iteration, `truncated` is None or a sentence, and `untimed` counts the
    records whose block had no time (they got the time of the record before). `interfaces` grows as the file names
    them, over all sections; a record's `interface` is an index into it.
    """

    def __init__(self, source: Source, stream: io.FileIO | None = None) -> None:
        self._source, self._stream, self._state = source, stream, State()
        head = source.peek(_SNIFFED)
        if head[:4] == pcapng.MAGIC:
            self.format, self._records = "pcapng", pcapng.records(source, self._state)
        elif head[:4] in pcap.KINDS:
            self.format, self._records = "pcap", pcap.records(source, self._state)
        else:
            raise source.error(0, "the capture", _found(head), "a pcap or pcapng file")

    @property
    def file(self) -> str:
        """The name for messages."""
        return self._source.file

    @property
    def truncated(self) -> str | None:
        return self._state.truncated

    @property
    def untimed(self) -> int:
        return self._state.untimed

    @property
    def interfaces(self) -> list[Interface]:
        return self._state.interfaces

    def __iter__(self) -> Iterator[Record]:
        """The records in file order. `InputError`: a length, a block or a checksum that cannot be."""
        return self._records

    def close(self) -> None:
        """Closes the file, if `open_capture` opened it."""
        self._records.close()
        if self._stream is not None:
            self._stream.close()

    def __enter__(self) -> Capture:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def open_capture(file: str | os.PathLike[str] | BinaryIO, name: str | None = None) -> Capture:
    """The capture in `file`: a path, or a binary stream that need not be seekable and stays open.

    `name` stands for the file in messages. `InputError`: the file cannot be read, or is no capture.
    """
    if not isinstance(file, str | os.PathLike):
        label = name or str(getattr(file, "name", "the stream"))
        return Capture(_source(file, label))
    label = name or os.fspath(file)
    try:
        stream = Path(file).open("rb", buffering=0)  # noqa: SIM115  (Capture closes it)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError(Place(label), "the capture", reason.lower(), "a file that can be read") from error
    try:
        return Capture(_source(stream, label), stream)
    except BaseException:
        stream.close()
        raise


def _source(stream: BinaryIO | io.FileIO, label: str) -> Source:
    source = Source(stream.read, label)
    if source.peek(2) != _GZIP:
        return source
    unzipped = gzip.GzipFile(fileobj=_Rest(source), mode="rb")  # type: ignore[call-overload]
    return Source(unzipped.read1, label, (EOFError,), (OSError, zlib.error))


class _Rest:
    """What a source still has, as a file that can only be read."""

    def __init__(self, source: Source) -> None:
        self._source = source

    def read(self, size: int) -> bytes:
        return self._source.take(size)


def _found(head: bytes) -> str:
    if not head:
        return "an empty file"
    for magic, name in _OTHERS.items():
        if head.removeprefix(b"\xef\xbb\xbf").startswith(magic):
            return name
    return f"the bytes {head[:4].hex(' ')}"
