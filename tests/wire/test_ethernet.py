import pytest
from hypothesis import given
from hypothesis import strategies as st

from tamiz.wire import ethernet
from tamiz.wire.errors import Malformed
from tamiz.wire.ethernet import Frame, Tag
from tests.wire.cases import octets, payloads, refuses_each_beginning, survives

DST, SRC = bytes.fromhex("020000000002"), bytes.fromhex("020000000001")
MACS = DST + SRC


@pytest.mark.parametrize(
    ("frame", "data"),
    [
        pytest.param(Frame(DST, SRC, 0x0800, b"ip"), "0800 6970", id="IPv4"),
        pytest.param(Frame(DST, SRC, 0x0806), "0806", id="ARP"),
        pytest.param(Frame(DST, SRC, 0x0800, b"ip", (Tag(5),)), "8100 0005 0800 6970", id="one tag"),
        pytest.param(
            Frame(DST, SRC, 0x86DD, b"ip", (Tag(100, protocol=0x88A8), Tag(4095, 7, True))),
            "88a8 0064 8100 ffff 86dd 6970",
            id="a provider's tag around a customer's",
        ),
        pytest.param(Frame(DST, SRC, 0x0026, b"llc"), "0026 6c6c63", id="a length of LLC"),
    ],
)
def test_a_frame_in_both_directions(frame, data):
    assert ethernet.emit(frame) == MACS + bytes.fromhex(data)
    assert ethernet.parse(MACS + bytes.fromhex(data)) == frame


def test_a_tag_that_is_cut_is_named():
    with pytest.raises(Malformed, match=r"VLAN tag at byte 18: found 3 bytes, wanted at least 4"):
        ethernet.parse(MACS + bytes.fromhex("8100 0001 8100 000108"))


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda: Frame(b"", SRC, 0x0800), id="no destination"),
        pytest.param(lambda: Frame(DST, SRC, 0x8100), id="a tag as the EtherType"),
        pytest.param(lambda: Tag(4096), id="a VLAN of thirteen bits"),
        pytest.param(lambda: Tag(1, protocol=0x0800), id="a tag that is none"),
    ],
)
def test_an_impossible_frame_cannot_be_made(make):
    with pytest.raises(ValueError):
        make()


def test_no_beginning_is_read():
    refuses_each_beginning(ethernet.parse, MACS + bytes.fromhex("88a8 0064 8100 ffff 86dd"))


tags = st.builds(Tag, st.integers(0, 4095), st.integers(0, 7), st.booleans(), st.sampled_from(sorted(ethernet.TAGS)))
macs = st.binary(min_size=6, max_size=6)
kinds = st.integers(0, 0xFFFF).filter(lambda kind: kind not in ethernet.TAGS)


@given(st.builds(Frame, macs, macs, kinds, payloads, st.lists(tags, max_size=20).map(tuple)))
def test_what_is_emitted_parses_to_the_same(frame):
    assert ethernet.parse(ethernet.emit(frame)) == frame


@given(st.binary(max_size=60), octets)
def test_junk_is_refused(data, kind):
    survives(ethernet.parse, MACS + bytes((0x81, kind & 1)) + data)
