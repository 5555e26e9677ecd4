"""Fragmentation and reassembly (RFC 791 3.2, RFC 8200 4.5).

Overlaps. RFC 5722 and RFC 8200 4.5 say for IPv6: a datagram with overlapping fragments is given up, and so are its
fragments that come later. Here IPv4 does the same, as Linux has done since 2018; RFC 791 lets either copy stand,
which attackers use to show two hosts two packets. An exact repetition of a fragment is ignored, as RFC 8200 4.5
allows.

Memory. Datagrams, fragments of one datagram, and bytes held have limits; the oldest datagram makes room. A datagram
that was given up is remembered, without its bytes, until it expires.
"""

from __future__ import annotations

import bisect
from dataclasses import dataclass, field, replace

from . import ipv4, ipv6
from .errors import Malformed
from .ipv4 import Fragment
from .packet import Header

TIMEOUT_NS = 60 * 10**9  # RFC 8200 4.5: 60 seconds after the first fragment; RFC 1122 3.3.2: 60 to 120
OVERHEAD = 256  # bytes counted for each fragment and each datagram, beside the payload
MAX_DATAGRAM = 0xFFFF  # bytes: the IPv4 packet, the IPv6 payload

# Apart --------------------------------------------------------------------------------------------

# Extension headers that every router on the way must see stay before the fragment header (RFC 8200 4.5).
_ON_THE_WAY = (ipv6.Kind.HOP_BY_HOP, ipv6.Kind.ROUTING)
_COPIED = 0x80  # the bit of an IPv4 option's type that asks for it in every fragment (RFC 791 3.1)


def fragment(packet: bytes, mtu: int, identification: int = 0) -> list[bytes]:
    """`packet` in pieces of at most `mtu` bytes; as it is, where it fits. `identification` is for IPv6.

    IPv4 fragments may be cut again. `ValueError`: an IPv4 packet that must not be fragmented, an IPv6 packet that
    has a fragment header, an `mtu` without room for eight bytes of payload. `Malformed`: not a packet.
    """
    if not packet or packet[0] >> 4 not in (4, 6):
        raise Malformed("IP", 0, f"version {packet[0] >> 4}" if packet else "no bytes", "version 4 or 6")
    header, payload, _ = (ipv4 if packet[0] >> 4 == 4 else ipv6).parse(packet)
    if header.size + len(payload) <= mtu:
        return [packet]
    if isinstance(header, ipv4.Header):
        return _apart_v4(header, payload, mtu)
    return _apart_v6(header, payload, mtu, identification)


def _step(what: str, header_size: int, mtu: int) -> int:
    step = (mtu - header_size) // 8 * 8
    if step < 8:
        raise ValueError(f"{what} MTU: found {mtu}, wanted at least {header_size + 8}")
    return step


def _apart_v4(header: ipv4.Header, payload: bytes, mtu: int) -> list[bytes]:
    if header.dont_fragment:
        raise ValueError("IPv4: found a packet that must not be fragmented, wanted one that may be")
    step = _step("IPv4", header.size, mtu)
    later = replace(header, options=_copied(header.options))
    return [
        ipv4.emit(
            replace(
                later if start else header,
                fragment_offset=header.fragment_offset + start,
                more_fragments=header.more_fragments or start + step < len(payload),
            ),
            payload[start : start + step],
        )
        for start in range(0, len(payload), step)
    ]


def _copied(options: bytes) -> bytes:
    """The options that go into every fragment, padded; what is broken ends the list."""
    kept, position = b"", 0
    while position < len(options) and options[position] != 0:
        single = options[position] == 1
        size = 1 if single else options[position + 1] if position + 1 < len(options) else 0
        if size < 2 - single or position + size > len(options):
            break
        if options[position] & _COPIED:
            kept += options[position : position + size]
        position += size
    return kept + bytes(-len(kept) % 4)


