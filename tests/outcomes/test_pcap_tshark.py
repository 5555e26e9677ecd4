"""What `tamiz trace --pcap` writes, read by Wireshark: nothing is malformed, every checksum holds, nothing is astray.

All scenarios of a family go into one capture, an hour apart and each from a port of its own, so that tshark starts once.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tamiz.drive.world import Side, Stage, play
from tamiz.model.trace import Sent, Trace
from tamiz.outcomes.pcapfile import PcapWriter
from tamiz.sources.scenario import NAMES, built_in
from tamiz.wire.link import LinkType
from tests.interop import needs, tshark

pytestmark = pytest.mark.interop

FAMILIES = pytest.mark.parametrize("ip", [pytest.param(4, id="IPv4"), pytest.param(6, id="IPv6")])
EPOCH, HOUR = 1_600_000_000 * 10**9, 3_600 * 10**9  # ns
FIRST_PORT = 50_000


@pytest.fixture(autouse=True)
def _tshark() -> None:
    needs.need_programs("tshark")


def traces(ip: int) -> Iterator[Trace]:
    for n, name in enumerate(NAMES):
        yield play(built_in(name), Stage(ip, client=Side(port=FIRST_PORT + n)))


def write(path: Path, played: list[Trace], linktype: int = LinkType.RAW) -> list[Sent]:
    """The packets of the traces, in the capture at `path`."""
    written = []
    with path.open("wb") as file:
        writer = PcapWriter(file, linktype)
        for n, trace in enumerate(played):
            for packet in trace.wire:
                writer.write(EPOCH + n * HOUR + packet.time, packet.packet)
                written.append(packet)
    return written


@FAMILIES
def test_wireshark_finds_no_fault_in_any_scenario(ip: int, tmp_path: Path) -> None:
    path = tmp_path / "all.pcap"
    packets = write(path, list(traces(ip)))
    assert len(tshark.shown(path, "frame")) == len(packets) > 40
    assert tshark.faults(path) == []


@FAMILIES
def test_the_same_in_ethernet_frames(ip: int, tmp_path: Path) -> None:
    path = tmp_path / "framed.pcap"
    write(path, list(traces(ip)), LinkType.ETHERNET)
    assert tshark.faults(path) == []


@FAMILIES
@pytest.mark.parametrize(
    ("display_filter", "word"),
    [
        pytest.param("tcp.flags == 0x002", "SYN", id="SYN"),
        pytest.param("tcp.flags == 0x012", "SYN-ACK", id="SYN-ACK"),
        pytest.param("tcp.len > 0", "DATA", id="DATA"),
        pytest.param("tcp.flags.fin == 1", "FIN", id="FIN"),
        pytest.param("tcp.flags.reset == 1", "RST", id="RST"),
        pytest.param("udp && !icmp && !icmpv6", "UDP", id="UDP"),
        pytest.param("icmp.type in {0, 8} || icmpv6.type in {128, 129}", "ICMP", id="ICMP"),
        pytest.param("icmp.type == 3 || icmpv6.type == 1", "ICMP-ERROR", id="ICMP-ERROR"),
    ],
)  # fmt: skip
def test_wireshark_calls_the_packets_what_the_trace_calls_them(
    display_filter: str, word: str, ip: int, captured: dict[int, tuple[Path, list[Sent]]]
) -> None:
    path, packets = captured[ip]
    wanted = [n for n, packet in enumerate(packets, 1) if packet.word == word]
    assert [int(line.split()[0]) for line in tshark.shown(path, display_filter)] == wanted
    assert wanted


@pytest.fixture(scope="module")
def captured(tmp_path_factory: pytest.TempPathFactory) -> dict[int, tuple[Path, list[Sent]]]:
    folder = tmp_path_factory.mktemp("captures")
    found = {}
    for ip in (4, 6):
        path = folder / f"{ip}.pcap"
        found[ip] = (path, write(path, list(traces(ip))))
    return found


@FAMILIES
def test_a_packet_that_is_lost_is_seen_to_be_sent_again(ip: int, tmp_path: Path) -> None:
    """The other way round: tshark would tell, if there were something to tell."""
    played = list(traces(ip))[:1]
    packets = [*played[0].wire, played[0].wire[0]]
    path = tmp_path / "again.pcap"
    with path.open("wb") as file:
        writer = PcapWriter(file)
        for n, packet in enumerate(packets):
            writer.write(EPOCH + n * 10**9, packet.packet)
    assert len(tshark.faults(path)) == 1
    path.write_bytes(path.read_bytes()[:-1] + b"\xff")  # the last byte of an option: the checksum no longer holds
    assert len(tshark.broken(path)) == 1
