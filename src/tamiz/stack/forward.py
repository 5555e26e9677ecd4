"""Forwarding: packets in transit, and why they cannot go on (spec packet-flows.md 4.2)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Final

from tamiz.wire import ipv4, ipv6
from tamiz.wire.fragments import Reassembler, fragment
from tamiz.wire.packet import Header

from .fields import Indication
from .interfaces import Interface, Path
from .kernel import Kernel, word_of
from .requests import Dropped, Operation, Transmit
from .sequences import SEQUENCES

NOT_LOCAL: Final = "IpDiscardNotLocallyDestined"
NO_ROUTE: Final = "IpDiscardNoRoute"
HOP_LIMIT: Final = "IpDiscardHopLimitExceeded"
TOO_BIG: Final = "IpDiscardDontFragmentMtuExceeded"

# (the packet at fault, its header, the reason, the MTU that it exceeds, now)
ErrorHandler = Callable[[bytes, Header, str, int, int], Operation[None]]


@dataclass(slots=True)
class _Group:
    """Fragments that wait for the others of their packet, where fragments are grouped."""

    pieces: list[tuple[bytes, Header]] = field(default_factory=list)


class Forwarder:
    """`report` sends the ICMP error for a packet that cannot go on."""

    def __init__(self, kernel: Kernel, report: ErrorHandler) -> None:
        self._kernel, self._report = kernel, report
        self._joined = Reassembler()
        self._groups: dict[tuple[bytes, bytes, int], _Group] = {}

    def indication(self, header: Header, arrival: Interface, nexthop: Interface | None) -> Indication:
        """A packet as IPFORWARD sees it: source and destination instead of local and remote."""
        return Indication(
            header.version,
            remote_type=self._kernel.interfaces.address_type(header.dst),
            way="in",
            interface=arrival,
            arrival=arrival,
            nexthop=nexthop,
            source=header.src,
            destination=header.dst,
        )

    def forward(self, header: Header, data: bytes, arrival: Interface, now: int) -> Operation[None]:
        """A packet that is for another host came in by `arrival`."""
        word = "FRAGMENT" if header.fragment else word_of(data)
        if not self._kernel.config.forwarding or self._kernel.interfaces.owner(header.dst):
            yield from self._refuse(header, arrival, word)
            return
        path = self._kernel.interfaces.path(header.dst)
        reason = NO_ROUTE if path is None else HOP_LIMIT if header.hops <= 1 else None
        if path is None or reason is not None:
            yield from self._fail(header, data, arrival, word, reason or NO_ROUTE, 0, now)
            return
        stop = yield from self._kernel.walk(
            SEQUENCES["forward"].rows, self.indication(header, arrival, path.interface), word
        )
        if stop is None:
            yield from self._grouped(header, data, arrival, path, word, now)

    def _refuse(self, header: Header, arrival: Interface, word: str | None) -> Operation[None]:
        network = self._kernel.interfaces
        seen = replace(
            self.indication(header, arrival, None),
            local=header.dst,
            remote=header.src,
            local_type=network.address_type(header.dst),
        )
        yield from self._kernel.walk(SEQUENCES["not-local-in"].rows, seen, word)
        yield Dropped(NOT_LOCAL, word)

    def _fail(
        self,
        header: Header,
        data: bytes,
        arrival: Interface,
        word: str | None,
        reason: str,
        mtu: int,
        now: int,
    ) -> Operation[None]:
        seen = self.indication(header, arrival, None)
        yield from self._kernel.walk(SEQUENCES["forward-fails"].rows, seen, word)
        yield Dropped(reason, word)
        yield from self._report(data, header, reason, mtu, now)

    def _grouped(
        self, header: Header, data: bytes, arrival: Interface, path: Path, word: str | None, now: int
    ) -> Operation[None]:
        """With fragment grouping the fragments wait for each other and are indicated once more, together."""
        place = header.fragment
        if place is None or not self._kernel.config.fragment_grouping:
            yield from self._onward(header, data, arrival, path, word, now)
            return
        key = (header.src, header.dst, place.identification)
        group = self._groups.setdefault(key, _Group())
        group.pieces.append((data, header))
        if self._joined.add(data, now) is None:
            return
        del self._groups[key]
        seen = self.indication(header, arrival, path.interface)
        stop = yield from self._kernel.walk(SEQUENCES["forward-group"].rows, seen, "FRAGMENT")
        for piece, its_header in group.pieces if stop is None else ():
            yield from self._onward(its_header, piece, arrival, path, word, now)

    def _onward(
        self, header: Header, data: bytes, arrival: Interface, path: Path, word: str | None, now: int
    ) -> Operation[None]:
        fewer, mtu = one_hop_less(data), path.interface.mtu
        if len(fewer) > mtu and (header.version == 6 or getattr(header, "dont_fragment", False)):
            yield from self._fail(header, data, arrival, word, TOO_BIG, mtu, now)
            return
        pieces = fragment(fewer, mtu)
        for piece in pieces:
            shown = word if len(pieces) == 1 else "FRAGMENT"
            yield Transmit(piece, shown or "IP", path.interface.luid)

    def expire(self, now: int) -> None:
        """Forget groups whose fragments never came."""
        self._joined.expire(now)
        if not len(self._joined):
            self._groups.clear()


def one_hop_less(data: bytes) -> bytes:
    """The packet with its hop limit, or time to live, one less."""
    if data[0] >> 4 == 4:
        header, payload, _ = ipv4.parse(data)
        return ipv4.emit(replace(header, ttl=header.ttl - 1), payload)
    wide, rest, _ = ipv6.parse(data)
    return ipv6.emit(replace(wide, hop_limit=wide.hop_limit - 1), rest)
