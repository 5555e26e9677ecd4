"""pcapng files: sections of blocks, each block type (32), length (32), body, length again (32).

A section header names the byte order; interface descriptions give link types and clocks; packet blocks, of three
kinds, refer to them by number. Blocks of other types are passed over, whatever their size. Lengths count the whole
block and are multiples of four.

Source: draft-ietf-opsawg-pcapng, sections 3 and 4.
"""

from __future__ import annotations

import enum
import struct
from collections.abc import Generator, Iterator
from typing import NamedTuple

from tamiz.model.errors import InputError, shorten
from tamiz.wire.link import Sent

from .stream import BILLION, MAX_PACKET, Interface, Record, Source, State

MAGIC = b"\x0a\x0d\x0d\x0a"  # the type of a section header, the same in both byte orders
_ORDERS = {b"\x1a\x2b\x3c\x4d": ">", b"\x4d\x3c\x2b\x1a": "<"}

MAX_BLOCK = 1 << 21  # bytes of a block that is held: a packet and its options, an interface
MAX_INTERFACES = 1 << 14  # over all sections; ours, to bound memory
MAX_NAME = 256  # characters kept


class Block(enum.IntEnum):
    """The types whose content is read."""

    INTERFACE = 1
    OBSOLETE_PACKET = 2
    SIMPLE_PACKET = 3
    ENHANCED_PACKET = 6


# Type -> the fewest bytes a whole block of it has.
_SMALLEST = {
    Block.INTERFACE: 20,
    Block.OBSOLETE_PACKET: 32,
    Block.SIMPLE_PACKET: 16,
    Block.ENHANCED_PACKET: 32,
}


class Option(enum.IntEnum):
    """The options that are read: of an interface, and of a packet."""

    END = 0
    IF_NAME = 2
    IF_DESCRIPTION = 3
    IF_TSRESOL = 9
    IF_TSOFFSET = 14
    PACKET_FLAGS = 2  # epb_flags, pack_flags


# The lowest two bits of the packet flags.
_FLAGS_SENT = (Sent.UNKNOWN, Sent.IN, Sent.OUT, Sent.UNKNOWN)


class _Clock(NamedTuple):
    """One interface of the running section: nanoseconds are `ticks * times // by + offset_ns`."""

    linktype: int
    snaplen: int
    number: int  # in the capture's list
    times: int = 1000
    by: int = 1
    offset_ns: int = 0


class _Packet(NamedTuple):
    """What the three packet blocks say, in common. `ticks` is None where the block has no time."""

    clock: _Clock
    ticks: int | None
    data: bytes
    original: int
    sent: Sent


def records(source: Source, state: State) -> Generator[Record, None, None]:
    """The records, `source` standing at the first section header."""
    reader = _Reader(source, state)
    return reader.records(reader.section())