def _apart_v6(header: ipv6.Header, payload: bytes, mtu: int, identification: int) -> list[bytes]:
    kinds = [extension.kind for extension in header.extensions]
    if ipv6.Kind.FRAGMENT in kinds:
        raise ValueError("IPv6: found a packet with a fragment header, wanted one without")
    stay = max((place + 1 for place, kind in enumerate(kinds) if kind in _ON_THE_WAY), default=0)
    moved = replace(header, extensions=header.extensions[stay:])
    payload = ipv6.emit(moved, payload)[ipv6.HEADER_SIZE :]
    following = int(kinds[stay]) if stay < len(kinds) else header.protocol
    before = header.extensions[:stay]
    step = _step("IPv6", replace(header, extensions=before).size + 8, mtu)
    places = [Fragment(start, start + step < len(payload), identification) for start in range(0, len(payload), step)]
    return [
        ipv6.emit(
            replace(header, protocol=following, extensions=(*before, ipv6.fragment_extension(place))),
            payload[place.offset : place.offset + step],
        )
        for place in places
    ]


# Together -----------------------------------------------------------------------------------------

Key = tuple[bytes, bytes, int, int]  # source, destination, protocol (IPv4 only, else -1), identification


@dataclass(slots=True)
class _Datagram:
    """What has come of one datagram: payloads by offset, in order. `dead`: given up, and only remembered."""

    since_ns: int
    header: Header | None = None  # the first fragment's
    starts: list[int] = field(default_factory=list)
    pieces: dict[int, bytes] = field(default_factory=dict)
    held: int = 0  # bytes of payload
    end: int | None = None  # bytes of the whole, once the last fragment has come
    dead: bool = False

    @property
    def cost(self) -> int:
        return self.held + OVERHEAD * (len(self.starts) + 1)

    def give_up(self) -> None:
        self.header, self.starts, self.pieces, self.held, self.dead = None, [], {}, 0, True


class Reassembler:
    """Joins the fragments of many datagrams. Time is whatever the caller counts, in nanoseconds."""

    def __init__(
        self,
        *,
        timeout_ns: int = TIMEOUT_NS,
        max_datagrams: int = 1024,
        max_fragments: int = 512,
        max_bytes: int = 4 << 20,
    ) -> None:
        """`max_fragments` is for one datagram; `max_bytes` for all payloads held, with `OVERHEAD` for each."""
        self.timeout_ns, self.max_datagrams = timeout_ns, max_datagrams
        self.max_fragments, self.max_bytes = max_fragments, max_bytes
        self.discarded = 0
        """Datagrams given up: overlaps, contradictions, limits. Those that expired are not among them."""
        self._held: dict[Key, _Datagram] = {}  # oldest first
        self._bytes = 0

    def __len__(self) -> int:
        """The datagrams that are held or remembered."""
        return len(self._held)

    @property
    def held_bytes(self) -> int:
        """What is counted against `max_bytes` now."""
        return self._bytes

    def add(self, packet: bytes, now_ns: int, *, verify: bool = True) -> bytes | None:
        """The whole packet: `packet` itself unless it is a fragment, else the joined one if `packet` completes it,
        else None. `Malformed`: not a whole IP packet, or with `verify` an IPv4 header checksum that fails."""
        if not packet or packet[0] >> 4 not in (4, 6):
            raise Malformed("IP", 0, f"version {packet[0] >> 4}" if packet else "no bytes", "version 4 or 6")
        header, payload, _ = (ipv4 if packet[0] >> 4 == 4 else ipv6).parse(packet, verify=verify)
        place = header.fragment
        if place is None:
            return packet
        key = (header.src, header.dst, header.protocol if header.version == 4 else -1, place.identification)
        datagram = self._datagram(key, now_ns)
        if datagram.dead:
            return None
        before = datagram.cost
        self._take(datagram, header, place, payload)
        self._bytes += datagram.cost - before
        whole = _joined(datagram)
        if whole is not None:
            self._forget(key)
        self._make_room()
        return whole

    def expire(self, now_ns: int) -> list[bytes]:
        """Forgets the datagrams whose time has passed. Returns the first fragments of those that had one, rebuilt:
        each is owed an ICMP "time exceeded in reassembly" (RFC 792, RFC 8200 4.5)."""
        late = [
            (key, datagram) for key, datagram in self._held.items() if now_ns - datagram.since_ns >= self.timeout_ns
        ]
        for key, _ in late:
            self._forget(key)
        return [_emit(datagram.header, datagram.pieces[0]) for _, datagram in late if datagram.header is not None]

    def _datagram(self, key: Key, now_ns: int) -> _Datagram:
        found = self._held.get(key)
        if found is not None and now_ns - found.since_ns < self.timeout_ns:
            return found
        if found is not None:
            self._forget(key)
        self._held[key] = _Datagram(now_ns)
        self._bytes += self._held[key].cost
        return self._held[key]

    def _take(self, datagram: _Datagram, header: Header, place: Fragment, payload: bytes) -> None:
        if datagram.pieces.get(place.offset) == payload and (place.more or datagram.end is not None):
            return
        if len(datagram.starts) >= self.max_fragments or _contradicts(datagram, header, place, payload):
            datagram.give_up()
            self.discarded += 1
            return
        bisect.insort(datagram.starts, place.offset)
        datagram.pieces[place.offset] = payload
        datagram.held += len(payload)
        if not place.more:
            datagram.end = place.offset + len(payload)
        if place.offset == 0:
            datagram.header = header

    def _make_room(self) -> None:
        while self._bytes > self.max_bytes or len(self._held) > self.max_datagrams:
            oldest = next(iter(self._held))
            self.discarded += not self._held[oldest].dead
            self._forget(oldest)

    def _forget(self, key: Key) -> None:
        self._bytes -= self._held.pop(key).cost


