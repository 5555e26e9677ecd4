import pytest
from hypothesis import given
from hypothesis import strategies as st

from tamiz.wire import sll
from tamiz.wire.sll import Frame, PacketType
from tests.wire.cases import payloads, refuses_each_beginning, words

MAC = bytes.fromhex("020000000001")


@pytest.mark.parametrize(
    ("frame", "data"),
    [
        pytest.param(
            Frame(1, PacketType.OUTGOING, 0x0800, b"ip", MAC),
            "0004 0001 0006 020000000001 0000 0800 6970",
            id="version 1, outgoing",
        ),
        pytest.param(
            Frame(1, PacketType.HOST, 0x86DD, b"", b"", 772),
            "0000 0304 0000 0000000000000000 86dd",
            id="loopback",
        ),
        pytest.param(
            Frame(2, PacketType.HOST, 0x0800, b"ip", MAC, 1, 3),
            "0800 0000 00000003 0001 00 06 020000000001 0000 6970",
            id="version 2 has an interface",
        ),
        pytest.param(
            Frame(2, 7, 0x0806, b"", bytes(8), 32),
            "0806 0000 00000000 0020 07 08 0000000000000000",
            id="an odd type",
        ),
    ],
)
def test_a_frame_in_both_directions(frame, data):
    assert sll.emit(frame) == bytes.fromhex(data)
    assert sll.parse(bytes.fromhex(data), frame.version) == frame


def test_an_address_longer_than_its_field_was_cut():
    data = bytes.fromhex("0000 0020 0014 0102030405060708 0800")
    assert sll.parse(data, 1).address == bytes(range(1, 9))


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda: Frame(3, 0, 0x0800), id="version 3"),
        pytest.param(lambda: Frame(1, 0, 0x0800, interface=1), id="version 1 with an interface"),
        pytest.param(lambda: Frame(2, 256, 0x0800), id="a packet type over one byte"),
        pytest.param(lambda: Frame(1, 0, 0x0800, address=bytes(9)), id="an address of nine bytes"),
    ],
)
def test_an_impossible_frame_cannot_be_made(make):
    with pytest.raises(ValueError):
        make()


@pytest.mark.parametrize("version", [1, 2])
def test_no_beginning_is_read(version):
    refuses_each_beginning(lambda data: sll.parse(data, version), sll.emit(Frame(version, 0, 0x0800)))


addresses = st.binary(max_size=8)


@given(
    st.builds(Frame, st.just(1), words, words, payloads, addresses, words)
    | st.builds(Frame, st.just(2), st.integers(0, 255), words, payloads, addresses, words, st.integers(0, 2**32 - 1))
)
def test_what_is_emitted_parses_to_the_same(frame):
    assert sll.parse(sll.emit(frame), frame.version) == frame
