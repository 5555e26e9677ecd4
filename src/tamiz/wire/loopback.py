"""BSD loopback captures: four bytes of address family, then the packet.

DLT_NULL (link type 0) has the family in the byte order of the capturing host, DLT_LOOP (108) in network order.
Npcap's loopback adapter on Windows writes DLT_NULL.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from .errors import need, within

HEADER_SIZE = 4
ByteOrder = Literal["big", "little"]

# Address family -> IP version. Source: the page LINKTYPE_NULL of tcpdump.org, which has the BSD numbers; the numbers
# of Windows and Linux are those of their own AF_INET6.
FAMILIES = {
    2: 4,  # AF_INET everywhere
    10: 6,  # Linux
    23: 6,  # Windows
    24: 6,  # NetBSD, OpenBSD, and Npcap
    28: 6,  # FreeBSD
    30: 6,  # macOS
}

# Meaning ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame. `order` is the byte order of the family: the capturing host's, or "big" in DLT_LOOP."""

    family: int
    payload: bytes = b""
    order: ByteOrder = "little"

    def __post_init__(self) -> None:
        within("address family", self.family, 0xFFFFFFFF)

    @property
    def version(self) -> int:
        """4, 6, or 0 for a family that is not IP."""
        return FAMILIES.get(self.family, 0)


# Bytes -> meaning ---------------------------------------------------------------------------------


def parse(data: bytes, order: ByteOrder | None = None) -> Frame:
    """The frame in `data`. Without `order` the smaller reading stands: families are small numbers.

    `Malformed`: it ends within its header.
    """
    need("loopback", data, HEADER_SIZE)
    head, payload = data[:HEADER_SIZE], data[HEADER_SIZE:]
    big, little = int.from_bytes(head, "big"), int.from_bytes(head, "little")
    if order is None:
        order = "little" if little <= big else "big"
    return Frame(little if order == "little" else big, payload, order)


# Meaning -> bytes ---------------------------------------------------------------------------------


def emit(frame: Frame) -> bytes:
    """The bytes, the family in the frame's own byte order."""
    return frame.family.to_bytes(HEADER_SIZE, frame.order) + frame.payload
