"""The headers of an ordinary packet, read without making objects: for replaying captures at speed.

`glance` judges nothing. Where it answers, and `packet.dissect` accepts the same bytes, both say the same. It
answers None for whatever needs a closer look, and the caller then asks `packet.dissect`: fragments, IPv6 extension
headers, ICMP errors, lengths that do not fit each other, and everything malformed that shows in the fixed headers
(options and checksums are not looked at).
"""

from __future__ import annotations

import struct

from . import icmp, tcp, udp

# (version, protocol, source, destination, source port or ICMP type, destination port or ICMP code, TCP flags,
#  bytes of payload on the wire, offset of the transport header, offset of the payload)
Glance = tuple[int, int, bytes, bytes, int, int, int, int, int, int]

_V4 = struct.Struct("!BxHxxHxBxx4s4s").unpack_from
_V6 = struct.Struct("!IHBx16s16s").unpack_from
_TCP = struct.Struct("!HH8xBB6x").unpack_from
_UDP = struct.Struct("!HHHxx").unpack_from

_FRAGMENTED = 0x3FFF  # more fragments, or an offset: IPv4, bytes 6 and 7


def glance(data: bytes, offset: int, end: int, cut: int = 0) -> Glance | None:
    """The packet that begins at byte `offset` of `data`, of which the capture holds the bytes up to `end` and lacks
    the `cut` after it. Offsets in the answer count from the beginning of `data`; the payload's may lie beyond `end`.
    """
    if end - offset < 28:  # the smallest packet that has ports: IPv4 and UDP
        return None
    first = data[offset]
    if first >> 4 == 4:
        word, total, fragment, protocol, src, dst = _V4(data, offset)
        start = offset + ((word & 0xF) << 2)
        stop = offset + total
        if word < 0x45 or fragment & _FRAGMENTED or stop > end + cut:
            return None
        version = 4
    elif first >> 4 == 6 and end - offset >= 48:
        _, total, protocol, src, dst = _V6(data, offset)
        start = offset + 40
        stop = start + total
        if stop > end + cut:
            return None
        version = 6
    else:
        return None
    if protocol == tcp.PROTOCOL:
        if start + 20 > end:
            return None
        src_port, dst_port, size, flags = _TCP(data, start)
        payload = start + (size >> 4 << 2)
        if size < 0x50 or payload > stop:
            return None
        return version, 6, src, dst, src_port, dst_port, flags, stop - payload, start, payload
    if start + 8 > end or start + 8 > stop:
        return None
    if protocol == udp.PROTOCOL:
        src_port, dst_port, length = _UDP(data, start)
        if not 8 <= length <= stop - start:
            return None
        return version, 17, src, dst, src_port, dst_port, 0, length - 8, start, start + 8
    if protocol == icmp.PROTOCOLS[version] and data[start] not in icmp.ERRORS[version]:
        return (
            version,
            protocol,
            src,
            dst,
            data[start],
            data[start + 1],
            0,
            stop - start - 8,
            start,
            start + 8,
        )
    return None
