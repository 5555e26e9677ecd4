"""IP: packets in, fragments, packets out.

In: fragments are indicated one by one and then once more when they are whole (spec packet-flows.md 4.5); what is not
for this host goes to `forward`; the rest goes to its protocol. Out: the caller has met the layers; here the packet is
cut to the MTU, which no layer sees, and leaves, or comes back in when it is for this host itself (4.1).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from tamiz.model._tables import FIELD, ConditionFlags
from tamiz.wire import ipv4, ipv6
from tamiz.wire.errors import Malformed
from tamiz.wire.fragments import fragment
from tamiz.wire.packet import Header, Packet, build, dissect, word

from .fields import Indication
from .forward import Forwarder
from .interfaces import Interface, Path
from .kernel import Arrival, Kernel, word_of
from .requests import TOO_BIG, Dropped, Failed, Operation, Transmit
from .sequences import SEQUENCES

_ADDRESSES: Final[Mapping[int, tuple[slice, slice, int]]] = {
    4: (ipv4.SRC, ipv4.DST, ipv4.HEADER_SIZE),
    6: (ipv6.SRC, ipv6.DST, ipv6.HEADER_SIZE),
}

_PORTS: Final = frozenset((FIELD.IP_LOCAL_PORT, FIELD.IP_REMOTE_PORT))

Handler = Callable[[Arrival], Operation[None]]


def reason_of(error: Malformed) -> str:
    """The discard reason of a malformed packet [I: the enumerator whose meaning fits]."""
    if error.protocol.startswith("IP"):
        if "checksum" in error.found:
            return "IpDiscardBadChecksum"
        return "IpDiscardBadLength" if "length" in error.found else "IpDiscardMalformedHeader"
    return "InetDiscardChecksumInvalid" if "checksum" in error.found else "InetDiscardHeaderInvalid"


def header_of(data: bytes) -> Header:
    """The IP header of a packet; `Malformed` where there is none."""
    version = data[0] >> 4 if data else 0
    if version not in _ADDRESSES:
        raise Malformed("IP", 0, f"version {version}" if data else "no bytes", "version 4 or 6")
    return (ipv4.parse(data) if version == 4 else ipv6.parse(data))[0]


class Ip:
    """`deliver` gets each whole packet for this host; `forwarder` each one for another."""

    def __init__(self, kernel: Kernel, deliver: Handler, forwarder: Forwarder) -> None:
        self._kernel, self._deliver, self._forwarder = kernel, deliver, forwarder

    # -- in ------------------------------------------------------------------------------------------

    def receive(self, data: bytes, now: int, interface: Interface, loopback: bool = False) -> Operation[None]:
        """One packet came in by `interface`."""
        try:
            header = header_of(data)
        except Malformed as error:
            yield from self._malformed_ip(data, interface, error)
            return
        if loopback or self._is_ours(header, interface):
            if not loopback:
                passed = yield from self._pass_thru(header, data, interface)
                if not passed:
                    return
            yield from self._local(header, data, now, interface, loopback)
        else:
            yield from self._forwarder.forward(header, data, interface, now)

    def _is_ours(self, header: Header, interface: Interface) -> bool:
        """With the strong host model an address is reached by its own interface only."""
        network, config = self._kernel.interfaces, self._kernel.config
        if network.is_group(header.dst):
            return True
        owner = network.owner(header.dst)
        return owner is not None and (owner.luid == interface.luid or not config.strong_receive)

    def _pass_thru(self, header: Header, data: bytes, interface: Interface) -> Operation[bool]:
        """Weak-host receive through forwarding: IPFORWARD comes first (4.2)."""
        owner = self._kernel.interfaces.owner(header.dst)
        if owner is None or owner.luid == interface.luid or not self._kernel.config.forwarding:
            return True
        seen = self._forwarder.indication(header, interface, owner)
        name = "FRAGMENT" if header.fragment else word_of(data)
        stop = yield from self._kernel.walk(SEQUENCES["pass-thru-in"].rows, seen, name)
        return stop is None

    def _local(self, header: Header, data: bytes, now: int, interface: Interface, loopback: bool) -> Operation[None]:
        whole, reassembled = data, False
        if header.fragment is not None:
            joined = yield from self._fragment(header, data, now, interface, loopback)
            if joined is None:
                return
            whole, reassembled = joined, True
        try:
            packet = dissect(whole)
        except Malformed as error:
            yield from self._malformed_transport(header, error, interface, reassembled, loopback)
            return
        arrival = Arrival(packet, whole, interface, now, reassembled, loopback)
        if reassembled:
            rows = SEQUENCES["reassembled-in"].rows
            stop = yield from self._kernel.walk(rows, self._kernel.incoming(arrival), word(packet))
            if stop is not None:
                return
        yield from self._deliver(arrival)

    def _fragment(
        self, header: Header, data: bytes, now: int, interface: Interface, loopback: bool
    ) -> Operation[bytes | None]:
        """Indicate one fragment; the whole packet when it was the last one missing."""
        seen = self._header_indication(header.src, header.dst, interface, loopback)
        stop = yield from self._kernel.walk(SEQUENCES["fragment-in"].rows, seen, "FRAGMENT")
        return None if stop is not None else self._kernel.reassembler.add(data, now)

    def _malformed_ip(self, data: bytes, interface: Interface, error: Malformed) -> Operation[None]:
        place = _ADDRESSES.get(data[0] >> 4) if data else None
        if place is not None and len(data) >= place[2]:
            seen = self._header_indication(data[place[0]], data[place[1]], interface, False)
            yield from self._kernel.walk(SEQUENCES["malformed-ip-in"].rows, seen)
        yield Dropped(reason_of(error), None, error.offset, str(error))

    def _malformed_transport(
        self, header: Header, error: Malformed, interface: Interface, reassembled: bool, loopback: bool
    ) -> Operation[None]:
        sequence = SEQUENCES["malformed-transport-in"]
        seen = self._header_indication(header.src, header.dst, interface, loopback, header.protocol)
        stop = yield from self._kernel.walk(sequence.rows[1:] if reassembled else sequence.rows, seen)
        if stop is None:
            yield Dropped(reason_of(error), None, error.offset, str(error))

    def _header_indication(
        self, src: bytes, dst: bytes, interface: Interface, loopback: bool, protocol: int | None = None
    ) -> Indication:
        """An inbound packet of which only the addresses are known: its ports are not, and not EMPTY either."""
        network = self._kernel.interfaces
        return Indication(
            4 if len(dst) == 4 else 6,
            protocol,
            dst,
            src,
            local_type=network.address_type(dst),
            remote_type=network.address_type(src),
            way="in",
            interface=network.owner(dst) or interface,
            arrival=interface,
            flags=ConditionFlags.IS_LOOPBACK if loopback else ConditionFlags(0),
            hidden=_PORTS,
        )

    # -- out -----------------------------------------------------------------------------------------

    def transmit(self, packet: Packet, path: Path, socket: int | None = None) -> Operation[None]:
        """`packet` leaves by `path`; the outbound layers have been met."""
        data, name = build(packet), word(packet) or "IP"
        if self._kernel.interfaces.is_loopback(packet.ip.dst):
            yield Transmit(data, name, path.interface.luid, loopback=True)
            self._kernel.loop.append((data, path.interface))
            return
        passed = yield from self._weak_send(packet, path)
        if not passed:
            return
        try:
            pieces = fragment(data, path.interface.mtu, next(self._kernel.config.identifications))
        except ValueError:
            yield Failed("send", TOO_BIG, socket)
            return
        for piece in pieces:
            yield Transmit(piece, name if len(pieces) == 1 else "FRAGMENT", path.interface.luid)

    def _weak_send(self, packet: Packet, path: Path) -> Operation[bool]:
        """Weak-host send through forwarding: IPFORWARD comes last (4.2)."""
        owner = self._kernel.interfaces.owner(packet.ip.src)
        if owner is None or owner.luid == path.interface.luid or not self._kernel.config.forwarding:
            return True
        seen = self._forwarder.indication(packet.ip, owner, path.interface)
        stop = yield from self._kernel.walk(SEQUENCES["pass-thru-out"].rows, seen, word(packet))
        return stop is None
