"""Interfaces, their addresses, and where a packet goes: what the host knows of its network.

Addresses are packed bytes, four or sixteen. A host without a loopback interface gets one.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Union

from tamiz.model._tables import AddressType, Profile

IpInterface = Union[ipaddress.IPv4Interface, ipaddress.IPv6Interface]

ETHERNET, LOOPBACK, TUNNEL = 6, 24, 131  # IANA ifType


def luid(type: int, number: int) -> int:
    """NET_LUID: the interface type in the upper 16 bits, a number of 24 bits below it."""
    return type << 48 | number << 24


@dataclass(frozen=True, slots=True)
class Interface:
    """One interface. `addresses` are CIDR texts or `ipaddress` interfaces; `type` is the IANA ifType, `tunnel` the
    tunnel type (0: none); `mtu` in bytes; `profile` None where the network category is not known."""

    luid: int
    index: int
    addresses: tuple[IpInterface | str, ...]
    type: int = ETHERNET
    tunnel: int = 0
    mtu: int = 1500
    profile: Profile | None = None
    sub_index: int = 0
    loopback: bool = False
    compartment: int = 1

    def __post_init__(self) -> None:
        if not 68 <= self.mtu <= 0xFFFF:  # RFC 791: 68 is the least; 65,535 the longest IPv4 packet
            raise ValueError(f"interface {self.index}: found an MTU of {self.mtu}, wanted 68 to 65535")

    @property
    def networks(self) -> Iterator[IpInterface]:
        return map(_read, self.addresses)


@lru_cache(maxsize=1024)
def _read(address: IpInterface | str) -> IpInterface:
    return ipaddress.ip_interface(address)


@dataclass(frozen=True, slots=True)
class Route:
    """Packets to `network` leave by the interface with LUID `interface`; `nexthop` None: on link."""

    network: str
    interface: int
    nexthop: bytes | None = None


@dataclass(frozen=True, slots=True)
class Path:
    """How a packet leaves: the interface it leaves by, and the next hop's address."""

    interface: Interface
    nexthop: bytes


_REMEMBERED: Final = 4096  # addresses and ways of which the answer is kept
_LOOPBACK: Final = Interface(luid(LOOPBACK, 0), 1, ("127.0.0.1/8", "::1/128"), type=LOOPBACK, mtu=65_535, loopback=True)


class Interfaces:
    """A host's interfaces and routes. Without `routes` the first interface of a family leads everywhere."""

    def __init__(self, interfaces: Iterable[Interface], routes: Iterable[Route] | None = None) -> None:
        given = tuple(interfaces)
        self._all = given if any(i.loopback for i in given) else (*given, _LOOPBACK)
        self._owners = {n.ip.packed: i for i in self._all for n in i.networks}
        self._broadcasts = frozenset(
            n.network.broadcast_address.packed
            for i in self._all
            for n in i.networks
            if n.version == 4 and n.network.prefixlen < 31
        )
        self._default = routes is None
        self._routes = tuple((ipaddress.ip_network(r.network), r) for r in routes or ())
        self._types = lru_cache(_REMEMBERED)(self._type_of)
        self._paths = lru_cache(_REMEMBERED)(self._find)

    def __iter__(self) -> Iterator[Interface]:
        return iter(self._all)

    def by_luid(self, number: int) -> Interface:
        """The interface with that LUID; `KeyError` for a number of none."""
        return {i.luid: i for i in self._all}[number]

    def owner(self, address: bytes) -> Interface | None:
        """The interface that has `address`; the whole of 127.0.0.0/8 is the loopback interface's."""
        found = self._owners.get(address)
        if found is None and len(address) == 4 and address[0] == 127:
            return next(i for i in self._all if i.loopback)
        return found

    def is_loopback(self, address: bytes) -> bool:
        """Whether a packet to `address` stays on this host."""
        return self.owner(address) is not None

    def address_type(self, address: bytes) -> AddressType:
        """NL_ADDRESS_TYPE of an address as this host sees it."""
        return self._types(address)

    def _type_of(self, address: bytes) -> AddressType:
        if not any(address):
            return AddressType.UNSPECIFIED
        if ipaddress.ip_address(address).is_multicast:
            return AddressType.MULTICAST
        if address == b"\xff" * 4 or address in self._broadcasts:
            return AddressType.BROADCAST
        return AddressType.UNICAST

    def is_group(self, address: bytes) -> bool:
        """Whether many listen to `address`: multicast or broadcast. This host counts as one of them [I]."""
        return self.address_type(address) in (AddressType.MULTICAST, AddressType.BROADCAST)

    def path(self, destination: bytes, source: bytes | None = None, strong: bool = True) -> Path | None:
        """The way to `destination`; with the strong host model it begins at the interface of `source`."""
        return self._paths(destination, source, strong)

    def _find(self, destination: bytes, source: bytes | None, strong: bool) -> Path | None:
        owner = self.owner(destination)
        if owner is not None:
            return Path(owner, destination)
        bound = self.owner(source) if source is not None and strong else None
        candidates = (bound,) if bound is not None else self._all
        return (
            self._on_link(destination, candidates)
            or self._routed(destination, candidates)
            or self._anywhere(destination, candidates)
        )

    def source_for(self, path: Path) -> bytes | None:
        """The address from which a packet leaves by `path`: on the destination's subnet, else the first."""
        version = 4 if len(path.nexthop) == 4 else 6
        own = [n for n in path.interface.networks if n.version == version]
        target = ipaddress.ip_address(path.nexthop)
        return next((n.ip.packed for n in own if target in n.network), own[0].ip.packed if own else None)

    def _on_link(self, destination: bytes, candidates: Iterable[Interface]) -> Path | None:
        target = ipaddress.ip_address(destination)
        near = [
            (n.network.prefixlen, i)
            for i in candidates
            for n in i.networks
            if n.version == target.version and target in n.network
        ]
        return Path(max(near, key=lambda pair: pair[0])[1], destination) if near else None

    def _routed(self, destination: bytes, candidates: Iterable[Interface]) -> Path | None:
        target, allowed = ipaddress.ip_address(destination), {i.luid: i for i in candidates}
        fits = [
            (network.prefixlen, route)
            for network, route in self._routes
            if network.version == target.version and target in network and route.interface in allowed
        ]
        if not fits:
            return None
        route = max(fits, key=lambda pair: pair[0])[1]
        return Path(allowed[route.interface], route.nexthop or destination)

    def _anywhere(self, destination: bytes, candidates: Iterable[Interface]) -> Path | None:
        if not self._default and not self.is_group(destination):
            return None
        version = 4 if len(destination) == 4 else 6
        for interface in candidates:
            if not interface.loopback and any(n.version == version for n in interface.networks):
                return Path(interface, destination)
        return None
