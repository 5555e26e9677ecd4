"""Which host a capture was made for: its addresses, guessed from the first records, and the reason in words.

Evidence, best first: what the capture says of the direction of its frames; MAC addresses (a host sends from few
addresses and takes part in most frames, a router sends from many); how often an address occurs.
"""

from __future__ import annotations

import ipaddress
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from tamiz.model._tables import AddressType
from tamiz.stack.witness import address_type, is_loopback
from tamiz.wire.errors import Malformed
from tamiz.wire.ethernet import DST, SRC
from tamiz.wire.link import LINKS, LinkType, Sent

from ..capture.stream import Record

PREFIX: Final = 20_000  # records looked at
_FEW: Final = 8  # addresses of one host's MAC
_MANY: Final = 64  # addresses told apart for one MAC
_HOSTS: Final = 65_536  # MACs and addresses told apart


@dataclass(frozen=True, slots=True)
class Local:
    """The local host's addresses and how they were found, for people."""

    addresses: tuple[bytes, ...]
    how: str


GIVEN: Final = "given"


@dataclass(slots=True)
class _Evidence:
    """What the records say."""

    frames: int = 0
    first: dict[bytes, int] = field(default_factory=dict)  # address -> when it was first seen as a source
    addresses: Counter[bytes] = field(default_factory=Counter)
    sent: Counter[bytes] = field(default_factory=Counter)
    macs: Counter[bytes] = field(default_factory=Counter)
    sources: dict[bytes, dict[bytes, None]] = field(default_factory=dict)  # MAC -> addresses it sent from

    def add(self, record: Record) -> None:
        """One record."""
        locate = LINKS.get(record.linktype)
        try:
            place = locate(record.data) if locate else None
        except Malformed:
            return
        ends = _ends(record.data, place.version, place.offset) if place else None
        if ends is None or place is None:
            return
        source, destination = ends
        self.frames += 1
        plain = _one_host(source)
        if len(self.addresses) < _HOSTS:
            self.addresses.update(address for address in {source, destination} if _one_host(address))
            if plain:
                self.first.setdefault(source, len(self.first))
        says = record.sent or place.sent
        if says is Sent.OUT and plain:
            self.sent[source] += 1
        elif says is Sent.IN and _one_host(destination):
            self.sent[destination] += 1
        if record.linktype == LinkType.ETHERNET and len(self.macs) < _HOSTS:
            self._mac(record.data[SRC], record.data[DST], source if plain else None)

    def _mac(self, source: bytes, destination: bytes, address: bytes | None) -> None:
        self.macs.update(mac for mac in {source, destination} if not mac[0] & 1)
        if address is not None:
            known = self.sources.setdefault(source, {})
            if len(known) < _MANY:
                known[address] = None


def infer(records: Iterable[Record]) -> Local:
    """The local host of `records`, which are the first of the captures: a loopback host where nothing tells."""
    seen = _Evidence()
    for record in records:
        seen.add(record)
    found = _by_direction(seen) or _by_mac(seen) or _by_number(seen)
    return found or Local((), "no address was found in the captures")


def _by_direction(seen: _Evidence) -> Local | None:
    if not seen.sent:
        return None
    addresses = tuple(address for address, _ in seen.sent.most_common(_FEW))
    return Local(addresses, "the capture says which frames this host sent and received")


def _by_mac(seen: _Evidence) -> Local | None:
    hosts = [(mac, addresses) for mac, addresses in seen.sources.items() if len(addresses) <= _FEW]
    if not hosts:
        return None
    mac, addresses = max(hosts, key=lambda host: (seen.macs[host[0]], *_preference(seen, host[1])))
    named = ":".join(f"{byte:02x}" for byte in mac)
    how = f"they send from MAC address {named}, which takes part in {seen.macs[mac]} of {seen.frames} frames"
    return Local(tuple(addresses), how)


def _by_number(seen: _Evidence) -> Local | None:
    best = []
    for size in (4, 16):
        family = [address for address in seen.addresses if len(address) == size]
        if family:
            best.append(max(family, key=lambda address: (seen.addresses[address], *_preference(seen, (address,)))))
    if not best:
        return None
    counts = " and ".join(str(seen.addresses[address]) for address in best)
    return Local(tuple(best), f"the most frequent of each family: in {counts} of {seen.frames} packets")


def _preference(seen: _Evidence, addresses: Iterable[bytes]) -> tuple[bool, int]:
    """Of equals: private addresses before public ones, then whoever sent first."""
    listed = tuple(addresses)
    private = any(_is_private(address) for address in listed)
    return private, -min((seen.first.get(address, _HOSTS) for address in listed), default=_HOSTS)


def _is_private(packed: bytes) -> bool:
    address = ipaddress.ip_address(packed)
    return any(address in network for network in _PRIVATE if network.version == address.version)


# RFC 1918 3, RFC 6598 7, RFC 4193 3.1
_PRIVATE: Final = tuple(
    ipaddress.ip_network(text)
    for text in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7")
)


def _ends(data: bytes, version: int, offset: int) -> tuple[bytes, bytes] | None:
    """Source and destination of an IP packet at `offset`."""
    if version == 4 and len(data) >= offset + 20:
        return data[offset + 12 : offset + 16], data[offset + 16 : offset + 20]
    if version == 6 and len(data) >= offset + 40:
        return data[offset + 8 : offset + 24], data[offset + 24 : offset + 40]
    return None


def _one_host(packed: bytes) -> bool:
    """Whether it can be one host's address on a network: no group, no loopback, not unspecified."""
    return address_type(packed) is AddressType.UNICAST and not is_loopback(packed)
