import pytest
from hypothesis import given
from hypothesis import strategies as st

from tamiz.wire import ethernet, link, sll
from tamiz.wire.errors import Malformed
from tamiz.wire.link import LINKS, LinkType, Network, Sent
from tests.wire.cases import survives

MACS = bytes(12)
COOKED = "0001 0006 020000000001 0000"


@pytest.mark.parametrize(
    ("linktype", "data", "found"),
    [
        pytest.param(1, MACS.hex() + "0800 45", Network(4, 14, ethertype=0x0800), id="Ethernet, IPv4"),
        pytest.param(1, MACS.hex() + "86dd 60", Network(6, 14, ethertype=0x86DD), id="Ethernet, IPv6"),
        pytest.param(1, MACS.hex() + "0806 00", Network(0, 14, ethertype=0x0806), id="ARP is not IP"),
        pytest.param(1, MACS.hex() + "8100 0005 0800", Network(4, 18, ethertype=0x0800), id="a VLAN tag"),
        pytest.param(1, MACS.hex() + "88a8 0005 8100 0006 86dd", Network(6, 22, ethertype=0x86DD), id="two VLAN tags"),
        pytest.param(1, MACS.hex() + "0026 4242 03", Network(0, 14, ethertype=0x26), id="LLC is not IP"),
        pytest.param(1, MACS.hex() + "0026 aaaa03 000000 0800 45", Network(4, 22, ethertype=0x0800), id="IPv4 in SNAP"),
        pytest.param(1, MACS.hex() + "0026 aaaa03 000000", Network(0, 14, ethertype=0x26), id="SNAP that was cut"),
        pytest.param(101, "45", Network(4, 0), id="raw IPv4"),
        pytest.param(12, "60", Network(6, 0), id="raw IPv6, an old number"),
        pytest.param(14, "45", Network(4, 0), id="raw IPv4, another old number"),
        pytest.param(101, "00", Network(0, 0), id="raw, something else"),
        pytest.param(228, "45", Network(4, 0), id="IPv4 by its link type"),
        pytest.param(229, "60", Network(6, 0), id="IPv6 by its link type"),
        pytest.param(0, "02000000 45", Network(4, 4), id="loopback, little-endian"),
        pytest.param(0, "00000018 60", Network(6, 4), id="loopback, big-endian"),
        pytest.param(0, "18000000 60", Network(6, 4), id="loopback of Npcap"),
        pytest.param(0, "07000000", Network(0, 4), id="loopback, not IP"),
        pytest.param(108, "0000001e 60", Network(6, 4), id="loopback in network order"),
        pytest.param(108, "02000000 45", Network(0, 4), id="network order is not guessed"),
        pytest.param(113, f"0000 {COOKED} 0800", Network(4, 16, Sent.IN, 0x0800), id="cooked, to us"),
        pytest.param(113, f"0004 {COOKED} 86dd", Network(6, 16, Sent.OUT, 0x86DD), id="cooked, from us"),
        pytest.param(113, f"0003 {COOKED} 0800", Network(4, 16, Sent.OTHER, 0x0800), id="cooked, overheard"),
        pytest.param(113, f"0009 {COOKED} 0806", Network(0, 16, Sent.UNKNOWN, 0x0806), id="cooked, not IP"),
        pytest.param(
            113,
            f"0001 {COOKED} 8100 0005 0800",
            Network(4, 20, Sent.IN, 0x0800),
            id="cooked, a tag, broadcast",
        ),
        pytest.param(
            276,
            "86dd 0000 00000003 0001 04 06 020000000001 0000",
            Network(6, 20, Sent.OUT, 0x86DD),
            id="cooked 2, from us",
        ),
        pytest.param(
            276,
            "0800 0000 00000003 0001 02 06 020000000001 0000",
            Network(4, 20, Sent.IN, 0x0800),
            id="cooked 2, multicast",
        ),
    ],
)
def test_where_the_packet_begins(linktype, data, found):
    assert link.network(linktype, bytes.fromhex(data)) == found


def test_a_link_type_without_a_row_is_named():
    with pytest.raises(Malformed, match=r"link type 105, wanted one of 0, 1, 12, 14, 101, 108, 113, 228, 229, 276"):
        link.network(105, b"")


@pytest.mark.parametrize(
    ("linktype", "size"),
    [(1, 14), (101, 1), (12, 1), (14, 1), (0, 4), (108, 4), (113, 16), (276, 20)],
)
def test_a_header_that_is_cut_is_malformed(linktype, size):
    for kept in range(size):
        with pytest.raises(Malformed):
            link.network(linktype, bytes(kept))
    assert link.network(linktype, bytes(size)).version == 0


@given(st.sampled_from(sorted(LINKS)), st.binary(max_size=40))
def test_junk_is_refused(linktype, data):
    survives(lambda junk: link.network(linktype, junk), data)


@given(st.binary(min_size=14, max_size=40))
def test_the_table_and_the_codecs_agree(data):
    for linktype, parse in (
        (LinkType.ETHERNET, ethernet.parse),
        (LinkType.LINUX_SLL, lambda it: sll.parse(it, 1)),
    ):
        try:
            frame, found = parse(data), LINKS[linktype](data)
        except Malformed:
            continue
        if isinstance(frame, sll.Frame) and frame.protocol not in ethernet.TAGS:
            assert found.ethertype == frame.protocol or frame.protocol < ethernet.MIN_ETHERTYPE
        if isinstance(frame, ethernet.Frame) and frame.ethertype >= ethernet.MIN_ETHERTYPE:
            assert (found.ethertype, data[found.offset :]) == (frame.ethertype, frame.payload)
