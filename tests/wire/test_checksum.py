import pytest
from hypothesis import given
from hypothesis import strategies as st

from tamiz.wire import checksum
from tests.wire.cases import A4, A6, B4, B6, ones_complement


def test_the_example_of_rfc_1071():
    data = bytes.fromhex("0001f203f4f5f6f7")
    assert checksum.total(data) == 0xDDF2
    assert checksum.checksum(data) == 0x220D
    assert checksum.holds(data + bytes.fromhex("220d"))


@given(st.binary(max_size=200))
def test_it_is_what_adding_word_by_word_gives(data):
    assert checksum.checksum(data) == ones_complement(data)


@given(st.binary(max_size=64), st.integers(0, 1 << 20))
def test_a_pseudo_headers_pieces_add_up_to_its_bytes(data, size):
    length = len(data)
    whole_v4 = A4 + B4 + bytes((0, 17)) + length.to_bytes(2, "big")
    whole_v6 = A6 + B6 + length.to_bytes(4, "big") + bytes((0, 0, 0, 17))
    assert checksum.checksum(data, checksum.pseudo(A4, B4, 17, length)) == ones_complement(whole_v4 + data)
    assert checksum.checksum(data, checksum.pseudo(A6, B6, 17, length)) == ones_complement(whole_v6 + data)
    long_v6 = A6 + B6 + size.to_bytes(4, "big") + bytes((0, 0, 0, 6))
    assert checksum.checksum(b"", checksum.pseudo_v6(A6, B6, 6, size)) == ones_complement(long_v6)


@pytest.mark.parametrize(("src", "dst"), [(A4, B6), (b"", b""), (A6[:8], B6[:8])])
def test_addresses_are_of_one_family(src, dst):
    with pytest.raises(ValueError):
        checksum.pseudo(src, dst, 6, 20)