def _contradicts(datagram: _Datagram, header: Header, place: Fragment, payload: bytes) -> bool:
    """Whether the fragment is impossible, alone or beside those that have come."""
    start, end = place.offset, place.offset + len(payload)
    overhead = max(_overhead(header), _overhead(datagram.header) if datagram.header else 0)
    if not payload or (place.more and len(payload) % 8):
        return True
    if max(end, datagram.end or 0) + overhead > MAX_DATAGRAM:
        return True
    if datagram.end is not None and (end > datagram.end or not place.more):
        return True
    if not place.more and datagram.starts and _end(datagram, datagram.starts[-1]) > end:
        return True
    after = bisect.bisect_left(datagram.starts, start)
    if after and _end(datagram, datagram.starts[after - 1]) > start:
        return True
    return after < len(datagram.starts) and datagram.starts[after] < end


def _overhead(header: Header) -> int:
    """What the joined packet's length field counts beside the payload."""
    if isinstance(header, ipv4.Header):
        return header.size
    return _without_fragment(header).size - ipv6.HEADER_SIZE


def _end(datagram: _Datagram, start: int) -> int:
    return start + len(datagram.pieces[start])


def _joined(datagram: _Datagram) -> bytes | None:
    """The whole packet, or None while a piece is missing: pieces never overlap, so their sizes add up."""
    if datagram.header is None or datagram.held != datagram.end:
        return None
    payload = b"".join(datagram.pieces[start] for start in datagram.starts)
    return _emit(_without_fragment(datagram.header), payload)


def _without_fragment(header: Header) -> Header:
    if isinstance(header, ipv4.Header):
        return replace(header, more_fragments=False, fragment_offset=0)
    kept = tuple(extension for extension in header.extensions if extension.kind != ipv6.Kind.FRAGMENT)
    return replace(header, extensions=kept)


def _emit(header: Header, payload: bytes) -> bytes:
    if isinstance(header, ipv4.Header):
        return ipv4.emit(header, payload)
    return ipv6.emit(header, payload)
