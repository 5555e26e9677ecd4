"""The Internet checksum (RFC 1071) and the pseudo headers that precede a transport's bytes.

A ones' complement sum of 16-bit words is the big-endian number modulo 0xFFFF, because 0x10000 is 1 modulo
0xFFFF. One big-integer remainder is therefore the whole sum, an order of magnitude faster than a loop.
"""

from __future__ import annotations


def total(data: bytes, start: int = 0) -> int:
    """The ones' complement sum of `start` and `data` (an odd last byte is padded), folded to 16 bits."""
    number = int.from_bytes(data, "big")
    if len(data) & 1:
        number <<= 8
    number += start
    return number % 0xFFFF or (0xFFFF if number else 0)


def checksum(data: bytes, start: int = 0) -> int:
    """What to write into the checksum field, itself zero in `data`. `start` is a pseudo header's sum."""
    return 0xFFFF - total(data, start)


def holds(data: bytes, start: int = 0) -> bool:
    """Whether `data`, its checksum field included, sums to all ones (RFC 1071, section 1)."""
    return total(data, start) == 0xFFFF


def pseudo_v4(src: bytes, dst: bytes, protocol: int, length: int) -> int:
    """The sum of the IPv4 pseudo header (RFC 9293 3.1); `length` in bytes, transport header included."""
    return total(src + dst) + protocol + length


def pseudo_v6(src: bytes, dst: bytes, protocol: int, length: int) -> int:
    """The sum of the IPv6 pseudo header (RFC 8200 8.1); `dst` is the final destination of a routed packet."""
    return total(src + dst) + protocol + (length >> 16) + (length & 0xFFFF)


def pseudo(src: bytes, dst: bytes, protocol: int, length: int) -> int:
    """The pseudo header of the family that the addresses, 4 or 16 bytes each, belong to."""
    if len(src) != len(dst) or len(src) not in (4, 16):
        raise ValueError(f"addresses: found {len(src)} and {len(dst)} bytes, wanted 4 or 16 each")
    return (pseudo_v4 if len(src) == 4 else pseudo_v6)(src, dst, protocol, length)
