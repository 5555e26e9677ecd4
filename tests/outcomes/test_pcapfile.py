import io
import shutil
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tamiz.outcomes.pcapfile import PcapWriter
from tamiz.wire import icmp
from tamiz.wire.fragments import fragment
from tamiz.wire.packet import between, build
from tamiz.wire.udp import Datagram
from tests.wire.cases import A4, A6, B4, B6, SYN, packets

DATAGRAM = Datagram(50001, 50002, b"hi!")  # no port that a dissector claims
PACKETS = [
    build(between(src, dst, transport))
    for src, dst, version in ((A4, B4, 4), (A6, B6, 6))
    for transport in (
        SYN,
        DATAGRAM,
        icmp.echo(version, reply=True, identifier=1, sequence=2, payload=bytes(600)),
        icmp.port_unreachable(version, build(between(src, dst, DATAGRAM))),
    )
]


def written(linktype: int, packets: list[bytes]) -> bytes:
    file = io.BytesIO()
    writer = PcapWriter(file, linktype)
    for number, packet in enumerate(packets):
        writer.write(1_600_000_000_000_000_000 + number, packet)
    return file.getvalue()


def test_the_bytes_of_a_raw_file():
    assert written(101, [b"\x45"]) == bytes.fromhex(
        "4d3cb2a1 0200 0400 00000000 00000000 00000400 65000000 00105e5f 00000000 01000000 01000000 45"
    )


@pytest.mark.parametrize(
    ("packet", "header"),
    [
        pytest.param(PACKETS[0], "0200c6336402 0200c0000201 0800", id="IPv4"),
        pytest.param(PACKETS[4], "020000000002 020000000001 86dd", id="IPv6"),
    ],
)
def test_ethernet_addresses_show_the_ends_of_ip_addresses(packet, header):
    assert written(1, [packet])[40:] == bytes.fromhex(header) + packet


@pytest.mark.parametrize(
    ("linktype", "time_ns", "packet"),
    [
        pytest.param(101, -1, b"\x45", id="before 1970"),
        pytest.param(101, 2**32 * 10**9, b"\x45", id="after 2106"),
        pytest.param(101, 0, bytes(262145), id="a packet too long for readers"),
        pytest.param(1, 0, b"", id="no packet in a frame"),
        pytest.param(1, 0, b"\x55" * 40, id="no IP packet in a frame"),
        pytest.param(1, 0, b"\x45" * 16, id="no whole IP header in a frame"),
        pytest.param(113, 0, b"\x45", id="a link type that is not written"),
    ],
)
def test_what_cannot_be_written_is_refused(linktype, time_ns, packet):
    with pytest.raises(ValueError):
        PcapWriter(io.BytesIO(), linktype).write(time_ns, packet)


@pytest.mark.skipif(shutil.which("tshark") is None, reason="needs tshark")
@pytest.mark.parametrize("linktype", [101, 1], ids=["raw", "Ethernet"])
def test_wireshark_finds_nothing_wrong(linktype, tmp_path):
    pieces = fragment(PACKETS[6], 200, 5)
    path = tmp_path / "written.pcap"
    damaged = PACKETS[0][:-1] + b"?"  # so that we see that Wireshark looks
    path.write_bytes(written(linktype, [*PACKETS, *pieces, damaged]))
    checks = [f"-o{name}.check_checksum:TRUE" for name in ("ip", "tcp", "udp")]
    fields = ["-eframe.time_epoch", "-e_ws.malformed", "-e_ws.expert.message"]
    told = subprocess.run(
        ["tshark", "-r", path, "-Tfields", *fields, *checks], capture_output=True, text=True, check=True
    )
    rows = [line.split("\t") for line in told.stdout.splitlines()]
    assert [row[0] for row in rows[:2]] == ["1600000000.000000000", "1600000000.000000001"]
    assert [(row[1], "checksum" in row[2]) for row in rows] == [("", False)] * (len(rows) - 1) + [("", True)]
    assert len(rows) == len(PACKETS + pieces) + 1


@given(st.lists(st.tuples(st.integers(0, 2**32 * 10**9 - 1), packets.map(build)), max_size=4))
def test_what_is_written_can_be_read_by_its_own_layout(rows):
    file = io.BytesIO()
    writer = PcapWriter(file)
    for time_ns, packet in rows:
        writer.write(time_ns, packet)
    rest = file.getvalue()[24:]
    for time_ns, packet in rows:
        seconds, fraction, size, original = (int.from_bytes(rest[at : at + 4], "little") for at in (0, 4, 8, 12))
        assert (seconds * 10**9 + fraction, size, original) == (time_ns, len(packet), len(packet))
        assert rest[16 : 16 + size] == packet
        rest = rest[16 + size :]
    assert rest == b""
