"""A bystander's view of one host: packets in; out, for each, the documented sequences that it proves.

    observer = Observer(local_addresses, sink)
    observer.observe(records)
    observer.close()

Input: the records of captures, in order. Output: calls of the `Sink`, which judges. The observer only chooses
sequences; their layers and order are the tables of `tamiz.stack.sequences`. It indicates what a packet proves, and
what must have been met before it, marked as inferred. Memory is bounded: see
`observer_table`; answers to fragments and errors are bounded too.

Checksums are not looked at: captures of the sending host hold unfinished ones.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable
from typing import Final

from tamiz.wire import icmp, tcp
from tamiz.wire.errors import Malformed
from tamiz.wire.ethernet import DST
from tamiz.wire.fragments import Reassembler
from tamiz.wire.glance import glance
from tamiz.wire.icmp import IcmpMessage
from tamiz.wire.link import LINKS, LinkType, Network, network
from tamiz.wire.packet import Header, Packet, dissect
from tamiz.wire.tcp import Segment
from tamiz.wire.udp import Datagram

from ..capture.stream import Record
from .datagrams import Datagrams
from .flows import FRAGMENT_IN, NO_LAYER, Ends, Flow, Sink
from .keys import ECHOES, icmp_key
from .quoted import quotation
from .table import MAX_FLOWS, Table
from .tcp import Tcp

_SEQUENCE: Final = struct.Struct("!I").unpack_from
_ICMP_ID: Final = struct.Struct("!H").unpack_from
_BROADCAST: Final = b"\xff" * 4
_MAX_PIECES: Final = 1024  # outbound packets of which fragments are missing
LOOPBACK: Final = (b"\x7f\0\0\1", b"\0" * 15 + b"\1")


class Observer:
    """Sees packets as the host with the addresses `local`; the loopback addresses are its own too.

    After `close`: `packets` read, `not_ip` frames among them and `unparsed` ones (with those that are not IP),
    `not_local` packets, `incomplete` packets of which fragments never came, and the counts of `table`.
    """

    def __init__(self, local: Iterable[bytes], sink: Sink, limit: int = MAX_FLOWS) -> None:
        self.local = frozenset((*local, *LOOPBACK))
        self.sink = sink
        self.table = Table(sink, self.local, limit)
        self.packets = self.not_ip = self.unparsed = self.not_local = self.incomplete = 0
        self._tcp, self._datagrams = Tcp(self.table), Datagrams(self.table)
        self.table.answered = self._answered
        self._subnets = frozenset(address[:3] for address in self.local if len(address) == 4)
        self._inbound, self._outbound = Reassembler(), Reassembler()
        self._pieces: dict[tuple[bytes, bytes, int, int], list[int]] = {}

    def _answered(self, flow: Flow, by_silence: bool) -> None:
        handler = self._tcp if flow.ends.protocol == tcp.PROTOCOL else self._datagrams
        handler.answered(flow, by_silence)

    def observe(self, records: Iterable[Record]) -> None:
        """See the packets of `records`. Raises what reading them raises, after what came before was seen."""
        local, waiting, table = self.local, self.table.waiting, self.table
        segment, links, plain = self._tcp.segment, LINKS, LinkType.ETHERNET
        number = self.packets
        try:
            for _, now, linktype, _, data, original, _, _ in records:
                number += 1
                if waiting and waiting[0][0] <= now:
                    table.pass_time(now)
                size = len(data)
                if linktype == plain and data[12:14] == b"\x08\0":
                    offset = 14
                else:
                    try:
                        version, offset, _, _ = (links.get(linktype) or _unknown(linktype))(data)
                    except Malformed:
                        self.unparsed += 1
                        continue
                    if not version:
                        self.not_ip += 1
                        continue
                seen = glance(data, offset, size, original - size)
                if seen is None:
                    self._closer(data, offset, original - size, now, number, linktype)
                    continue
                _, protocol, source, destination, source_port, destination_port, flags, length, start, _ = seen
                if protocol == 6:
                    if source in local:
                        if destination not in local:
                            key = (6, source, destination, source_port, destination_port, 0)
                            segment(key, True, flags, length, _SEQUENCE(data, start + 4)[0], now, number)
                            continue
                    elif destination in local:
                        key = (6, destination, source, destination_port, source_port, 0)
                        segment(key, False, flags, length, _SEQUENCE(data, start + 4)[0], now, number)
                        continue
                    sequence = _SEQUENCE(data, start + 4)[0]
                else:
                    sequence = 0
                    if protocol != 17 and (protocol, source_port) in ECHOES:
                        sequence = _ICMP_ID(data, start + 4)[0]
                self._either(
                    protocol, source, destination, source_port, destination_port, flags, length, sequence, now, number,
                    linktype == plain and data[DST] == b"\xff" * 6,
                )  # fmt: skip
        finally:
            self.packets = number

    def close(self) -> None:
        """The captures are over: what waits is judged as if somebody listened, and every flow is done."""
        for numbers in self._pieces.values():
            self._never_whole(numbers)
        self._pieces.clear()
        self.table.close()
        self._datagrams.close()

    # -- which way ---------------------------------------------------------------------------------------------------

    def _either(
        self, protocol: int, source: bytes, destination: bytes, source_port: int, destination_port: int, flags: int,
        length: int, sequence: int, now: int, number: int, broadcast: bool, whole: bool = False,
    ) -> None:  # fmt: skip
        """A packet that is no fragment and no error; `sequence`: TCP's number, or an echo's identifier."""
        out, arrives, group = self._ways(source, destination, broadcast)
        if not out and not arrives:
            self.not_local += 1
            return
        kind, identifier = None, 0
        if protocol in (icmp.PROTOCOL_V4, icmp.PROTOCOL_V6) and protocol == icmp.PROTOCOLS[_version(source)]:
            kind, identifier = source_port, sequence
        for outward in (True,) * out + (False,) * arrives:
            here, there = (source, destination) if outward else (destination, source)
            ports = (source_port, destination_port) if outward or kind is not None else (destination_port, source_port)
            if protocol == tcp.PROTOCOL:
                key = (protocol, here, there, *ports, 0)
                self._tcp.segment(key, outward, flags, length, sequence, now, number, whole and not outward)
                continue
            key = (protocol, here, there, *ports, 0)
            if kind is not None:
                key = icmp_key(protocol, here, there, *ports, identifier)
            self._datagrams.datagram(key, outward, group, now, number, whole and not outward, kind)

    def _ways(self, source: bytes, destination: bytes, broadcast: bool) -> tuple[bool, bool, bool]:
        """Whether this host sent it, whether it receives it, and whether the destination is a group's."""
        out, arrives = source in self.local, destination in self.local
        group = not arrives and self._is_group(destination, broadcast)
        return out, arrives or (group and not out), group

    def _is_group(self, address: bytes, broadcast: bool) -> bool:
        """Multicast or broadcast; a subnet's broadcast address is known by the frame, else by a /24 of this host."""
        if len(address) == 16:
            return address[0] == 0xFF
        if address[0] >> 4 == 14 or address == _BROADCAST:
            return True
        return broadcast or (address[3] == 255 and address[:3] in self._subnets)

    # -- what a glance does not answer -------------------------------------------------------------------------------

    def _closer(self, data: bytes, offset: int, cut: int, now: int, number: int, linktype: int) -> None:
        broadcast = linktype == LinkType.ETHERNET and data[DST] == b"\xff" * 6
        packet_bytes = data[offset:]
        try:
            packet = dissect(packet_bytes, verify=False, truncated=cut > 0)
        except Malformed:
            self.unparsed += 1
            return
        out, arrives, _ = self._ways(packet.ip.src, packet.ip.dst, broadcast)
        if not out and not arrives:
            self.not_local += 1
        elif packet.ip.fragment is None:
            self._whole(packet, now, number, broadcast, False)
        elif out:
            self._piece_out(packet.ip, packet_bytes, now, number, broadcast)
        else:
            self._piece_in(packet.ip, packet_bytes, now, number, broadcast)

    def _whole(self, packet: Packet, now: int, number: int, broadcast: bool, joined: bool) -> None:
        """A packet that is whole, or is so now that its last fragment came (`joined`)."""
        ip, transport = packet.ip, packet.transport
        here, there, flags, sequence = 0, 0, 0, 0
        if isinstance(transport, IcmpMessage):
            if transport.is_error:
                self._error(packet, transport, number, broadcast, joined)
                return
            here, there = transport.type, transport.code
            sequence = transport.echo[0] if transport.echo else 0
        elif isinstance(transport, Segment | Datagram):
            here, there = transport.src_port, transport.dst_port
            if isinstance(transport, Segment):
                flags, sequence = int(transport.flags), transport.seq
        self._either(
            ip.protocol, ip.src, ip.dst, here, there, flags, packet.payload_length, sequence, now, number, broadcast,
            joined,
        )  # fmt: skip

    # -- fragments ---------------------------------------------------------------------------------------------------

    def _piece_in(self, ip: Header, data: bytes, now: int, number: int, broadcast: bool) -> None:
        """An inbound fragment is indicated by itself; the last missing one brings the whole packet."""
        joined = self._join(self._inbound, data, now)
        if joined is not None:
            self._whole(joined, now, number, broadcast, True)
            return
        self.sink.see(None, FRAGMENT_IN, number, Ends(ip.protocol, ip.dst, ip.src, None, None, "in"))

    def _piece_out(self, ip: Header, data: bytes, now: int, number: int, broadcast: bool) -> None:
        """The layers see an outbound packet before it is cut: its fragments share what became of it."""
        place = ip.fragment
        assert place is not None
        key = (ip.src, ip.dst, ip.protocol if ip.version == 4 else -1, place.identification)
        joined = self._join(self._outbound, data, now)
        if joined is None:
            if key not in self._pieces and len(self._pieces) >= _MAX_PIECES:
                self._never_whole(self._pieces.pop(next(iter(self._pieces))))
            self._pieces.setdefault(key, []).append(number)
            return
        self._whole(joined, now, number, broadcast, False)
        for earlier in self._pieces.pop(key, ()):
            self.sink.again(earlier)

    def _join(self, reassembler: Reassembler, data: bytes, now: int) -> Packet | None:
        try:
            whole = reassembler.add(data, now, verify=False)
            return None if whole is None else dissect(whole, verify=False)
        except Malformed:
            return None

    def _never_whole(self, numbers: list[int]) -> None:
        """Fragments that left, of a packet that cannot be known: no layer can be named."""
        self.incomplete += 1
        for number in numbers:
            self.sink.see(None, NO_LAYER, number, Ends(0, b"\0" * 4, b"\0" * 4, None, None, "out"))

    # -- ICMP errors -------------------------------------------------------------------------------------------------

    def _error(self, packet: Packet, message: IcmpMessage, number: int, broadcast: bool, joined: bool) -> None:
        ip = packet.ip
        out, arrives, _ = self._ways(ip.src, ip.dst, broadcast)
        inner = quotation(message)
        for outward in (True,) * out + (False,) * arrives:
            here, there = (ip.src, ip.dst) if outward else (ip.dst, ip.src)
            about = None if inner is None else inner.key(not outward)
            embedded = None if inner is None or outward else inner.embedded
            ends = Ends(
                ip.protocol, here, there, message.type, message.code, "out" if outward else "in", out and arrives,
                embedded=embedded,
            )  # fmt: skip
            self._datagrams.error(ends, outward, about, number, joined and not outward)


def _version(address: bytes) -> int:
    return 4 if len(address) == 4 else 6


def _unknown(linktype: int) -> Callable[[bytes], Network]:
    return lambda data: network(linktype, data)
