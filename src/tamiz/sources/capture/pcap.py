"""Classic pcap files: a header of 24 bytes, then records.

header: magic, version 2.4, zone, accuracy, snaplen, link type; each record: seconds, fraction, captured length,
original length, data. The magic tells byte order and unit. The magic of Kuznetzov's modified format adds eight bytes to
each record: interface index, protocol, packet type, padding.

Source: draft-ietf-opsawg-pcap; the modified format from the kernel patches that wrote it.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Generator
from typing import NamedTuple

from tamiz.wire.link import SLL_SENT, Sent

from .stream import BILLION, MAX_PACKET, Interface, Record, Source, State

FILE_HEADER, RECORD_HEADER, MODIFIED_HEADER = 24, 16, 24
PACKET_TYPE = 22  # byte of a modified record
_LINKTYPE = 0x03FFFFFF  # the bits above tell of frame check sequences


class _Kind(NamedTuple):
    order: str
    fraction_ns: int  # nanoseconds in one unit of the fraction
    modified: bool = False


# The first four bytes, as they stand in the file.
KINDS = {
    b"\xa1\xb2\xc3\xd4": _Kind(">", 1000),
    b"\xd4\xc3\xb2\xa1": _Kind("<", 1000),
    b"\xa1\xb2\x3c\x4d": _Kind(">", 1),
    b"\x4d\x3c\xb2\xa1": _Kind("<", 1),
    b"\xa1\xb2\xcd\x34": _Kind(">", 1000, modified=True),
    b"\x34\xcd\xb2\xa1": _Kind("<", 1000, modified=True),
}


def records(source: Source, state: State) -> Generator[Record, None, None]:
    """The records, `source` standing at the magic."""
    head = source.peek(FILE_HEADER)
    if len(head) < FILE_HEADER:
        raise source.error(0, "the pcap header", f"{len(head)} bytes", "24")
    kind = KINDS[head[:4]]
    major, minor, _, _, snaplen, network = struct.unpack(kind.order + "HHiIII", head[4:])
    if (major, minor) != (2, 4):
        raise source.error(4, "the pcap header", f"version {major}.{minor}", "version 2.4")
    linktype = network & _LINKTYPE
    state.interfaces.append(Interface(linktype, snaplen))
    source.skip(FILE_HEADER)
    return _loop(source, state, kind, linktype)


def _loop(source: Source, state: State, kind: _Kind, linktype: int) -> Generator[Record, None, None]:
    """The quick loop: everything it touches is local, and each record's bytes are copied once."""
    unpack, fraction_ns = struct.Struct(kind.order + "IIII").unpack_from, kind.fraction_ns
    header = MODIFIED_HEADER if kind.modified else RECORD_HEADER
    make, sent, number = tuple.__new__, Sent.UNKNOWN, 0
    while True:
        buffer, position, base = source.buffer, source.position, source.base
        size = len(buffer)
        while position + header <= size:
            seconds, fraction, captured, original = unpack(buffer, position)
            start = position + header
            stop = start + captured
            if captured > MAX_PACKET or stop > size:
                break
            if kind.modified:
                sent = SLL_SENT.get(buffer[position + PACKET_TYPE], Sent.UNKNOWN)
            number += 1
            time_ns = seconds * BILLION + fraction * fraction_ns
            data = buffer[start:stop]
            yield make(Record, (number, time_ns, linktype, 0, data, original, base + position, sent))
            position = stop
        source.position = position
        if not _another(source, state, unpack, header):
            return


def _another(source: Source, state: State, unpack: Callable[..., tuple[int, ...]], header: int) -> bool:
    """Makes the next record whole in the buffer; False where the file ends, `state` then says whether within it."""
    offset, wanted = source.offset, header
    head = source.peek(header)
    if not head:
        state.truncated = source.between()
        return False
    if len(head) == header:
        captured = unpack(head)[2]
        if captured > MAX_PACKET:
            raise source.error(offset, "the record", f"{captured} captured bytes", f"at most {MAX_PACKET}")
        wanted += captured
        if len(source.peek(wanted)) == wanted:
            return True
    state.truncated = source.ending("record", offset, wanted)
    return False