class _Reader:
    def __init__(self, source: Source, state: State) -> None:
        self.source, self.state = source, state
        self.clocks: list[_Clock] = []
        self.number = self.time_ns = 0
        self._use("<")

    def _use(self, order: str) -> None:
        """The numbers of a section are in this byte order."""
        self.head = struct.Struct(order + "II").unpack_from
        self.enhanced = struct.Struct(order + "IIIIIIII").unpack_from
        self.obsolete = struct.Struct(order + "HHIIII").unpack_from
        self.word = struct.Struct(order + "I").unpack_from
        self.option = struct.Struct(order + "HH").unpack_from
        self.signed = struct.Struct(order + "q").unpack_from

    def error(self, offset: int, subject: str, found: str, wanted: str) -> InputError:
        return self.source.error(offset, subject, found, wanted)

    # Blocks ---------------------------------------------------------------------------------------

    def records(self, whole: bool) -> Generator[Record, None, None]:
        """All records to the end of the file, none if the first section header is not `whole`. `_enhanced` is the
        quick way for most of them; this loop does the rest, and says what is wrong."""
        source = self.source
        while whole:
            yield from self._enhanced()
            head, offset = source.peek(8), source.offset
            if not head:
                self.state.truncated = source.between()
                return
            if len(head) < 8:
                self._cut(offset, 8)
                return
            if head[:4] == MAGIC:
                whole = self.section()
                continue
            kind, length = self.head(head)
            self._check(offset, length, _SMALLEST.get(kind, 12))
            if kind not in _SMALLEST:
                whole = self._pass(offset, length)
                continue
            block = self._hold(offset, length)
            if block is None:
                return
            source.position += length
            if kind == Block.INTERFACE:
                self._interface(block, offset)
            else:
                yield self._record(block, offset, kind)

    def _check(self, offset: int, length: int, smallest: int) -> None:
        if length < smallest or length % 4:
            wanted = f"a multiple of 4, at least {smallest}"
            raise self.error(offset + 4, "the block", f"a length of {length}", wanted)

    def _cut(self, offset: int, wanted: int) -> None:
        self.state.truncated = self.source.ending("block", offset, wanted)

    def _hold(self, offset: int, length: int) -> bytes | None:
        """The whole block, still to be passed; None where the file ends within it."""
        if length > MAX_BLOCK:
            raise self.error(offset + 4, "the block", f"a length of {length}", f"at most {MAX_BLOCK}")
        block = self.source.peek(length)
        if len(block) < length:
            self._cut(offset, length)
            return None
        self._trailer(block[-4:], offset, length)
        return block

    def _pass(self, offset: int, length: int) -> bool:
        """Passes over a block of any size; False where the file ends within it."""
        if not self.source.skip(length - 4) or len(trailer := self.source.peek(4)) < 4:
            self._cut(offset, length)
            return False
        self._trailer(trailer, offset, length)
        self.source.position += 4
        return True

    def _trailer(self, trailer: bytes, offset: int, length: int) -> None:
        again = self.word(trailer)[0]
        if again != length:
            place = offset + length - 4
            raise self.error(place, "the block", f"a length of {again} at its end", f"{length}, as at its beginning")

    def section(self) -> bool:
        """Reads a section header and forgets the section before; False where the file ends within it."""
        source, offset = self.source, self.source.offset
        head = source.peek(16)
        if len(head) < 16:
            self._cut(offset, 28)
            return False
        order = _ORDERS.get(head[8:12])
        if order is None:
            found, wanted = f"the bytes {head[8:12].hex(' ')}", "1a 2b 3c 4d in either order"
            raise self.error(offset + 8, "the section header", found, wanted)
        self._use(order)
        self.clocks = []
        self._check(offset, self.word(head, 4)[0], 28)
        major, minor = self.option(head, 12)
        if major != 1:
            raise self.error(offset + 12, "the section header", f"version {major}.{minor}", "version 1.0")
        return self._pass(offset, self.word(head, 4)[0])

    # Interfaces -----------------------------------------------------------------------------------

    def _interface(self, block: bytes, offset: int) -> None:
        interfaces = self.state.interfaces
        if len(interfaces) == MAX_INTERFACES:
            found = f"more than {MAX_INTERFACES} interfaces"
            raise self.error(offset, "the interface", found, f"at most {MAX_INTERFACES}")
        linktype, _ = self.option(block, 8)
        snaplen = self.word(block, 12)[0]
        times, by, offset_ns = 1000, 1, 0
        names = {Option.IF_NAME: "", Option.IF_DESCRIPTION: ""}
        for code, value in self._options(block, 16, offset):
            if code in names:
                names[Option(code)] = shorten(value.decode("utf-8", "replace"), MAX_NAME)
            elif code == Option.IF_TSRESOL and value:
                times, by = _resolution(value[0])
            elif code == Option.IF_TSOFFSET and len(value) >= 8:
                offset_ns = self.signed(value)[0] * BILLION
        self.clocks.append(_Clock(linktype, snaplen, len(interfaces), times, by, offset_ns))
        interfaces.append(Interface(linktype, snaplen, *names.values()))

    def _options(self, block: bytes, position: int, offset: int) -> Iterator[tuple[int, bytes]]:
        """(code, value) of the options from byte `position` of the block to its trailer."""
        end = len(block) - 4
        while position + 4 <= end:
            code, size = self.option(block, position)
            if code == Option.END:
                return
            if position + 4 + size > end:
                room = end - position - 4
                raise self.error(offset + position, "the option", f"{size} bytes", f"at most {room}")
            yield code, block[position + 4 : position + 4 + size]
            position += 4 + (size + 3 & ~3)

    # Packets --------------------------------------------------------------------------------------

    def _enhanced(self) -> Generator[Record, None, None]:
        """Enhanced packet blocks, as many as follow each other, whole in the buffer and without fault or options."""
        source, unpack, word, clocks = self.source, self.enhanced, self.word, self.clocks
        buffer, position, base = source.buffer, source.position, source.base
        last, make, unknown = len(buffer) - 32, tuple.__new__, Sent.UNKNOWN
        while position <= last:
            kind, length, interface, high, low, captured, original, _ = unpack(buffer, position)
            end = position + length
            if kind != 6 or length > MAX_BLOCK or end > last + 32:
                break
            room = length - 32
            if length & 3 or captured > room or room - captured >= 4 or word(buffer, end - 4)[0] != length:
                break
            if interface >= len(clocks) or captured > MAX_PACKET:
                break
            clock = clocks[interface]
            start = position + 28
            self.number += 1
            self.time_ns = ((high << 32 | low) * clock.times) // clock.by + clock.offset_ns
            data = buffer[start : start + captured]
            yield make(
                Record,
                (self.number, self.time_ns, clock[0], clock[2], data, original, base + position, unknown),
            )
            position = end
        source.position = position

    def _record(self, block: bytes, offset: int, kind: int) -> Record:
        """One packet block of any kind, examined."""
        packet = (self._simple if kind == Block.SIMPLE_PACKET else self._timed)(block, offset, kind)
        clock = packet.clock
        if packet.ticks is None:
            self.state.untimed += 1
        else:
            self.time_ns = packet.ticks * clock.times // clock.by + clock.offset_ns
        self.number += 1
        return Record(
            self.number,
            self.time_ns,
            clock.linktype,
            clock.number,
            packet.data,
            packet.original,
            offset,
            packet.sent,
        )

    def _simple(self, block: bytes, offset: int, kind: int) -> _Packet:
        """A simple packet block: the first interface, no time, and its length follows from the snaplen."""
        clock = self._clock(0, offset)
        original = self.word(block, 8)[0]
        captured = min(original, clock.snaplen or original)
        return _Packet(clock, None, self._data(block, 12, captured, offset), original, Sent.UNKNOWN)

    def _timed(self, block: bytes, offset: int, kind: int) -> _Packet:
        """An enhanced or an obsolete packet block: they differ in how they number the interface."""
        if kind == Block.ENHANCED_PACKET:
            interface, high, low, captured, original = self.enhanced(block)[2:7]
        else:
            interface, _, high, low, captured, original = self.obsolete(block, 8)
        clock = self._clock(interface, offset)
        data = self._data(block, 28, captured, offset)
        sent = self._sent(block, 28 + (captured + 3 & ~3), offset)
        return _Packet(clock, high << 32 | low, data, original, sent)

    def _clock(self, interface: int, offset: int) -> _Clock:
        if interface >= len(self.clocks):
            wanted = f"one of the {len(self.clocks)} described before it"
            raise self.error(offset + 8, "the packet", f"interface {interface}", wanted)
        return self.clocks[interface]

    def _data(self, block: bytes, start: int, captured: int, offset: int) -> bytes:
        room = min(len(block) - 4 - start, MAX_PACKET)
        if captured > room:
            raise self.error(offset, "the packet", f"{captured} captured bytes", f"at most {room}")
        return block[start : start + captured]

    def _sent(self, block: bytes, position: int, offset: int) -> Sent:
        for code, value in self._options(block, position, offset):
            if code == Option.PACKET_FLAGS and len(value) == 4:
                return _FLAGS_SENT[self.word(value)[0] & 3]
        return Sent.UNKNOWN


def _resolution(value: int) -> tuple[int, int]:
    """What to multiply ticks with, and to divide by, for nanoseconds: the high bit means powers of two."""
    exponent = value & 0x7F
    if value & 0x80:
        return BILLION, 1 << exponent
    return (10 ** (9 - exponent), 1) if exponent <= 9 else (1, 10 ** (exponent - 9))
