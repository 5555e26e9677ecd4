"""The recorded example: what it holds, that Wireshark finds nothing wrong with it, and that it can be made again."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.interop import needs

pytestmark = pytest.mark.interop

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "two-hosts.pcap"
V4, V6 = ("192.0.2.10", "192.0.2.20"), ("2001:db8::10", "2001:db8::20")
FIELDS = (
    "ip.src", "ipv6.src", "ip.dst", "ipv6.dst", "tcp.srcport", "tcp.dstport", "udp.srcport", "udp.dstport",
    "icmp.type", "icmpv6.type",
)  # fmt: skip


def _tshark(path: Path, *arguments: str) -> list[str]:
    needs.need_programs("tshark")
    checks = [f"-o{name}.check_checksum:TRUE" for name in ("ip", "tcp", "udp")]
    done = subprocess.run(
        ["tshark", "-n", *checks, "-r", str(path), *arguments],
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    return done.stdout.splitlines()


def _conversations(path: Path) -> list[tuple[str, ...]]:
    """The packets that open a conversation or report an error, as addresses and ports, in order."""
    noise = "arp || icmpv6.type in {133..143} || (tcp && !(tcp.flags.syn == 1 && tcp.flags.ack == 0))"
    columns = [argument for name in FIELDS for argument in ("-e", name)]
    lines = _tshark(path, "-Y", f"!({noise})", "-T", "fields", "-E", "occurrence=f", *columns)
    return [tuple(filter(None, line.split("\t"))) for line in lines]


def test_the_example_is_small() -> None:
    assert EXAMPLE.stat().st_size < 200_000


def test_every_checksum_of_the_example_is_right() -> None:
    states = " || ".join(f"{name}.checksum.status == 0" for name in ("ip", "tcp", "udp", "icmp", "icmpv6"))
    assert _tshark(EXAMPLE, "-Y", states) == []
    assert len(_tshark(EXAMPLE, "-Y", "tcp.checksum.status == 1 || udp.checksum.status == 1")) > 100


def test_wireshark_finds_no_error_in_the_example() -> None:
    severe = "_ws.expert.severity == error || _ws.malformed || tcp.analysis.retransmission"
    assert _tshark(EXAMPLE, "-Y", severe) == []


@pytest.mark.parametrize(
    ("display_filter", "count"),
    [
        pytest.param("tcp.flags.syn == 1 && tcp.flags.ack == 0", 12, id="six connections a family are tried"),
        pytest.param("tcp.flags.syn == 1 && tcp.flags.ack == 1", 8, id="four of them find a listener"),
        pytest.param("tcp.flags.reset == 1", 6, id="two find a closed port, and one is broken off"),
        pytest.param("tcp.flags.fin == 1", 12, id="three sessions a family are closed by both sides"),
        pytest.param("icmp.type == 3 && icmp.code == 3", 2, id="two ICMP port unreachable"),
        pytest.param("icmpv6.type == 1 && icmpv6.code == 4", 2, id="two ICMPv6 port unreachable"),
        pytest.param("icmp.type == 8 || icmp.type == 0", 8, id="four pings and their replies over IPv4"),
        pytest.param("icmpv6.type in {128, 129}", 8, id="four pings and their replies over IPv6"),
        pytest.param("ip.flags.mf == 1", 4, id="two datagrams in three fragments over IPv4"),
        pytest.param("ipv6.fraghdr.more == 1", 4, id="two datagrams in three fragments over IPv6"),
        pytest.param("dns", 4, id="a question and an answer a family"),
    ],
)  # fmt: skip
def test_what_the_example_holds(display_filter: str, count: int) -> None:
    assert len(_tshark(EXAMPLE, "-Y", display_filter)) == count


def test_both_families_tell_the_same_story() -> None:
    names = {**dict.fromkeys((V4[0], V6[0]), "laptop"), **dict.fromkeys((V4[1], V6[1]), "neighbour")}
    rows = _conversations(EXAMPLE)
    v4, v6 = ([(names[row[0]], names[row[1]]) for row in rows if row[0] in family] for family in (V4, V6))
    assert v4 == v6
    assert len(v4) > 20


def test_a_new_recording_has_the_same_conversations(tmp_path: Path) -> None:
    needs.need("ping", "tcpdump", "tshark")
    fresh = tmp_path / "fresh.pcap"
    subprocess.run(
        [sys.executable, str(ROOT / "tools" / "record_capture"), str(fresh)],
        timeout=60, check=True, capture_output=True,
    )  # fmt: skip
    assert _conversations(fresh) == _conversations(EXAMPLE)
