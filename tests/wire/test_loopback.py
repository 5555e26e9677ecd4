import pytest
from hypothesis import given
from hypothesis import strategies as st

from tamiz.wire import loopback
from tamiz.wire.loopback import Frame
from tests.wire.cases import payloads, refuses_each_beginning


@pytest.mark.parametrize(
    ("frame", "data"),
    [
        pytest.param(Frame(2, b"ip"), "02000000 6970", id="IPv4, a little-endian host"),
        pytest.param(Frame(2, b"ip", "big"), "00000002 6970", id="IPv4, a big-endian host"),
        pytest.param(Frame(30, b"ip"), "1e000000 6970", id="IPv6 of macOS"),
        pytest.param(Frame(7), "07000000", id="a family that is not IP"),
    ],
)
def test_a_frame_in_both_directions(frame, data):
    assert loopback.emit(frame) == bytes.fromhex(data)
    assert loopback.parse(bytes.fromhex(data)) == frame


@pytest.mark.parametrize(("family", "version"), [(2, 4), (10, 6), (23, 6), (24, 6), (28, 6), (30, 6), (0, 0), (7, 0)])
def test_what_a_family_is(family, version):
    assert Frame(family).version == version


def test_a_family_over_four_bytes_cannot_be_made():
    with pytest.raises(ValueError):
        Frame(1 << 32)


def test_no_beginning_is_read():
    refuses_each_beginning(loopback.parse, bytes.fromhex("02000000"))


@given(st.builds(Frame, st.integers(0, 0xFFFF), payloads, st.sampled_from(("big", "little"))))
def test_what_is_emitted_parses_to_the_same(frame):
    assert loopback.parse(loopback.emit(frame), frame.order) == frame
