"""Writing packets for other tools to read: pcap with nanoseconds, little-endian, IP packets with or without Ethernet.

Source: draft-ietf-opsawg-pcap.
"""

from __future__ import annotations

import struct
from typing import BinaryIO

from tamiz.wire import ethernet
from tamiz.wire.link import LinkType

MAGIC_NS = 0xA1B23C4D
SNAPLEN = 1 << 18  # bytes; nothing is cut to it, readers size their buffers by it

_FILE_HEADER = struct.Struct("<IHHiIII")
_RECORD_HEADER = struct.Struct("<IIII")
_ETHERTYPES = {4: ethernet.IPV4, 6: ethernet.IPV6}
_WRITABLE = (LinkType.RAW, LinkType.ETHERNET)


def mac(address: bytes) -> bytes:
    """A locally administered MAC address that shows the end of the IP address it stands for."""
    return b"\x02\0" + address[-4:]


class PcapWriter:
    """Writes to `file`, which stays open. `ValueError`: a link type other than RAW and Ethernet.

    With Ethernet each packet gets a header with MAC addresses made from its IP addresses.
    """

    def __init__(self, file: BinaryIO, linktype: int = LinkType.RAW) -> None:
        if linktype not in _WRITABLE:
            raise ValueError(f"link type: found {linktype}, wanted one of {[int(known) for known in _WRITABLE]}")
        self._file, self.linktype = file, linktype
        file.write(_FILE_HEADER.pack(MAGIC_NS, 2, 4, 0, 0, SNAPLEN, linktype))

    def write(self, time_ns: int, packet: bytes) -> None:
        """Adds one IP packet at `time_ns`, in nanoseconds since 1970.

        `ValueError`: a time before 1970 or after 2106, a packet too long, or with Ethernet one that is not IP.
        """
        frame = packet if self.linktype == LinkType.RAW else _framed(packet)
        seconds, fraction = divmod(time_ns, 10**9)
        if not 0 <= seconds <= 0xFFFFFFFF:
            raise ValueError(f"time: found {time_ns} ns, wanted 0 to {0xFFFFFFFF} seconds")
        if len(frame) > SNAPLEN:
            raise ValueError(f"packet: found {len(frame)} bytes, wanted at most {SNAPLEN}")
        self._file.write(_RECORD_HEADER.pack(seconds, fraction, len(frame), len(frame)) + frame)


def _framed(packet: bytes) -> bytes:
    version = packet[0] >> 4 if packet else 0
    if version not in _ETHERTYPES:
        raise ValueError(f"packet: found IP version {version}, wanted 4 or 6")
    src, dst = (packet[12:16], packet[16:20]) if version == 4 else (packet[8:24], packet[24:40])
    if not dst:
        raise ValueError(f"packet: found {len(packet)} bytes, wanted a whole IP header")
    return ethernet.emit(ethernet.Frame(mac(dst), mac(src), _ETHERTYPES[version], packet))
