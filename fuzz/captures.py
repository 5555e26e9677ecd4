"""Capture files: every record lies within the file, and how the bytes arrive changes nothing."""

from __future__ import annotations

import gzip
import io
import struct

from tamiz.model.errors import InputError
from tamiz.sources.capture import Record, open_capture

ALLOWED: tuple[type[Exception], ...] = (InputError,)
TOKENS = (
    b"\x0a\x0d\x0d\x0a",
    b"\xa1\xb2\xc3\xd4",
    b"\x4d\x3c\xb2\xa1",
    b"\x1a\x2b\x3c\x4d",
    b"\x4d\x3c\x2b\x1a",
    *(struct.pack(order + "II", kind, 32) for kind in (1, 2, 3, 6) for order in "<>"),
)

# Good inputs --------------------------------------------------------------------------------------


def pcap(order: str = "<", magic: int = 0xA1B2C3D4, linktype: int = 101) -> bytes:
    """Three records of 20, 0 and 5 bytes, the last cut from 40."""
    head = struct.pack(order + "IHHiIII", magic, 2, 4, 0, 0, 65535, linktype)
    extra = struct.pack(order + "IHBB", 2, 0x800, 4, 0) if magic == 0xA1B2CD34 else b""
    sizes = ((20, 20), (0, 0), (5, 40))
    return head + b"".join(
        struct.pack(order + "IIII", 1_600_000_000 + n, n, size, original) + extra + bytes(size)
        for n, (size, original) in enumerate(sizes)
    )


def block(order: str, kind: int, body: bytes) -> bytes:
    """One pcapng block: the body is padded, the lengths are made."""
    body += bytes(-len(body) % 4)
    return struct.pack(order + "II", kind, len(body) + 12) + body + struct.pack(order + "I", len(body) + 12)


def option(order: str, code: int, value: bytes) -> bytes:
    return struct.pack(order + "HH", code, len(value)) + value + bytes(-len(value) % 4)


def pcapng(order: str = "<") -> bytes:
    """One section: two interfaces with different clocks, every packet block, a name block, a custom block."""
    end = struct.pack(order + "HH", 0, 0)
    names = option(order, 2, b"eth0") + option(order, 9, b"\x09") + option(order, 14, struct.pack(order + "q", 7))
    flags = option(order, 2, struct.pack(order + "I", 2)) + end
    data = b"\x45" + bytes(20)
    return b"".join(
        (
            block(order, 0x0A0D0D0A, struct.pack(order + "IHHq", 0x1A2B3C4D, 1, 0, -1)),
            block(order, 1, struct.pack(order + "HHI", 1, 0, 0) + names + end),
            block(order, 1, struct.pack(order + "HHI", 101, 0, 16) + option(order, 9, b"\x94") + end),
            block(order, 6, struct.pack(order + "IIIII", 0, 1, 2, 21, 21) + data + bytes(3) + flags),
            block(order, 6, struct.pack(order + "IIIII", 1, 0, 99, 21, 60) + data),
            block(order, 4, bytes(8)),
            block(order, 2, struct.pack(order + "HHIIII", 1, 0, 0, 100, 21, 21) + data),
            block(order, 3, struct.pack(order + "I", 21) + data),
            block(order, 0xBAD, bytes(16)),
        )
    )


def seeds() -> list[bytes]:
    magics = (0xA1B2C3D4, 0xA1B23C4D, 0xA1B2CD34)
    classic = [pcap(order, magic) for order in "<>" for magic in magics]
    sections = [pcapng("<"), pcapng(">"), pcapng("<") + pcapng(">")]
    return [*classic, *sections, gzip.compress(pcap(), mtime=0), gzip.compress(pcapng(), mtime=0)]


# Promises -----------------------------------------------------------------------------------------


class Drip(io.BytesIO):
    """A stream that gives a few bytes at a time, as a pipe may."""

    def __init__(self, data: bytes, most: int) -> None:
        super().__init__(data)
        self._most = most

    def read(self, size: int | None = -1, /) -> bytes:
        return super().read(self._most if size is None or size < 0 else min(size, self._most))


def read(stream: io.BytesIO) -> tuple[list[Record], str]:
    """The records, and what ended them: nothing, a cut, or a refusal."""
    given: list[Record] = []
    try:
        with open_capture(stream, "it") as capture:
            given.extend(capture)
            return given, capture.truncated or ""
    except InputError as refusal:
        return given, str(refusal)


def target(data: bytes) -> None:
    records, ending = read(io.BytesIO(data))
    zipped = data[:2] == b"\x1f\x8b"  # what comes before damage in deflated data depends on the pieces asked for
    if len(data) < 4096 and not zipped:
        assert read(Drip(data, 7)) == (records, ending)
    offset = -1
    for number, record in enumerate(records, 1):
        assert record.number == number and record.offset > offset
        offset = record.offset
    if not zipped:
        assert sum(len(record.data) for record in records) <= len(data)
    with open_capture(io.BytesIO(data), "it") as capture:
        for record in capture:
            assert 0 <= record.interface < len(capture.interfaces)
